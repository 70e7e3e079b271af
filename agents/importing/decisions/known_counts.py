"""What is known of each post and kind from imports, folded from the ledger, and changes of it as bytes. Pure."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

TOTAL = -1
"""Number of the slot that takes what totals add; rows of new counts have slots from 0 on."""
CHANGE_COLUMNS = {
    "persona_id": pl.String,
    "post_id": pl.String,
    "kind": pl.String,
    "at_ms": pl.Int64,
    "number": pl.Int32,
    "value": pl.Int64,
    "change": pl.Int64,
    "row": pl.Int64,
    "fresh": pl.Boolean,
    "as_of_ms": pl.Int64,
}
_POSTS = {"persona_id": pl.String, "post_id": pl.String}


class CountKey(NamedTuple):
    """Identity of what is counted; `channel` tells sources apart, post_id None is the account itself."""

    channel: str
    persona_id: str
    post_id: str | None
    kind: str


class Slot(NamedTuple):
    """A booking: the time of its events, not shifted, and which of the rows of that time it is."""

    at_ms: int
    number: int


class PostKey(NamedTuple):
    """Identity of a post that an import published."""

    channel: str
    persona_id: str
    post_id: str


class Change(NamedTuple):
    """A decided count: the slot holds `value` from now on, which is `change` more than before.

    `row` is the number of the file's row, `fresh` whether the slot held nothing before, `as_of_ms` when the total was
    so.
    """

    key: CountKey
    slot: Slot
    value: int
    change: int
    row: int
    fresh: bool
    as_of_ms: int | None = None


@dataclass(slots=True)
class KnownCount:
    """What is known of one key: amounts by slot, which add up to its total.

    `as_of_ms` is of the newest total, `told_ms` when the last change was decided, `readings` who decided them.
    """

    slots: dict[Slot, int] = field(default_factory=dict)
    as_of_ms: int | None = None
    told_ms: int = 0
    readings: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        """Return what the key counts in all."""
        return sum(self.slots.values())

    def copy(self) -> KnownCount:
        """Return one that changes by itself."""
        return KnownCount(dict(self.slots), self.as_of_ms, self.told_ms, self.readings)


class KnownCounts:
    """All that imports have counted. A branch sees what its trunk knows and keeps changes to itself."""

    def __init__(self, trunk: KnownCounts | None = None) -> None:
        self._trunk = trunk
        self._counts: dict[CountKey, KnownCount] = {}
        self._posts: set[PostKey] = set()
        self._levels: set[tuple[str, str, str, bool]] = set()

    def branch(self) -> KnownCounts:
        """Return a view that can be changed without changing this; this must not change while it is used."""
        return KnownCounts(self)

    def of(self, key: CountKey) -> KnownCount | None:
        """Return what is known of a key, None where nothing is; not to be changed by the caller."""
        found = self._counts.get(key)
        return self._trunk.of(key) if found is None and self._trunk is not None else found

    def is_published(self, post: PostKey) -> bool:
        """Tell whether an import has published a post."""
        return post in self._posts or (self._trunk is not None and self._trunk.is_published(post))

    def publish(self, posts: Iterable[PostKey]) -> None:
        """Take note of published posts."""
        self._posts.update(posts)

    def apply(self, changes: Iterable[Change], reading: str, told_ms: int) -> None:
        """Take over changes in their order; `reading` is who decided them, `told_ms` when."""
        for change in changes:
            channel, persona_id, post_id, kind = change.key
            self._levels.add((channel, persona_id, kind, post_id is None))
            known = self._own(change.key)
            known.slots[change.slot] = change.value
            known.told_ms = max(known.told_ms, told_ms)
            if reading not in known.readings:
                known.readings |= {reading}
            if change.as_of_ms is not None:
                known.as_of_ms = max(known.as_of_ms or 0, change.as_of_ms)

    def added_up(self) -> set[tuple[str, str, str]]:
        """Return channel, persona and kind of what is counted both by post and by account: KPIs add these up."""
        return {each[:3] for each in self._levels if self._has_level((*each[:3], not each[3]))}

    def _has_level(self, level: tuple[str, str, str, bool]) -> bool:
        return level in self._levels or (self._trunk is not None and self._trunk._has_level(level))  # noqa: SLF001

    def items(self) -> Iterator[tuple[CountKey, KnownCount]]:
        """Yield what this has, without the trunk."""
        yield from self._counts.items()

    def _own(self, key: CountKey) -> KnownCount:
        known = self._counts.get(key)
        if known is None:
            earlier = self._trunk.of(key) if self._trunk else None
            known = self._counts[key] = earlier.copy() if earlier else KnownCount()
        return known


def changes_frame(changes: Sequence[Change]) -> pl.DataFrame:
    """Return changes of one channel as a table with the columns CHANGE_COLUMNS, in their order."""
    rows = [(*each.key[1:], *each.slot, *_rest(each)) for each in changes]
    return pl.DataFrame(rows, schema=CHANGE_COLUMNS, orient="row")


def encode_changes(changes: pl.DataFrame) -> bytes | None:
    """Return a table of changes as bytes, None where there are none."""
    return _to_ipc(changes)


def decode_frame(encoded: bytes | None) -> pl.DataFrame:
    """Return the table of the changes in an entry."""
    return pl.DataFrame(schema=CHANGE_COLUMNS) if encoded is None else pl.read_ipc_stream(io.BytesIO(encoded))


def decode_changes(encoded: bytes | None, channel: str) -> list[Change]:
    """Return the changes in an entry of a channel."""
    rows = decode_frame(encoded).iter_rows()
    return [
        Change(CountKey(channel, persona_id, post_id, kind), Slot(at_ms, number), *rest)
        for persona_id, post_id, kind, at_ms, number, *rest in rows
    ]


def encode_posts(posts: Sequence[PostKey]) -> bytes | None:
    """Return posts of one channel as bytes, None where there are none."""
    return _to_ipc(pl.DataFrame([post[1:] for post in posts], schema=_POSTS, orient="row"))


def decode_posts(encoded: bytes | None, channel: str) -> list[PostKey]:
    """Return the posts in an entry of a channel."""
    if encoded is None:
        return []
    return [PostKey(channel, *row) for row in pl.read_ipc_stream(io.BytesIO(encoded)).iter_rows()]


def _rest(change: Change) -> tuple[int, int, int, bool, int | None]:
    return change.value, change.change, change.row, change.fresh, change.as_of_ms


def _to_ipc(frame: pl.DataFrame) -> bytes | None:
    if frame.is_empty():
        return None
    target = io.BytesIO()
    frame.write_ipc_stream(target, compression="zstd")
    return target.getvalue()
