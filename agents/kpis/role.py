"""The kpis role: fold by source partition, merge by persona."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from agents.kpis.fold import FoldStage
from agents.kpis.merge import MergeStage
from agents.kpis.partial_log import read_partials
from schemas.records import KpiPartial
from streams.engine.batch import RowBatch, TopicPartition
from streams.engine.stage import AnyStage
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import log_bounds
from streams.role import Role
from streams.settings import Settings


def build(settings: Settings) -> Sequence[AnyStage]:
    async def partials(source: TopicPartition, start: int) -> AsyncIterator[RowBatch[KpiPartial]]:
        cluster = Cluster.of(settings)
        _, end = await log_bounds(cluster, source)
        async for batch in read_partials(cluster, source, start, end):
            yield batch

    return [FoldStage(settings.partitions), MergeStage(read_partials=partials)]


ROLE = Role("kpis", build)
