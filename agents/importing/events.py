"""Events of a block: one engagement event for each count that changes, one post for each distinct post_id."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from agents.importing.decisions.change_columns import decode_changes
from agents.importing.decisions.known_counts import TOTAL, Change, CountKey, Slot
from agents.importing.rows import RowBlock
from schemas.catalogue import Topic, topic_named
from schemas.codec.column_encoder import Column, Constant, Values
from schemas.records import EngagementBasis, EngagementKind, ImportProgress
from streams.identity import derived_id

ENGAGEMENT = topic_named("engagement.events")
POSTS = topic_named("posts.published")
POSTS_REMEMBERED = 200_000  # a post that comes again after so many others is sent again, with the same event_id

IsPublished = Callable[[str, str], bool]
"""Tells whether a persona's post is published already."""


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Records of one topic as columns; `keys` and `lines` are the record key and the line of the file of each."""

    topic: Topic
    columns: Mapping[str, Column]
    keys: Sequence[str]
    lines: Sequence[int]

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
        return EventColumns(self.topic, columns, list(compress(self.keys, good)), list(compress(self.lines, good)))

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

    def event_id(self, change: Change) -> str:
        """Return the id of a change's event: of its row, and where the count was known before, of the entry too."""
        parts = [self.source_key, str(change.row), change.key.kind]
        return derived_id(*(parts if change.fresh else [*parts, str(self.base), *map(str, change.slot)]))


def engagement_columns(changes: Sequence[Change], origin: Origin, lines: Mapping[int, int]) -> EventColumns:
    """Return an event for every change that is not zero; `lines` are those of the file by row, for messages."""
    changes = [each for each in changes if each.change]
    keys = [each.key.persona_id for each in changes]
    columns: dict[str, Column] = {
        "event_id": list(map(origin.event_id, changes)),
        "occurred_at": [each.slot.at_ms + origin.shift_ms for each in changes],
        "persona_id": keys,
        "post_id": [each.key.post_id for each in changes],
        "kind": [each.key.kind for each in changes],
        "count": [each.change for each in changes],
        "source": Constant(origin.source),
        "simulated": Constant(origin.simulated),
        "basis": list(map(_basis, changes)),
    }
    return EventColumns(ENGAGEMENT, columns, keys, [lines.get(each.row, 0) for each in changes])


def entry_columns(entry: ImportProgress) -> EventColumns:
    """Return the engagement events that follow from a ledger entry, the same whenever they are made."""
    origin = Origin(entry.source, entry.event_source, entry.simulated, entry.shift_ms, entry.base)
    return engagement_columns(decode_changes(entry.counts, entry.channel), origin, {})


def _basis(change: Change) -> EngagementBasis:
    if change.slot.number == TOTAL:
        return "total"
    return "event" if change.fresh else "correction"


class EventMaker:
    """Make the events of one file; the same row gives the same events, in any run."""

    def __init__(
        self,
        kinds: Sequence[EngagementKind],
        *,
        source_key: str,
        source: str,
        simulated: bool,
        post_key: str | None = None,
    ) -> None:
        """Take the kinds of the blocks' counts; `source` is what the events name as theirs.

        `post_key` is what posts with the same id have in common, None for those of this file alone.
        """
        self._kinds = kinds
        self._source_key = source_key
        self._post_key = post_key
        self._source = source
        self._simulated = simulated
        self._posts: OrderedDict[tuple[str, str], None] = OrderedDict()

    def engagement(
        self, block: RowBlock, changes: Sequence[Change] | None = None, base: int | None = None
    ) -> EventColumns:
        """Return an event for every change, in their order; None means that nothing is known and every count is new.

        `base` is the offset of the ledger entry that decides them.
        """
        origin = Origin(self._source_key, self._source, self._simulated, block.shift_ms, base)
        changes = list(self._all_new(block)) if changes is None else changes
        return engagement_columns(changes, origin, dict(zip(block.numbers, block.lines, strict=True)))

    def _all_new(self, block: RowBlock) -> Iterator[Change]:
        for row, place in zip(*(each.tolist() for each in np.nonzero(block.counts)), strict=True):
            post_id = None if block.post_ids is None else block.post_ids[row]
            key = CountKey("", block.persona_ids[row], post_id, self._kinds[place])
            slot = Slot(int(block.occurred_ms[row]) - block.shift_ms, 0)
            count = int(block.counts[row, place])
            yield Change(key, slot, count, count, block.numbers[row], fresh=True)

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
        }
        return EventColumns(POSTS, columns, keys, [block.lines[row] for row in first])

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
