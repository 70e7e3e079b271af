"""Asking for the drafts of a burst in one call; one by one when the provider refuses them together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from agents.generation.asking.answers import Answers
from agents.generation.asking.model_tiers import Step
from agents.generation.assignment import Assignment
from agents.generation.kept.calls import Call, CallMemory
from streams.errors import RecordFault

Ask = Callable[[Sequence[int], int], Awaitable[Answers]]
"""Ask for the drafts at some places of the burst, with a seed."""


async def calls_or_faults(
    memory: CallMemory, assignments: Sequence[Assignment], step: Step, attempt: int, ask: Ask
) -> list[Call | RecordFault]:
    """Return for each assignment its call, or why the provider refuses its prompt.

    `Unavailable` and `SettingsError` pass through; what was finished by then is in the memory.
    """
    try:
        return list(await memory.calls(assignments, step, attempt, ask))
    except RecordFault as fault:
        if len(assignments) == 1:
            return [fault]

    async def alone(place: int) -> Call | RecordFault:
        async def ask_alone(_: Sequence[int], seed: int) -> Answers:
            return await ask([place], seed)

        (found,) = await calls_or_faults(memory, [assignments[place]], step, attempt, ask_alone)
        return found

    return [await alone(place) for place in range(len(assignments))]
