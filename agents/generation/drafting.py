"""Write many drafts at once, up to a bound; when the model is away, finish what runs and remember it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agents.generation.assignment import Assignment
from agents.generation.calls import CallMemory
from agents.generation.graph import DraftGraph, DraftOutcome


class Drafting:
    """Run the graph for assignments, `concurrency` at a time, each with one model call under way at most.

    What is finished is remembered by draft until `forget`: after `Unavailable` the same assignments are given again,
    and only the unfinished ones call the model, from the step at which they broke off.
    """

    def __init__(self, graph: DraftGraph, memory: CallMemory, *, concurrency: int) -> None:
        self._graph = graph
        self._memory = memory
        self._slots = asyncio.Semaphore(concurrency)
        self._outcomes: dict[str, dict[int, DraftOutcome]] = {}

    async def write(self, assignments: Sequence[Assignment]) -> None:
        """Bring every assignment to its outcome.

        Raises:
            Unavailable: the model is away; as soon as one call says so no further draft is begun.
            SettingsError: the provider refuses every call.
        """
        stop = asyncio.Event()
        results = await asyncio.gather(*(self._write(each, stop) for each in assignments), return_exceptions=True)
        for result in results:
            if result is not None:
                raise result

    async def _write(self, assignment: Assignment, stop: asyncio.Event) -> None:
        outcomes = self._outcomes.setdefault(assignment.request_id, {})
        async with self._slots:
            if stop.is_set() or assignment.number in outcomes:
                return
            try:
                outcomes[assignment.number] = await self._graph.write(assignment)
            except BaseException:
                stop.set()
                raise

    def outcomes(self, request_id: str) -> list[DraftOutcome]:
        """Return the outcomes of a request's drafts, by number."""
        found = self._outcomes.get(request_id, {})
        return [found[number] for number in sorted(found)]

    def forget(self, request_id: str) -> None:
        """Forget a request and its calls."""
        self._outcomes.pop(request_id, None)
        self._memory.forget(request_id)
