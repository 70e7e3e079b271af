"""The records of a plan, block by block: by the ids of the topics, so that no other log is read under their names."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from streams.engine.batch import FetchedRecord, TopicPartition
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import LogReader
from streams.replaying.planning import Plan, still_there

Remark = Callable[[str], None]
"""Is told what is to be known of a run, a sentence at a time."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive records of a partition, as many as were fetched together; `next` is the offset behind them."""

    source: TopicPartition
    records: Sequence[FetchedRecord]
    next: int


async def read_plan(cluster: Cluster, plan: Plan, remark: Remark) -> AsyncGenerator[Block, None]:
    """Yield the records from the plan's positions to their ends; what the log loses meanwhile is remarked.

    Raises:
        BadSelection: a topic was made again, or is gone.
        Unavailable: the broker is away, or gave nothing within the io time-out.
    """
    plan = await still_there(cluster, plan)
    for note in plan.notes:
        remark(note)
    bounds = {TopicPartition(each.topic, each.partition): (each.next, each.end) for each in plan.positions}
    expected = {source: start for source, (start, _) in bounds.items()}
    async with LogReader(cluster) as reader:
        shapes = await reader.topics_now(plan.topic_ids)
        try:
            async with aclosing(reader.read(bounds, shapes)) as blocks:
                async for source, records in blocks:
                    if records[0].offset > expected[source]:
                        await _remark_loss(reader, source, expected[source], records[0].offset, remark)
                    expected[source] = records[-1].offset + 1
                    yield Block(source, records, expected[source])
        except Unavailable:
            await still_there(cluster, _at(plan, expected))  # a topic that was made again says so
            raise


async def _remark_loss(reader: LogReader, source: TopicPartition, expected: int, found: int, remark: Remark) -> None:
    """Remark a hole that is none of compaction's: the log begins behind what was to be read next."""
    first = (await reader.whole([source]))[source][0]
    if first > expected:
        remark(
            f"{source.topic}/{source.partition} lost {min(first, found) - expected:,} offsets from {expected:,} on "
            "while it was read: they can't be read"
        )


def _at(plan: Plan, expected: dict[TopicPartition, int]) -> Plan:
    moved = (replace(each, next=expected[TopicPartition(each.topic, each.partition)]) for each in plan.positions)
    return replace(plan, positions=tuple(moved))
