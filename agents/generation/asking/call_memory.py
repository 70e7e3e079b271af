"""Call memory: each call of a draft under way is made once, and remembered by its id until its request is finished."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from agents.costs.prices import PriceList
from agents.generation.asking.answers import Answers
from agents.generation.asking.calls import Call, call_id, calls_of, seed_of
from agents.generation.asking.writer import Step
from agents.generation.assignment import Assignment
from streams.errors import RecordFault


class CallMemory:
    """Finished calls of unfinished requests, so that what comes again repeats only what is unfinished.

    Those of requests that are `unkept` have still to go into the state of the request's partition.
    """

    def __init__(self, clock: Callable[[], datetime], prices: PriceList) -> None:
        self._clock = clock
        self._prices = prices
        self._calls: dict[str, dict[str, Call]] = {}
        self._unkept: set[str] = set()

    async def calls(
        self,
        assignments: Sequence[Assignment],
        step: Step,
        attempt: int,
        ask: Callable[[Sequence[int], int], Awaitable[Answers]],
    ) -> list[Call]:
        """Return the call of each assignment: from memory, else all missing ones by one call of `ask`.

        `ask` gets the places of the missing assignments and the seed. What it raises passes through.
        """
        ids = [call_id(each, step, attempt) for each in assignments]
        known = [self._calls.get(each.request_id, {}).get(found) for each, found in zip(assignments, ids, strict=True)]
        missing = [place for place, call in enumerate(known) if call is None]
        if missing:
            answers = await ask(missing, seed_of(ids[missing[0]]))
            made = calls_of(answers, step, attempt, self._clock(), self._prices)
            for place, call in zip(missing, made, strict=True):
                self.remember(assignments[place], ids[place], call)
                known[place] = call
        return [call for call in known if call is not None]

    def remember(self, assignment: Assignment, identity: str, call: Call) -> None:
        """Remember a finished call."""
        self._calls.setdefault(assignment.request_id, {})[identity] = call
        self._unkept.add(assignment.request_id)

    def restore(self, request_id: str, calls: dict[str, Call]) -> None:
        """Take over what an earlier worker had finished."""
        self._calls[request_id] = dict(calls)

    def of(self, request_id: str) -> dict[str, Call]:
        """Return the finished calls of a request by id."""
        return self._calls.get(request_id, {})

    @property
    def has_unkept(self) -> bool:
        """Tell whether there are calls that are not in the state yet."""
        return bool(self._unkept)

    def take_unkept(self) -> set[str]:
        """Return the requests with calls that are not in the state yet, and take them as kept."""
        unkept, self._unkept = self._unkept, set()
        return unkept

    def forget(self, request_id: str) -> None:
        """Forget a request: it is finished, and remembered as a whole."""
        self._calls.pop(request_id, None)
        self._unkept.discard(request_id)


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
