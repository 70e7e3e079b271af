"""The replay target `kpis`: a selection folded into counters of its own; its KPIs are shown at the end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import click
import polars as pl

from agents.kpis.counters import SOURCE_TOPICS
from agents.kpis.hour_fold import with_times_of
from agents.kpis.replaying.kept import KeptFold
from agents.kpis.replaying.shown import detail, kpi_table
from schemas.codec.columns import ColumnCodec
from streams.cli.table import table_lines, terminal_columns
from streams.engine.batch import Batch, ColumnBatch, FetchedRecord, TopicPartition
from streams.engine.decoding import Decoder
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import read_offsets
from streams.letters.refused import RefusedRecords
from streams.operations.runs import ToldRun
from streams.replaying.writing import Chunk, Decoding, Prepared
from streams.settings import Settings
from streams.state.duplicates import DuplicateFilter

ROLE = "kpis"
CHUNK_RECORDS = 200_000


class KpiTarget:
    """KPIs of a selection, beside the live ones, which stay as they are."""

    topics = SOURCE_TOPICS

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._into: IntoKpis | None = None

    def writing(self, decoder: Decoder) -> IntoKpis:
        """Return what writes records with the times at which the log took them."""
        self._into = IntoKpis(decoder, self._settings)
        return self._into

    async def open(self) -> None:
        """Do nothing: the state is that of a run, which is not known yet."""

    async def close(self) -> None:
        """Show the KPIs, where the run got to its end."""
        if self._into is not None:
            self._into.close()


class IntoKpis(Decoding):
    """Fold records into the state of their run; where it was broken off, go on from what is kept."""

    def __init__(self, decoder: Decoder, settings: Settings) -> None:
        super().__init__(decoder, chunk_records=CHUNK_RECORDS)
        self._settings = settings
        self._cluster = Cluster.of(settings)
        self._kept: KeptFold | None = None
        self._duplicates: dict[TopicPartition, DuplicateFilter] = {}
        self._lines: list[str] = []

    async def begin(self, told: ToldRun) -> None:
        """Take the state over as it was kept; raises ThreadsError where it is not that of the run's positions."""
        self.close()
        self._duplicates.clear()
        self._kept = kept = KeptFold(self._settings.home / "replays" / ROLE, told.run.run_id)
        for each in told.run.positions:
            kept_next = kept.nexts.get(TopicPartition(each.topic, each.partition), each.start)
            if kept_next < each.next:
                raise ThreadsError(
                    f"what run {told.run.run_id} had counted is not in {self._settings.home}: it was run elsewhere, or "
                    "its files are gone; begin a new run with --again"
                )
        await self._conclude(told)

    async def prepare(self, source: TopicPartition, records: Sequence[FetchedRecord]) -> Prepared[Batch]:
        prepared = await super().prepare(source, records)
        prepared.items = [with_times_of(each, records) for each in prepared.items if isinstance(each, ColumnBatch)]
        return prepared

    async def write(self, chunk: Chunk[Batch], told: ToldRun) -> None:
        """Fold a chunk; what is kept already is passed over."""
        assert self._kept is not None
        for source, batch in _by_source(chunk.items).items():
            fresh = batch.frame.filter(pl.col("offset") >= self._kept.nexts.get(source, 0))
            if len(fresh):
                await self._kept.folded.add(await self._counting(ColumnBatch(source, fresh)))
        self._kept.keep(chunk.nexts)
        await told.progress(**chunk.after(told))
        await self._conclude(told)

    async def _counting(self, batch: ColumnBatch) -> ColumnBatch:
        """Leave out repeated ids, as the live stage does: also those that stand before the selection."""
        duplicates = self._duplicates.get(batch.source)
        if duplicates is None:
            duplicates = self._duplicates[batch.source] = DuplicateFilter(
                batch.source,
                self._settings.duplicate_horizon,
                ColumnCodec(self._cluster.open_registry()),
                self._read_log,
                RefusedRecords(self._cluster, ROLE).of,
            )
            await duplicates.warm_up(int(batch.frame["offset"][0]))
        return duplicates.without_repetitions(batch)

    def _read_log(self, source: TopicPartition, start: int, end: int) -> AsyncIterator[Sequence[FetchedRecord]]:
        return read_offsets(self._cluster, source, start, end)

    async def _conclude(self, told: ToldRun) -> None:
        """Tell the KPIs when the run has everything."""
        assert self._kept is not None
        if any(each.next < each.end for each in told.run.positions):
            return
        figures, as_of_ms = list(self._kept.folded.figures()), self._kept.folded.clock.newest_ms
        fingerprint = self._kept.fingerprint()
        known = json.loads(told.run.detail or "{}")
        await told.tell(detail=json.dumps(known | detail(figures, as_of_ms, fingerprint)))
        self._lines = list(table_lines(kpi_table(figures, as_of_ms, fingerprint), terminal_columns()))
        self._kept.done()

    def close(self) -> None:
        """Let the state go, and print the KPIs to stderr: stdout is the run's."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        for line in self._lines:
            click.echo(line, err=True)
        self._lines = []


def _by_source(batches: Sequence[Batch]) -> dict[TopicPartition, ColumnBatch]:
    """Return the batches of each partition as one, in order."""
    frames = dict[TopicPartition, list[pl.DataFrame]]()
    for batch in batches:
        assert isinstance(batch, ColumnBatch)
        frames.setdefault(batch.source, []).append(batch.frame)
    return {source: ColumnBatch(source, pl.concat(each)) for source, each in frames.items()}
