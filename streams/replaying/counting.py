"""What a replay would read: counted by reading it, or said as a bound where it is much; with some records decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from schemas.records import Record
from streams.engine.batch import ColumnBatch, FetchedRecord, Slice, TopicPartition, weigh
from streams.engine.decoding import Decoder
from streams.kafka.cluster import Cluster
from streams.replaying.planning import Plan
from streams.replaying.reading import Remark, read_plan

COUNTED_OFFSETS = 2_000_000  # more are not read only to be counted
SAMPLES = 3


@dataclass(slots=True)
class Counted:
    """Records by partition; where it is not `exact` there may be fewer. `samples` are decoded, or say what is bad."""

    records: Counter[TopicPartition] = field(default_factory=Counter)
    exact: bool = True
    samples: list[tuple[TopicPartition, int, Mapping[str, object] | str]] = field(default_factory=list)


async def counted(cluster: Cluster, decoder: Decoder, plan: Plan, keys: Sequence[str], remark: Remark) -> Counted:
    """Return how many records of the keys (of all, without any) a plan has, and a few of each topic.

    Raises:
        BadSelection: a topic was made again meanwhile.
        Unavailable: the broker is away.
    """
    wanted, found = {key.encode() for key in keys}, Counted()
    found.exact = bool(wanted) or plan.offsets <= COUNTED_OFFSETS
    for each in plan.positions:
        found.records[TopicPartition(each.topic, each.partition)] = 0 if found.exact else each.end - each.next
    missing = dict.fromkeys(plan.topic_ids, SAMPLES)
    async with aclosing(read_plan(cluster, plan, remark)) as blocks:
        async for block in blocks:
            meant = [each for each in block.records if not wanted or each.key in wanted]
            if found.exact:
                found.records[block.source] += len(meant)
            some = meant[: missing[block.source.topic]]
            missing[block.source.topic] -= len(some)
            found.samples += [(block.source, each.offset, _decoded(decoder, block.source, each)) for each in some]
            if not found.exact and not any(missing.values()):
                break
    return found


def _decoded(decoder: Decoder, source: TopicPartition, record: FetchedRecord) -> Mapping[str, object] | str:
    decoded = decoder.decode(Slice(source, [record], after=None, size_bytes=weigh([record])))
    if decoded.batch is None:
        return f"can't be decoded: {decoded.rejections[0].fault}"
    if isinstance(decoded.batch, ColumnBatch):
        return decoded.batch.frame.drop("offset").row(0, named=True)
    return _rendered(decoded.batch.rows[0].record)


def _rendered(record: Record) -> Mapping[str, object]:
    from streams.json_records import render_record  # noqa: PLC0415

    return render_record(record)
