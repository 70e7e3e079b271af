"""Draft work: what the graph knows of one draft of a burst, from node to node."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from agents.costs.cost import sum_of_costs
from agents.generation.asking.calls import Call
from agents.generation.asking.writer import Past
from agents.generation.assignment import Assignment
from schemas.records import GenerationStep

Node = Literal["gather", "hooks", "choose", "body", "assemble", "guard", "revise"]


@dataclass(frozen=True, slots=True)
class Version:
    """A text as it was judged: `problems` forbid its use, `doubts` only make a revision worth its price."""

    body: str
    text: str
    problems: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftWork:
    """One draft under way. `hook` is None until one is chosen, `text` until one is assembled, `fault` ends the work.

    `hook_faults` tell of each round of hooks why none was usable; `versions` are the texts judged so far, in order.
    """

    assignment: Assignment
    past: Past
    room: int
    hooks: tuple[str, ...] = ()
    doubtful_hook: str | None = None
    hook: str | None = None
    hook_faults: tuple[str, ...] = ()
    body: str = ""
    text: str | None = None
    versions: tuple[Version, ...] = ()
    calls: tuple[Call, ...] = ()
    steps: tuple[GenerationStep, ...] = ()
    fault: str | None = None

    def called(self, node: Node, call: Call, outcome: str = "ok") -> DraftWork:
        """Return the work with a call and its step."""
        usage = call.usage
        step = GenerationStep(
            name=node,
            outcome="from cache" if call.from_cache and outcome == "ok" else outcome,
            model=call.model,
            latency_ms=call.latency_ms,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost_micros=call.cost_micros,
        )
        return replace(self, calls=(*self.calls, call), steps=(*self.steps, step))

    def stepped(self, node: Node, outcome: str = "ok", latency_ms: int = 0) -> DraftWork:
        """Return the work with the step of a node that called no model."""
        step = GenerationStep(name=node, outcome=outcome, latency_ms=latency_ms)
        return replace(self, steps=(*self.steps, step))

    @property
    def cost_micros(self) -> int | None:
        """Return what the draft cost so far; None when the price of a call is unknown."""
        return sum_of_costs([call.cost_micros for call in self.calls])

    @property
    def best_version(self) -> Version | None:
        """Return the first version of those without problems that have the fewest doubts; None where all have some."""
        usable = [each for each in self.versions if not each.problems]
        return min(usable, key=lambda each: len(each.doubts), default=None)

    @property
    def why_none(self) -> str:
        """Return why it comes to no draft: its fault, or why none of the versions can be used."""
        reasons = " | ".join("; ".join(each.problems) for each in self.versions)
        return self.fault or f"body: no usable answer in {len(self.versions)} attempts ({reasons})"
