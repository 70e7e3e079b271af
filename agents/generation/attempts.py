"""Bounded attempts: ask again with another seed while the answer is unusable, then keep the best that came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from agents.generation.calls import Call
from streams.errors import RecordFault

MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A part as cleaned: `problems` forbid its use, `doubts` only make another attempt worth its price."""

    part: str
    problems: Sequence[str] = ()
    doubts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Attempts:
    """What the attempts came to: the part, or None with why; and every call that was made and has to be paid."""

    part: str | None
    calls: tuple[Call, ...]
    fault: str | None = None


async def attempt_part(ask: Callable[[int], Awaitable[Call]], judge: Callable[[Call], Candidate]) -> Attempts:
    """Ask up to three times; return the first candidate without problems or doubts, else the one with least doubts."""
    calls: list[Call] = []
    usable: list[Candidate] = []
    problems: list[str] = []
    for attempt in range(MAX_ATTEMPTS):
        try:
            call = await ask(attempt)
        except RecordFault as fault:  # the provider refuses this prompt: another seed changes nothing
            problems.append(str(fault))
            break
        calls.append(call)
        candidate = judge(call)
        if candidate.problems:
            problems.append("; ".join(candidate.problems))
            continue
        if not candidate.doubts:
            return Attempts(candidate.part, tuple(calls))
        usable.append(candidate)
    if usable:
        return Attempts(min(usable, key=lambda each: len(each.doubts)).part, tuple(calls))
    return Attempts(None, tuple(calls), f"no usable answer in {len(problems)} attempts ({' | '.join(problems)})")
