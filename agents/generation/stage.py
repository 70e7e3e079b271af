"""The generate stage: persona.requests -> Drafting -> drafts.generated and cost.events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from agents.costs.prices import PriceList
from agents.generation.assignment import Assignment, assignments_of
from agents.generation.calls import CallMemory
from agents.generation.drafting import Drafting
from agents.generation.finished import FinishedRequest, FinishedRequests
from agents.generation.graph import DraftGraph
from agents.generation.writer import writer_for
from agents.llm.client import LanguageModelClient
from agents.llm.provider import provider_of
from agents.pending_effects import PendingEffects
from agents.personas.directory import PersonaDirectory
from schemas.records import PersonaRequest
from streams.engine.batch import Batch, Row, RowBatch, TopicPartition
from streams.engine.stage import Effects, Output, Rejection, Stage, StateChange
from streams.errors import RecordFault
from streams.settings import Settings
from streams.wall_clock import utc_now


class GenerateStage(Stage):
    """Write the drafts that requests ask for.

    State, by request: the finished records. A request that comes again (replay, crash, a producer that sends it twice)
    gets the very same ones, faults included, and calls no model; to try again, send it with a new event_id. When only
    some drafts of a request could be written, these go on, and the dead letter says which are missing.
    """

    name: ClassVar[str] = "generate"
    topics: ClassVar[tuple[str, ...]] = ("persona.requests",)
    stateful: ClassVar[bool] = True

    def __init__(
        self,
        settings: Settings,
        directory: PersonaDirectory,
        prices: PriceList,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._prices = prices
        self._clock = clock
        self._finished: dict[TopicPartition, FinishedRequests] = {}
        self._under_way: dict[TopicPartition, set[str]] = {}
        self._pending = PendingEffects()

    async def open(self) -> None:
        self._client = LanguageModelClient(provider_of(self._settings), timeout_s=self._settings.llm_timeout_s)
        memory = CallMemory(self._clock)
        graph = DraftGraph(writer_for(self._client, self._settings), memory, self._prices)
        self._drafting = Drafting(graph, memory, concurrency=self._client.provider.concurrency)

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        self._finished[source] = FinishedRequests(state)
        self._under_way[source] = set()

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        assert isinstance(batch, RowBatch)
        await self._directory.refresh()
        assignments, refused = self._assignments(batch)
        self._under_way[batch.source].update(each.request_id for each in assignments)
        await self._drafting.write(assignments)
        for row in batch.rows:
            if row.offset not in refused:
                fault = self._fold(batch.source, row)
                if fault is not None:
                    refused[row.offset] = fault
        self._forget(batch.source)
        return [Rejection(offset, fault) for offset, fault in sorted(refused.items())]

    def _assignments(self, batch: RowBatch) -> tuple[list[Assignment], dict[int, RecordFault]]:
        finished, writable = self._finished[batch.source], self._client.provider.languages
        found: dict[str, tuple[Assignment, ...]] = {}
        refused: dict[int, RecordFault] = {}
        for row in batch.rows:
            request = _request(row)
            if request.event_id in found or finished.find(request.event_id):
                continue
            try:
                applied = self._directory.require(request.persona_id)
                found[request.event_id] = assignments_of(request, applied, writable)
            except RecordFault as fault:
                refused[row.offset] = fault
        return [each for assignments in found.values() for each in assignments], refused

    def _fold(self, source: TopicPartition, row: Row) -> RecordFault | None:
        request_id = _request(row).event_id
        finished = self._finished[source].find(request_id) or self._finish(source, row.offset, request_id)
        effects = self._pending.of(source)
        effects.outputs += [Output("drafts.generated", draft) for draft in finished.drafts]
        effects.outputs += [Output("cost.events", cost) for cost in finished.costs]
        if not finished.faults:
            return None
        written, missing = len(finished.drafts), "; ".join(finished.faults)
        return RecordFault(f"{written} drafts were written and sent on, {len(finished.faults)} could not be: {missing}")

    def _finish(self, source: TopicPartition, offset: int, request_id: str) -> FinishedRequest:
        outcomes = self._drafting.outcomes(request_id)
        finished = FinishedRequest(
            offset=offset,
            drafts=tuple(each.draft for each in outcomes if each.draft is not None),
            costs=tuple(cost for each in outcomes for cost in each.costs),
            faults=tuple(each.fault for each in outcomes if each.fault is not None),
        )
        changes = self._finished[source].remember(request_id, finished)
        self._pending.of(source).state += [StateChange(source, key, value) for key, value in changes]
        return finished

    def _forget(self, source: TopicPartition) -> None:
        for request_id in self._under_way[source]:
            self._drafting.forget(request_id)
        self._under_way[source] = set()

    async def flush(self) -> Effects:
        return self._pending.take()

    async def drop(self, source: TopicPartition) -> None:
        self._forget(source)
        self._finished.pop(source, None)
        self._pending.drop(source)

    async def close(self) -> None:
        await self._client.close()
        await self._directory.close()


def _request(row: Row) -> PersonaRequest:
    assert isinstance(row.record, PersonaRequest)
    return row.record
