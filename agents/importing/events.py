"""Events of a block: one for each count that changes, a post for each distinct post_id, to Kafka in whole batches."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import compress

import polars as pl

from agents.importing.decisions.known_counts import TOTAL, decode_frame
from agents.importing.row_block import RowBlock, RowFault
from agents.importing.sources.source import Unit
from schemas.catalogue import Topic, topic_named
from schemas.codec.column_encoder import Column, Constant, Values
from schemas.codec.column_writer import ColumnWriter
from schemas.records import ImportProgress
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.errors import RecordFault
from streams.identity import derived_id
from streams.kafka.producer import EventProducer, Pair, partition_of
from streams.kafka.record_size import check_size, record_limit
from streams.settings import Settings
from streams.validation import schema_faults

ENGAGEMENT = topic_named("engagement.events")
POSTS = topic_named("posts.published")
POSTS_REMEMBERED = 200_000  # a post that comes again after so many others is sent again, with the same event_id

IsPublished = Callable[[str, str], bool]
"""Tells whether a persona's post is published already."""
KEYS_KEPT = 65_536
BACKFILLED = Constant(value=True)  # what is imported is history: it counts where it belongs and raises no alert
_BASIS = (
    pl.when(pl.col("number") == TOTAL)
    .then(pl.lit("total"))
    .otherwise(pl.when("fresh").then(pl.lit("event")).otherwise(pl.lit("correction")))
)


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Records of one topic as columns; `keys` and `lines` are the record key and the line of the file of each.

    `unit` is what lines are counted in.
    """

    topic: Topic
    columns: Mapping[str, Column]
    keys: Sequence[str]
    lines: Sequence[int]
    unit: Unit = "line"

    def ids(self) -> list[str]:
        """Return the event ids."""
        return list(self._values("event_id"))

    def posts(self) -> list[tuple[str, str]]:
        """Return persona and post of each record."""
        return list(zip(self.keys, self._values("post_id"), strict=True)) if self.keys else []

    def kept(self, good: Sequence[bool]) -> EventColumns:
        """Return the records of a mask."""
        columns = {
            name: column if isinstance(column, Constant) else list(compress(column, good))
            for name, column in self.columns.items()
        }
        return replace(
            self, columns=columns, keys=list(compress(self.keys, good)), lines=list(compress(self.lines, good))
        )

    def _values(self, name: str) -> Values:
        column = self.columns[name]
        assert not isinstance(column, Constant), f"expected a column {name}, got one value for all"
        return column


@dataclass(frozen=True, slots=True)
class Origin:
    """What all events of a ledger entry have in common; `base` is its offset, None where every count is a first one."""

    source_key: str
    source: str
    simulated: bool
    shift_ms: int = 0
    base: int | None = None

    def event_ids(self, changes: pl.DataFrame) -> list[str]:
        """Return the ids of events: of a row and kind, and where the count was known before, of the entry and slot."""
        key, base = self.source_key, str(self.base)
        names = ("row", "kind", "fresh", "at_ms", "number")
        return [
            derived_id(key, str(row), kind) if fresh else derived_id(key, str(row), kind, base, str(at_ms), str(number))
            for row, kind, fresh, at_ms, number in zip(*(changes[name].to_list() for name in names), strict=True)
        ]


def engagement_columns(changes: pl.DataFrame, origin: Origin, lines: Mapping[int, int]) -> EventColumns:
    """Return an event for every change that is not zero; `lines` are those of the file by row, for messages."""
    changes = changes.filter(pl.col("change") != 0)
    keys = changes["persona_id"].to_list()
    columns: dict[str, Column] = {
        "event_id": origin.event_ids(changes),
        "occurred_at": changes["at_ms"].to_numpy() + origin.shift_ms,
        "persona_id": keys,
        "post_id": changes["post_id"].to_list(),
        "kind": changes["kind"].to_list(),
        "count": changes["change"].to_numpy(),
        "source": Constant(origin.source),
        "simulated": Constant(origin.simulated),
        "basis": changes.select(_BASIS).to_series().to_list(),
        "backfilled": BACKFILLED,
    }
    return EventColumns(ENGAGEMENT, columns, keys, [lines.get(row, 0) for row in changes["row"].to_list()])


def entry_columns(entry: ImportProgress) -> EventColumns:
    """Return the engagement events that follow from a ledger entry, the same whenever they are made."""
    origin = Origin(entry.source, entry.event_source, entry.simulated, entry.shift_ms, entry.base)
    return engagement_columns(decode_frame(entry.counts), origin, {})


class EventMaker:
    """Make the events of one file; the same row gives the same events, in any run."""

    def __init__(
        self,
        *,
        source_key: str,
        source: str,
        simulated: bool,
        post_key: str | None = None,
    ) -> None:
        """Take the identity of the reading; `source` is what the events name as theirs.

        `post_key` is what posts with the same id have in common, None for those of this file alone.
        """
        self._source_key = source_key
        self._post_key = post_key
        self._source = source
        self._simulated = simulated
        self._posts: OrderedDict[tuple[str, str], None] = OrderedDict()

    def engagement(self, block: RowBlock, changes: pl.DataFrame, base: int | None = None) -> EventColumns:
        """Return an event for every change, in their order; `base` is the offset of the entry that decides them."""
        origin = Origin(self._source_key, self._source, self._simulated, block.shift_ms, base)
        events = engagement_columns(changes, origin, dict(zip(block.numbers, block.lines, strict=True)))
        return replace(events, unit=block.unit)

    def posts(self, block: RowBlock, is_published: IsPublished | None = None) -> EventColumns:
        """Return the posts that the block is the first to name, where the file has posts with a text and a time."""
        ids, texts, personas = block.post_ids, block.texts, block.persona_ids
        if ids is None or texts is None:
            ids, texts = (), ()
        first = [
            row
            for row, post_id in enumerate(ids)
            if block.timed[row]
            and not self._seen(personas[row], post_id)
            and not (is_published is not None and is_published(personas[row], post_id))
        ]
        keys = [personas[row] for row in first]
        columns: dict[str, Column] = {
            "event_id": [self._post_event_id(personas[row], ids[row]) for row in first],
            "occurred_at": block.occurred_ms[first],
            "persona_id": keys,
            "post_id": [ids[row] for row in first],
            "text": [texts[row] for row in first],
            "source": Constant(self._source),
            "simulated": Constant(self._simulated),
            "backfilled": BACKFILLED,
        }
        return EventColumns(POSTS, columns, keys, [block.lines[row] for row in first], block.unit)

    def _post_event_id(self, persona_id: str, post_id: str) -> str:
        if self._post_key is None:
            return derived_id(self._source_key, "post", post_id)
        return derived_id("imported post", self._post_key, persona_id, post_id)

    def _seen(self, persona_id: str, post_id: str) -> bool:
        post = (persona_id, post_id)
        if post in self._posts:
            self._posts.move_to_end(post)
            return True
        self._posts[post] = None
        if len(self._posts) > POSTS_REMEMBERED:
            self._posts.popitem(last=False)
        return False


@dataclass(frozen=True, slots=True)
class EncodedBlock:
    """What a block appends to each partition, and by line the rows that were refused because a record is too large."""

    pairs: Mapping[TopicPartition, Sequence[Pair]]
    refused: Mapping[int, RowFault]

    @property
    def records(self) -> int:
        """Return how many records it appends."""
        return sum(map(len, self.pairs.values()))

    def of_topic(self, topic: str) -> EncodedBlock:
        """Return what it appends to one topic."""
        pairs = {target: pairs for target, pairs in self.pairs.items() if target.topic == topic}
        return EncodedBlock(pairs, self.refused)


class BlockWriter:
    """Encode events and append them, partitioned by key as Kafka's Java clients do."""

    def __init__(
        self, producer: EventProducer, registry: SchemaRegistry, settings: Settings, partitions: Mapping[str, int]
    ) -> None:
        """Write through `producer`; `partitions` says how many each topic has."""
        self._producer = producer
        self._settings = settings
        self._partitions = partitions
        self._columns = ColumnWriter(registry)

    def encode(self, groups: Sequence[EventColumns]) -> EncodedBlock:
        """Encode the events of a block; where one of a row is too large for its topic, all of the row are left out.

        Raises:
            Unavailable: the registry does not answer.
            SettingsError: the registry lacks a schema.
        """
        encoded = [(each, self._values(each)) for each in groups if each.lines]
        refused: dict[int, RowFault] = {}
        for events, values in encoded:
            refused |= self._too_large(events, values)
        pairs: dict[TopicPartition, list[Pair]] = {}
        for events, values in encoded:
            name, count = events.topic.name, self._partitions[events.topic.name]
            for key, value, line in zip(events.keys, values, events.lines, strict=True):
                if line not in refused:
                    target, key_bytes = _placed(name, key, count)
                    pairs.setdefault(target, []).append((key_bytes, value))
        return EncodedBlock(pairs, refused)

    async def append(self, block: EncodedBlock) -> None:
        """Append a block and wait for every acknowledgement.

        Raises:
            Unavailable: the broker does not answer; some may have arrived.
        """
        await asyncio.gather(*(self._producer.append_raw(*target, pairs) for target, pairs in block.pairs.items()))

    def _values(self, events: EventColumns) -> list[bytes]:
        with schema_faults():
            return self._columns.encode(events.topic, events.columns)

    def _too_large(self, events: EventColumns, values: Sequence[bytes]) -> dict[int, RowFault]:
        limit = record_limit(events.topic.name, self._settings)
        if max(map(len, values)) + 4 * max(map(len, events.keys)) <= limit:  # UTF-8 takes 4 bytes a letter at most
            return {}
        faults = {}
        for key, value, line in zip(events.keys, values, events.lines, strict=True):
            try:
                check_size(events.topic.name, len(key.encode()) + len(value), self._settings)
            except RecordFault as fault:
                faults[line] = RowFault(line, f"{events.unit} {line}: {fault}")
        return faults


@lru_cache(maxsize=KEYS_KEPT)
def _placed(topic: str, key: str, partitions: int) -> tuple[TopicPartition, bytes]:
    encoded = key.encode()
    return TopicPartition(topic, partition_of(encoded, partitions)), encoded
