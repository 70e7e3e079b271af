"""Hidden keys: whose records, taken by the broker before a time, nobody is shown any more, though the log has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from schemas.catalogue import CATALOGUE, Topic

TOPICS: Mapping[str, Topic] = {topic.name: topic for topic in CATALOGUE}
_key: Callable[[Any], bytes | None] = attrgetter("key")


class KeyedRecord(Protocol):
    """The part of a record that says whether it is hidden; `timestamp` is milliseconds since the epoch."""

    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


R = TypeVar("R", bound=KeyedRecord)


@dataclass(frozen=True, slots=True)
class Hidden:
    """For each hidden key the time before which its records are hidden, broker timestamps in epoch milliseconds."""

    before_ms: Mapping[bytes, int] = field(default_factory=lambda: MappingProxyType({}))

    def __bool__(self) -> bool:
        return bool(self.before_ms)

    def hides(self, key: bytes | None, timestamp_ms: int) -> bool:
        """Tell whether a record of a key that the broker took at a time is hidden."""
        return key is not None and timestamp_ms < self.before_ms.get(key, timestamp_ms)

    def shown(self, topic: str, records: Sequence[R]) -> Sequence[R]:
        """Return the records of a topic that are not hidden by their record key; `records` itself where all are.

        While no key is hidden that costs nothing, else one look-up a record. Tombstones are shown: they bring nothing
        back, and who keeps a table has to know of them.
        """
        if not self.before_ms or not hidden_by_record_key(topic):
            return records
        if self.before_ms.keys().isdisjoint(map(_key, records)):
            return records
        return [each for each in records if each.value is None or not self.hides(each.key, each.timestamp)]


NOTHING = Hidden()
HiddenNow = Callable[[], Hidden]
"""Returns what is hidden at the moment."""


def nothing_hidden() -> Hidden:
    """Return that nothing is hidden."""
    return NOTHING


def hidden_by_record_key(topic: str) -> bool:
    """Tell whether the records of a topic are hidden by their record key; those of others by a field, or never."""
    known = TOPICS.get(topic)
    return known is not None and known.key is not None and known.owned_by == known.key


def hidden_by_field(topic: Topic) -> str | None:
    """Return the field by which the records of a topic are hidden; None where their record key says it, or nothing."""
    return None if topic.owned_by == topic.key else topic.owned_by


def key_of(value: object) -> bytes | None:
    """Return the key that a field of a record names, None where it names none."""
    return value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else None
