"""What of the log is meant: topics, partitions, times, offsets, keys, the last records; and its words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from streams.errors import ThreadsError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadSelection(ThreadsError):
    """A selection that contradicts itself, or that the log does not hold; the text says what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which records are meant; a record has to be within all that is given.

    `since_ms` and `until_ms` are broker timestamps, epoch milliseconds: from the first record at or after the one up
    to, not including, the first at or after the other. `from_offset` up to, not including, `to_offset` are of one
    partition. `keys` are record keys, any of them. `last` are the last so many records of all that: those with the
    greatest broker timestamps over all partitions together, of each partition the end.
    """

    topics: tuple[str, ...]
    partitions: tuple[int, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    from_offset: int | None = None
    to_offset: int | None = None
    keys: tuple[str, ...] = ()
    last: int | None = None

    def __post_init__(self) -> None:
        """Raise BadSelection where it contradicts itself."""
        if not self.topics or len(set(self.topics)) < len(self.topics):
            raise BadSelection("name each topic once, and at least one")
        if self.has_offsets and len(self.topics) > 1:
            raise BadSelection("offsets are of one topic: name one, or choose by time with --since and --until")
        if None not in (self.from_offset, self.to_offset) and int(self.from_offset or 0) >= int(self.to_offset or 0):
            raise BadSelection(f"--from-offset {self.from_offset} is not before --to-offset {self.to_offset}")
        if None not in (self.since_ms, self.until_ms) and int(self.since_ms or 0) >= int(self.until_ms or 0):
            raise BadSelection("--since is not before --until")
        if self.last is not None and self.last < 1:
            raise BadSelection("--last takes a number from 1 on")

    @property
    def has_offsets(self) -> bool:
        """Tell whether it is by offsets."""
        return self.from_offset is not None or self.to_offset is not None

    @property
    def text(self) -> str:
        """Return it in the words of the command line: the same selection has the same words."""
        return " ".join(self._words())

    def _words(self) -> Iterator[str]:
        yield from sorted(self.topics)
        yield from (f"--partition {each}" for each in sorted(set(self.partitions)))
        for option, moment in (("--since", self.since_ms), ("--until", self.until_ms)):
            if moment is not None:
                yield f"{option} {moment_text(moment)}"
        for option, offset in (("--from-offset", self.from_offset), ("--to-offset", self.to_offset)):
            if offset is not None:
                yield f"{option} {offset}"
        yield from (f"--key {each}" for each in sorted(set(self.keys)))
        if self.last is not None:
            yield f"--last {self.last}"


def moment_text(time_ms: int) -> str:
    """Return a broker timestamp as ISO 8601 with milliseconds, UTC."""
    return f"{_EPOCH + timedelta(milliseconds=time_ms):%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"
