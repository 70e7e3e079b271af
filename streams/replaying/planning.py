"""A selection becomes bounds, once: for each partition the first offset and the one behind the last.

They stand in the run, so that whoever goes on with it reads the same; what the log has lost since is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from schemas.records import LogPosition
from streams.engine.batch import TopicPartition
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import LogReader
from streams.kafka.topic_ids import TopicNow
from streams.replaying.last_records import starts_of_last
from streams.replaying.selection import BadSelection, Selection, moment_text

Whole = Mapping[TopicPartition, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read: a position for each partition that holds any of it, and the ids of the topics (None: not known).

    `notes` are what is to be known of it, a sentence each: parts of the selection that the log no longer holds.
    """

    positions: tuple[LogPosition, ...]
    topic_ids: Mapping[str, str | None]
    notes: tuple[str, ...] = ()

    @property
    def offsets(self) -> int:
        """Return how many offsets are to be read: never fewer than there are records."""
        return sum(each.end - each.next for each in self.positions)


async def resolve(cluster: Cluster, selection: Selection) -> Plan:
    """Return what the log holds of a selection now.

    Raises:
        BadSelection: it has no such topic, partition or range; the message says what there is.
        Unavailable: the broker is away.
    """
    async with LogReader(cluster) as reader:
        shapes = await reader.topics_now(selection.topics)
        sources = _sources(selection, shapes)
        whole = await reader.whole(sources)
        bounds = await _bounds(reader, selection, whole)
        if selection.last is not None:
            starts = await starts_of_last(reader, bounds, selection.keys, selection.last)
            bounds = {source: (starts[source], end) for source, (_, end) in bounds.items()}
        held = {source: (start, end) for source, (start, end) in bounds.items() if start < end}
        if not held:
            raise BadSelection(f"nothing to read: {await _held(reader, whole)}")
        notes = await _expired(reader, selection, whole)
    positions = tuple(position(source, start, end) for source, (start, end) in sorted(held.items()))
    return Plan(positions, {name: shapes[name].topic_id for name in selection.topics}, notes)


async def still_there(cluster: Cluster, plan: Plan) -> Plan:
    """Return a plan as the log can still give it, with a note for each partition that has lost some of it since.

    Raises:
        BadSelection: a topic is gone, was made again, or ends before the plan does: its offsets mean other records.
        Unavailable: the broker is away.
    """
    async with LogReader(cluster) as reader:
        shapes = await reader.topics_now(plan.topic_ids)
        for name, known in plan.topic_ids.items():
            _require_same(name, known, shapes.get(name))
        sources = [TopicPartition(each.topic, each.partition) for each in plan.positions]
        return now_of(plan, await reader.whole(sources))


def now_of(plan: Plan, whole: Whole) -> Plan:
    """Return the plan within what the logs hold now; raises BadSelection where one ends before the plan does."""
    positions, notes = [], list[str]()
    for each in plan.positions:
        first, end = whole[TopicPartition(each.topic, each.partition)]
        place = f"{each.topic}/{each.partition}"
        if end < each.end:
            raise BadSelection(
                f"{place} ends at offset {end:,} now, the run reads up to {each.end:,}: the topic was made again or "
                "lost records. Begin a new run with --again"
            )
        if first > each.next and each.next < each.end:
            gone = min(first, each.end) - each.next
            notes.append(f"{place} has lost {gone:,} offsets of the run, from {each.next:,} on: they can't be read")
            positions.append(replace(each, next=each.next + gone))
        else:
            positions.append(each)
    return Plan(tuple(positions), plan.topic_ids, tuple(notes))


def _require_same(name: str, known: str | None, now: TopicNow | None) -> None:
    if now is None:
        raise BadSelection(f"topic {name} is gone; what was read of it stays, the run can't go on")
    if now.is_another_than(TopicNow(known, now.partitions)):
        raise BadSelection(
            f"topic {name} was made again since the run began: its offsets mean other records now. "
            "Begin a new run with --again"
        )


def _sources(selection: Selection, shapes: Mapping[str, TopicNow]) -> list[TopicPartition]:
    for name in selection.topics:
        if name not in shapes:
            raise BadSelection(f"there is no topic {name}; `threads-agent topics list` shows those there are")
        count = shapes[name].partitions
        missing = [each for each in selection.partitions if each >= count]
        if missing:
            raise BadSelection(f"{name} has no partition {missing[0]}: it has 0 to {count - 1}")
    sources = [
        TopicPartition(name, number)
        for name in selection.topics
        for number in sorted(set(selection.partitions)) or range(shapes[name].partitions)
    ]
    if selection.has_offsets and len(sources) > 1:
        raise BadSelection(
            f"offsets are of one partition: {selection.topics[0]} has {len(sources)}, name one with --partition"
        )
    return sources


async def _bounds(reader: LogReader, selection: Selection, whole: Whole) -> dict[TopicPartition, tuple[int, int]]:
    bounds = dict(whole)
    if selection.has_offsets:
        [source] = whole
        bounds[source] = await _by_offsets(reader, selection, source, whole)
    if selection.since_ms is not None:
        found = await reader.at_time(list(whole), selection.since_ms)
        bounds = {source: (max(start, _or(found[source], end)), end) for source, (start, end) in bounds.items()}
    if selection.until_ms is not None:
        found = await reader.at_time(list(whole), selection.until_ms)
        bounds = {source: (start, min(_or(found[source], end), end)) for source, (start, end) in bounds.items()}
    return bounds


async def _by_offsets(reader: LogReader, selection: Selection, source: TopicPartition, whole: Whole) -> tuple[int, int]:
    first, end = whole[source]
    start = first if selection.from_offset is None else selection.from_offset
    stop = end if selection.to_offset is None else selection.to_offset
    if first <= start < end and stop <= end and start < stop:
        return start, stop
    raise BadSelection(f"there are no offsets {start:,} to {stop:,}: {await _held(reader, whole)}")


async def _held(reader: LogReader, whole: Whole) -> str:
    """Say what logs hold: offsets, and the time of the first record."""
    held = {source: bounds for source, bounds in whole.items() if bounds[0] < bounds[1]}
    if not held:
        return f"{', '.join(sorted({source.topic for source in whole}))} holds no records"
    times = await reader.times_at((source, first) for source, (first, _) in held.items())
    said = []
    for source, (first, end) in sorted(held.items())[:6]:
        begun = times.get((source, first))
        since = "" if begun is None else f" since {moment_text(begun)}"
        said.append(f"{source.topic}/{source.partition} has offsets {first:,} to {end - 1:,}{since}")
    more = len(held) - len(said)
    return "; ".join(said) + (f"; and {more} partitions more" if more else "")


async def _expired(reader: LogReader, selection: Selection, whole: Whole) -> tuple[str, ...]:
    """Return a note for each partition that once held earlier records, where the selection would have had them."""
    if selection.has_offsets or selection.last is not None:
        return ()
    begun = {source: first for source, (first, end) in whole.items() if 0 < first < end}
    times = await reader.times_at(begun.items()) if begun else {}
    notes = []
    for source, first in sorted(begun.items()):
        time_ms = times.get((source, first))
        if time_ms is None or selection.since_ms is None or selection.since_ms < time_ms:
            at = "" if time_ms is None else f" of {moment_text(time_ms)}"
            notes.append(f"{source.topic}/{source.partition} begins at offset {first:,}{at}: what was before is gone")
    return tuple(notes)


def _or(offset: int | None, end: int) -> int:
    return end if offset is None else offset


def position(source: TopicPartition, start: int, end: int) -> LogPosition:
    """Return a position at the start of a range."""
    return LogPosition(topic=source.topic, partition=source.partition, start=start, next=start, end=end)
