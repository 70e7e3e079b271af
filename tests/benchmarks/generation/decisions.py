"""Decisions on drafts as the broker has them: how many there are, when each was appended, what was spent on them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import CostEvent, DeadLetter, DraftDecided, Record
from schemas.registries.registry import open_registry
from streams.engine.batch import TopicPartition
from streams.errors import ThreadsError
from streams.kafka.log_reader import LogReader
from streams.kafka.topics import partition_counts
from tests.benchmarks.running.own_broker import Broker

ACCEPTED, REJECTED, LETTERS, COSTS = "drafts.accepted", "drafts.rejected", "dead.letters", "cost.events"
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Decision:
    """A decided draft; `at_ms` is the timestamp of its record, `calls` how many model calls it took."""

    request_id: str
    at_ms: int
    is_accepted: bool
    calls: int
    revisions: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Decided drafts, and requests that went to the dead letters."""

    decided: int
    refused: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """Model calls and their tokens, those of drafts that came to nothing included."""

    calls: int
    prompt: int
    completion: int


class DecisionLog:
    """Reads the decisions of a broker whose topics are there; used as an async context."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._reader = LogReader(broker.cluster())
        self._sources: dict[str, list[TopicPartition]] = {}

    async def __aenter__(self) -> Self:
        names = (ACCEPTED, REJECTED, LETTERS, COSTS)
        counts = await partition_counts(self._broker.cluster(), names)
        self._sources = {name: [TopicPartition(name, each) for each in range(counts[name])] for name in names}
        await self._reader.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._reader.__aexit__(kind, error, trace)

    async def count(self) -> Counts:
        """Return how many drafts are decided and how many requests were refused by now."""
        topics = (ACCEPTED, REJECTED, LETTERS)
        bounds = await self._reader.whole([each for topic in topics for each in self._sources[topic]])
        refused = sum(end for source, (_, end) in bounds.items() if source.topic == LETTERS)
        return Counts(sum(end for _, end in bounds.values()) - refused, refused)

    async def until(
        self, count: int, timeout_s: float, check: Callable[[], None], *, may_be_refused: bool = False
    ) -> Counts:
        """Wait until so many are decided or refused; `check` raises where they can't come any more.

        Raises:
            ThreadsError: not in time, or one was refused and none may be.
        """
        deadline = time.monotonic() + timeout_s
        while (found := await self.count()).decided + found.refused < count:
            check()
            if found.refused and not may_be_refused:
                raise ThreadsError(f"a request of the job was refused: {(await self.refusals())[0]}")
            if time.monotonic() > deadline:
                raise ThreadsError(f"{count} drafts were expected to be decided within {timeout_s:.0f} s, got {found}")
            await asyncio.sleep(POLL_S)
        return found

    async def decisions(self) -> list[Decision]:
        """Return the decisions in the order of their timestamps."""
        found = []
        async for at_ms, decided in self._records(ACCEPTED, REJECTED):
            assert isinstance(decided, DraftDecided)
            draft, is_accepted = decided.draft, decided.decision == "accepted"
            calls = sum(step.model is not None for step in draft.steps)
            found.append(Decision(draft.request_id, at_ms, is_accepted, calls, draft.revisions, decided.reasons))
        return sorted(found, key=lambda each: each.at_ms)

    async def refusals(self) -> list[str]:
        """Return why each request in the dead letters was refused."""
        return [letter.reason async for _, letter in self._records(LETTERS) if isinstance(letter, DeadLetter)]

    async def tokens(self) -> Tokens:
        """Return what all calls took."""
        costs = [cost async for _, cost in self._records(COSTS) if isinstance(cost, CostEvent)]
        prompt, completion = sum(each.prompt_tokens for each in costs), sum(each.completion_tokens for each in costs)
        return Tokens(len(costs), prompt, completion)

    async def _records(self, *topics: str) -> AsyncIterator[tuple[int, Record]]:
        """Yield the records of topics as they are now, with their timestamps."""
        codec = RowCodec(open_registry(None))
        bounds = await self._reader.whole([each for topic in topics for each in self._sources[topic]])
        async for source, records in self._reader.read(bounds):
            for record in records:
                yield record.timestamp, codec.decode(topic_named(source.topic), record.value)
