"""Draft work: what the graph knows of one draft of a burst, from node to node, and what comes of it as records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from agents.costs.prices import sum_of_costs
from agents.generation.asking.calls import Call, call_id
from agents.generation.asking.writer import Past
from agents.generation.assignment import Assignment
from agents.learning.foretold import Foretold
from schemas.records import CostEvent, CostSaving, DraftGenerated, GenerationStep, HookChoice
from streams.identity import derived_id

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

    `foretold` is what the predictor says of the hook, None where it says nothing. `hook_faults` tell of each round of
    hooks why none was usable; `versions` are the texts judged so far, in order.
    """

    assignment: Assignment
    past: Past
    room: int
    hooks: tuple[str, ...] = ()
    doubtful_hook: str | None = None
    hook: str | None = None
    foretold: Foretold | None = None
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


@dataclass(frozen=True, slots=True)
class DraftOutcome:
    """What came of an assignment: the draft, or None with the fault; what was paid for it, and what was spared."""

    draft: DraftGenerated | None
    costs: tuple[CostEvent, ...]
    savings: tuple[CostSaving, ...] = ()
    fault: str | None = None


def outcome_of(work: DraftWork) -> DraftOutcome:
    """Return what came of a draft whose graph has ended."""
    assignment = work.assignment
    costs = tuple(cost_event(call, assignment) for call in work.calls if not call.from_cache)
    savings = tuple(saving for call in work.calls for saving in cost_savings(call, assignment))
    best = None if work.fault else work.best_version
    if best is None:
        fault = f"draft {assignment.number + 1}: {work.why_none}"
        return DraftOutcome(None, costs, savings, fault)
    return DraftOutcome(_draft(work, best), costs, savings)


def _draft(work: DraftWork, best: Version) -> DraftGenerated:
    assignment, calls = work.assignment, work.calls
    assert work.hook is not None
    return DraftGenerated(
        event_id=assignment.draft_id,
        occurred_at=max(call.occurred_at for call in calls),
        persona_id=assignment.persona.persona_id,
        causation_id=assignment.request_id,
        draft_id=assignment.draft_id,
        request_id=assignment.request_id,
        persona_version=assignment.persona_version,
        hook=work.hook,
        body=best.body,
        text=best.text,
        language=assignment.language,
        model=calls[-1].model,
        prompt_tokens=sum(call.usage.prompt_tokens for call in calls),
        completion_tokens=sum(call.usage.completion_tokens for call in calls),
        cost_micros=work.cost_micros,
        latency_ms=sum(call.latency_ms for call in calls),
        call_to_action=assignment.call_to_action,
        revisions=len(work.versions) - 1,
        guard_reasons=assignment.left_out
        + tuple(
            reason for version in work.versions if version is not best for reason in version.problems or version.doubts
        ),
        steps=work.steps,
        hook_choice=_choice(assignment.choice, work.foretold),
    )


def _choice(choice: HookChoice | None, foretold: Foretold | None) -> HookChoice | None:
    if choice is None or foretold is None:
        return choice
    return replace(
        choice,
        model_version=foretold.model_version,
        win_probability=foretold.win_probability,
        hook_log_odds=foretold.hook_log_odds,
    )


def cost_event(call: Call, assignment: Assignment) -> CostEvent:
    """Return the booking of a draft's share of a call; its id is the call's, so that a repetition is booked once."""
    return CostEvent(
        event_id=call_id(assignment, call.step, call.attempt),
        occurred_at=call.occurred_at,
        persona_id=assignment.persona.persona_id,
        causation_id=assignment.request_id,
        request_id=assignment.request_id,
        step=call.step,
        model=call.model,
        prompt_tokens=call.usage.prompt_tokens,
        cached_tokens=call.usage.cached_tokens,
        completion_tokens=call.usage.completion_tokens,
        reasoning_tokens=call.usage.reasoning_tokens,
        cost_micros=call.cost_micros,
        latency_ms=call.latency_ms,
    )


def cost_savings(call: Call, assignment: Assignment) -> list[CostSaving]:
    """Return what the call spared, one record a measure; ids follow from the call's."""
    identity = call_id(assignment, call.step, call.attempt)
    return [
        CostSaving(
            event_id=derived_id(identity, saving.measure),
            occurred_at=call.occurred_at,
            persona_id=assignment.persona.persona_id,
            causation_id=assignment.request_id,
            request_id=assignment.request_id,
            step=call.step,
            measure=saving.measure,
            model=call.model,
            prompt_tokens=saving.prompt_tokens,
            completion_tokens=saving.completion_tokens,
            saved_micros=saving.micros,
        )
        for saving in call.savings
    ]
