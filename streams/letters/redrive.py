"""Send the records of dead letters again, each once: with its outcome in one transaction, by one writer at a time.

A redrive that is killed leaves a record with its outcome, or neither; the next one reads the outcomes after the broker
has ended what was open, and goes on with the rest. Of two at once the later one fences the earlier, which ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from schemas.catalogue import CATALOGUE, topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import LookupsSpent
from schemas.records import DeadLetter, DeadOutcome, Header, LetterOutcome
from schemas.registries.registry import SchemaRegistry
from streams.errors import RecordFault, SettingsError
from streams.identity import derived_id
from streams.kafka.cluster import Cluster
from streams.kafka.producer import any_partition, partition_of
from streams.kafka.topics import those_there
from streams.kafka.transactions import RawRecord, TransactionalWriter
from streams.letters.planning import Limits, Plan, Refusal, Sending, There, plan
from streams.letters.reading import OUTCOMES, read_cases, read_letters
from streams.letters.standing import REDRIVE_COUNT, REDRIVE_OF, Case, Selection
from streams.validation import schema_faults

WRITER = "threads-dead-letters"
CHUNK_RECORDS = 100
CHUNK_BYTES = 4 * 2**20
CHUNKS_PER_S = 4  # so that a slow rate is even

Told = Callable[[int], object]
"""Is told how many letters more are done."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command: what it was asked for, by whom, as one of `letters`."""

    selection: Selection
    requested_by: str
    letters: int = 0
    id: str = field(default_factory=lambda: str(uuid4()))

    def outcome(
        self, case: Case, outcome: LetterOutcome, count: int, reason: str | None, target: tuple[int, int] | None = None
    ) -> DeadOutcome:
        """Return the outcome of a letter; the same outcome has the same id in every run."""
        letter = case.letter
        parts = (letter.event_id, outcome, str(count), *([] if outcome != "refused" else [reason or ""]))
        return DeadOutcome(
            event_id=derived_id(*parts),
            occurred_at=datetime.now(UTC),
            letter_id=letter.event_id,
            outcome=outcome,
            redrive_count=count,
            source_topic=letter.source_topic,
            source_partition=letter.source_partition,
            source_offset=letter.source_offset,
            target_partition=None if target is None else target[0],
            target_offset=None if target is None else target[1],
            reason=reason,
            run_id=self.id,
            run_letters=self.letters,
            selection=self.selection.text,
            requested_by=self.requested_by,
        )


@dataclass(slots=True)
class Progress:
    """What a run has done so far: outcomes in order, those that are durable."""

    outcomes: list[DeadOutcome] = field(default_factory=list)

    def number(self, outcome: LetterOutcome) -> int:
        return sum(each.outcome == outcome for each in self.outcomes)


async def planned(cluster: Cluster, registry: SchemaRegistry, selection: Selection, limits: Limits) -> Plan:
    """Return what a redrive would do now; nothing is written, and no run that is under way is disturbed.

    Raises:
        Unavailable: the broker or a topic is away.
    """
    cases = await read_cases(cluster, registry)
    counts = await _partitions_of(cluster, cases)
    return plan(cases, selection, limits, _there(counts, cases, selection, registry), cluster.settings)


class Redrive:
    """Send the records of letters again, at most `rate` a second (None: as fast as they go)."""

    def __init__(
        self,
        cluster: Cluster,
        registry: SchemaRegistry,
        *,
        limits: Limits,
        rate: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._registry = registry
        self._limits = limits
        self._rate = rate
        self._monotonic = monotonic
        self._codec = RowCodec(registry)

    async def run(
        self, selection: Selection, requested_by: str, progress: Progress, begin: Callable[[Plan], Told]
    ) -> Plan:
        """Do it; `begin` is told the plan, and gives what is told of each step. Returns the plan.

        Raises:
            Fenced: another run has begun; what this one has done is in `progress`.
            Unavailable: the broker or the registry is away; run it again, and it goes on.
        """
        async with TransactionalWriter(self._cluster, WRITER) as writer:
            await writer.open()
            cases = await read_cases(self._cluster, self._registry)
            counts = await _partitions_of(self._cluster, cases)
            there = _there(counts, cases, selection, self._registry)
            made = plan(cases, selection, self._limits, there, self._cluster.settings)
            run = Run(selection, requested_by, made.letters)
            told = begin(made)
            await self._refuse(writer, run, made.refusals, progress)
            told(len(made.refusals))
            began, sent = self._monotonic(), 0
            async with aclosing(self._chunks(made.sendings)) as chunks:
                async for chunk in chunks:
                    if self._rate is not None:
                        await asyncio.sleep(max(began + sent / self._rate - self._monotonic(), 0))
                    for part in await self._sent(writer, run, chunk, counts):
                        progress.outcomes += part
                        told(len(part))
                    sent += len(chunk)
        return made

    async def _refuse(
        self, writer: TransactionalWriter, run: Run, refusals: Sequence[Refusal], progress: Progress
    ) -> None:
        outcomes = [run.outcome(each.case, "refused", each.count, each.reason) for each in refusals]
        known = {before.event_id for each in refusals for before in each.case.outcomes}
        await write_outcomes(writer, self._codec, [each for each in outcomes if each.event_id not in known])
        progress.outcomes += outcomes

    async def _chunks(self, sendings: Sequence[Sending]) -> AsyncGenerator[list[tuple[Sending, DeadLetter]], None]:
        """Read the letters again, with their values, in the order of their topic."""
        wanted = {each.letter_id: each for each in sendings}
        most = CHUNK_RECORDS
        if self._rate is not None:
            most = max(1, min(most, int(self._rate / CHUNKS_PER_S)))
        chunk: list[tuple[Sending, DeadLetter]] = []
        size = 0
        if not wanted:
            return
        async with aclosing(read_letters(self._cluster, self._registry)) as letters:
            async for letter in letters:
                sending = wanted.pop(letter.event_id, None)
                if sending is None:
                    continue
                chunk.append((sending, letter))
                size += sending.cases[0].bytes
                if len(chunk) >= most or size >= CHUNK_BYTES:
                    yield chunk
                    chunk, size = [], 0
                if not wanted:
                    break
        if chunk:
            yield chunk

    async def _sent(
        self,
        writer: TransactionalWriter,
        run: Run,
        chunk: Sequence[tuple[Sending, DeadLetter]],
        counts: dict[str, int],
    ) -> list[list[DeadOutcome]]:
        """Send a chunk, all or none; where the broker refuses one of them, each for itself."""
        try:
            return [await self._sent_together(writer, run, chunk, counts)]
        except RecordFault as fault:
            if len(chunk) > 1:
                return [part for each in chunk for part in await self._sent(writer, run, [each], counts)]
            sending, _ = chunk[0]
            refused = [run.outcome(each, "refused", sending.count, str(fault)) for each in sending.cases]
            await write_outcomes(writer, self._codec, refused)
            return [refused]

    async def _sent_together(
        self,
        writer: TransactionalWriter,
        run: Run,
        chunk: Sequence[tuple[Sending, DeadLetter]],
        counts: dict[str, int],
    ) -> list[DeadOutcome]:
        async with writer.transaction():
            places = await writer.write([record_of(letter, sending, counts) for sending, letter in chunk])
            outcomes = [
                run.outcome(case, "sent", sending.count, None, (int(place.partition), int(place.offset)))
                for (sending, _), place in zip(chunk, places, strict=True)
                for case in sending.cases
            ]
            await writer.write(_outcome_records(self._codec, outcomes))
        return outcomes


async def drop(
    cluster: Cluster,
    registry: SchemaRegistry,
    selection: Selection,
    reason: str,
    requested_by: str,
) -> list[DeadOutcome]:
    """Mark the open letters that are meant as dropped: nothing is to be done about them. Returns the outcomes.

    Raises:
        Fenced: another run has begun.
        Unavailable: the broker or the registry is away.
    """
    async with TransactionalWriter(cluster, WRITER) as writer:
        await writer.open()
        meant = [
            case
            for case in await read_cases(cluster, registry)
            if case.settled_by is None and selection.holds(case.letter)
        ]
        run = Run(selection, requested_by, len(meant))
        outcomes = [run.outcome(case, "dropped", 0, reason) for case in meant]
        await write_outcomes(writer, RowCodec(registry), outcomes)
        return outcomes


async def write_outcomes(writer: TransactionalWriter, codec: RowCodec, outcomes: Sequence[DeadOutcome]) -> None:
    """Write outcomes, `CHUNK_RECORDS` in a transaction."""
    for start in range(0, len(outcomes), CHUNK_RECORDS):
        async with writer.transaction():
            await writer.write(_outcome_records(codec, outcomes[start : start + CHUNK_RECORDS]))


def _outcome_records(codec: RowCodec, outcomes: Sequence[DeadOutcome]) -> list[RawRecord]:
    topic = topic_named(OUTCOMES)
    with schema_faults():
        return [RawRecord(OUTCOMES, 0, each.letter_id.encode(), codec.encode(topic, each)) for each in outcomes]


def record_of(letter: DeadLetter, sending: Sending, counts: dict[str, int]) -> RawRecord:
    """Return the record of a letter as it was, at its own time, in its own partition, and two headers more.

    Where its topic has fewer partitions now it goes where its key goes.
    """
    partition, count = letter.source_partition, counts[letter.source_topic]
    if partition >= count:
        partition = any_partition(count) if letter.key is None else partition_of(letter.key, count)
    kept = [each for each in letter.headers if each.name not in (REDRIVE_OF, REDRIVE_COUNT)]
    ours = [
        Header(name=REDRIVE_OF, value=letter.event_id.encode()),
        Header(name=REDRIVE_COUNT, value=str(sending.count).encode()),
    ]
    return RawRecord(
        letter.source_topic,
        partition,
        letter.key,
        letter.value,
        [*kept, *ours],
        round(letter.source_timestamp.timestamp() * 1000),
    )


async def _partitions_of(cluster: Cluster, cases: Sequence[Case]) -> dict[str, int]:
    """Return the number of partitions of the topics that letters came from, without those that are gone."""
    topics = sorted({case.letter.source_topic for case in cases})
    return await those_there(cluster, topics) if topics else {}


def _there(counts: Iterable[str], cases: Iterable[Case], selection: Selection, registry: SchemaRegistry) -> There:
    """Return what is there to send the open letters of a selection to.

    Raises:
        Unavailable: the registry does not answer.
    """
    known = {topic.name: topic for topic in CATALOGUE}
    meant = [each for each in cases if each.settled_by is None and selection.holds(each.letter)]
    ids = {each.schema_id for each in meant if each.schema_id is not None and each.letter.source_topic in known}
    lost = dict[int | None, str]()
    for schema_id in sorted(ids):
        try:
            with schema_faults():
                registry.writer_schema(schema_id)
        except SettingsError as error:
            spent = isinstance(error.__cause__, LookupsSpent)
            lost[schema_id] = str(error) if spent else "the registry does not know"
    return There({name: known.get(name) for name in counts}, lost)
