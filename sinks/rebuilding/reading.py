"""The log from where a version stands to its end, replayed into a store; how far it is, is kept with the version."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from schemas.catalogue import topic_named
from schemas.records import LogPosition
from sinks.replaying.watching import watching
from streams.engine.batch import Batch, TopicPartition
from streams.engine.decoding import Decoder
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.kafka.hidden import NOTHING
from streams.kafka.log_reader import LogReader, hidden_now
from streams.kafka.topics import partition_counts
from streams.operations.runs import ToldRun
from streams.replaying.replay import Replay
from streams.replaying.selection import BadSelection
from streams.replaying.target import ReplayTarget
from streams.replaying.writing import Chunk, IntoTarget


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a partition is written: `next` is the offset to go on at, `first` the first that its log still has."""

    topic_id: str | None
    first: int
    next: int
    end: int


_BUILD_ANEW = "build a new version: `rebuild postgres --afresh`, or `rebuild qdrant`, which always does"
Reached = Mapping[TopicPartition, Reach]
Keep = Callable[[Reached], Awaitable[None]]
"""Makes durable how far a version is written, after what was written is."""


class LogChanged(ThreadsError):
    """The log is another than the one that a version was built from."""


class LogIntoVersion:
    """Writes the topics of a store from where a version stands to their ends, again and again until it is near.

    What is away is tried again for a while. Of records that the log loses meanwhile `remark` hears.
    """

    def __init__(
        self, cluster: Cluster, store: ReplayTarget, told: ToldRun, keep: Keep, rate: float | None = None
    ) -> None:
        """Nothing is read yet; `told` is told the counts, `rate` is how many records a second at most."""
        self._cluster = cluster
        self._topics = store.topics
        self._hidden = NOTHING
        self._told = told
        self._writing = _IntoVersion(
            store, Decoder(cluster.open_registry(), cluster.settings, lambda: self._hidden), self._write
        )
        self._keep = keep
        self._rate = rate
        self.reached: Reached = {}

    async def look(self, known: Reached | None = None) -> int:
        """Look where the topics begin and end now; return how many offsets are between there and what is known.

        Raises:
            LogChanged: a topic was made again since.
            Unavailable: the broker or a topic is away.
        """
        self._hidden = await hidden_now(self._cluster)
        self.reached = await reach_of(self._cluster, self._topics, known or self.reached)
        return distance(self.reached)

    async def catch_up(self, remark: Callable[[str], None], bar: str | None = None) -> None:
        """Write everything up to the ends that the last `look` found; `bar` is the title of a bar on stderr.

        Raises:
            LogChanged: a topic was made again, or is gone.
            Unavailable: the broker or the store is away; what was written is kept, and the next run goes on there.
        """
        positions = positions_of(self.reached)
        if not positions:
            await self._keep(self.reached)
            return
        await self._told.progress(positions=positions)
        topic_ids = {source.topic: each.topic_id for source, each in self.reached.items()}
        with watching(bar, self._told.run) if bar else nullcontext() as watch:
            replay = Replay(
                self._cluster,
                self._writing,
                rate=self._rate,
                remark=watch.remark if watch else remark,
                on_progress=watch.on_progress if watch else lambda _: None,
            )
            try:
                await replay.run(self._told, topic_ids)
            except BadSelection as error:
                raise LogChanged(f"{str(error).split('. Begin')[0]}; {_BUILD_ANEW}") from error
        await self._write({source: each.end for source, each in self.reached.items()})  # also what was known before

    async def _write(self, nexts: Mapping[TopicPartition, int]) -> None:
        moved = {source: replace(self.reached[source], next=offset) for source, offset in nexts.items()}
        self.reached = {**self.reached, **moved}
        await self._keep(self.reached)


class _IntoVersion(IntoTarget):
    """Writes chunks into a target, and keeps how far it is before that is told."""

    def __init__(
        self, store: ReplayTarget, decoder: Decoder, keep: Callable[[Mapping[TopicPartition, int]], Awaitable[None]]
    ) -> None:
        super().__init__(store, decoder)
        self._store = store
        self._keep_nexts = keep

    async def write(self, chunk: Chunk[Batch], told: ToldRun) -> None:
        if chunk.items:
            await self._store.write(chunk.items)
        await self._keep_nexts(chunk.nexts)
        await told.progress(**chunk.after(told))


async def reach_of(cluster: Cluster, topics: Sequence[str], known: Reached) -> Reached:
    """Return how far each partition of the topics is written, given what is known of some, and where it ends now.

    Raises:
        LogChanged: a topic was made again since.
        Unavailable: the broker or a topic is away.
    """
    counts = await partition_counts(cluster, topics)
    async with LogReader(cluster) as reader:
        shapes = await reader.topics_now(topics)
        sources = [TopicPartition(topic, number) for topic in topics for number in range(counts[topic])]
        whole = await reader.whole(sources)
    return {
        source: gone_on(source, known.get(source), shapes[source.topic].topic_id, *whole[source]) for source in sources
    }


def gone_on(source: TopicPartition, before: Reach | None, topic_id: str | None, first: int, end: int) -> Reach:
    """Return where to go on in a log from `first` to before `end`; what retention took meanwhile is passed over.

    Raises:
        LogChanged: it is not the log that `before` is of.
    """
    if before is None:
        return Reach(topic_id, first, first, end)
    if before.next > end or (None not in (topic_id, before.topic_id) and topic_id != before.topic_id):
        raise LogChanged(
            f"topic {source.topic} was made again since the version was begun: `--afresh` builds a new one"
        )
    return Reach(topic_id, first, max(before.next, first), end)


def positions_of(reached: Reached) -> tuple[LogPosition, ...]:
    """Return what is left to read, as a run tells it."""
    return tuple(
        LogPosition(topic=source.topic, partition=source.partition, start=each.next, next=each.next, end=each.end)
        for source, each in sorted(reached.items())
        if each.next < each.end
    )


def distance(reached: Reached) -> int:
    """Return how many offsets are left; compaction makes it an upper bound of the records."""
    return sum(each.end - each.next for each in reached.values())


def is_compacted(topic: str) -> bool:
    """Tell whether records of a topic may be gone from the middle of its log."""
    return topic_named(topic).compacted


def by_topic(reached: Reached) -> Iterator[tuple[str, int, int]]:
    """Yield each topic with how many offsets its log holds, and how many of them are left to read."""
    for topic in sorted({source.topic for source in reached}):
        of_topic = [each for source, each in reached.items() if source.topic == topic]
        yield topic, sum(each.end - each.first for each in of_topic), sum(each.end - each.next for each in of_topic)
