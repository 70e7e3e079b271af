"""Whatever comes between, a listener gets each record once and in order, or a gap that says what it does not get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from agents.gateway.live.cursor import Cursor
from agents.gateway.live.positions import positions_of
from agents.gateway.live.ring import ENTRY_BYTES, Entry, Gap, LiveRecord, Ring

TOPIC = "kpi.updates"
ROOM = 4 * (ENTRY_BYTES + 10)  # of four records
LISTENERS = st.integers(0, 2)


Place = tuple[str, int, int]
"""Log, partition and offset."""


@dataclass
class Log:
    """One life of a topic, as a broker has it: its partitions' records by offset, of which the first may be gone."""

    log_id: str
    firsts: list[int]
    records: list[list[bytes | None]]  # None where compaction took one

    def ends(self) -> list[int]:
        return [len(each) for each in self.records]


@dataclass
class Reader:
    """A listener, and what it was told."""

    cursor: Cursor
    gaps: list[Gap] = field(default_factory=list)
    content: dict[Place, bytes] = field(default_factory=dict)
    newest: dict[tuple[str, int], int] = field(default_factory=dict)

    def hear(self, log_id: str, entry: Entry) -> None:
        """Take an entry; fails where it is one that came before, or is not behind the last of its partition."""
        if isinstance(entry, Gap):
            self.gaps.append(entry)
            if entry.reason == "truncated":  # what is written there now is something else
                self.newest[log_id, entry.partition] = entry.end - 1
            return
        assert self.newest.get((log_id, entry.partition), -1) < entry.offset, "told twice or out of order"
        self.newest[log_id, entry.partition] = entry.offset
        self.content[log_id, entry.partition, entry.offset] = entry.data

    def misses(self, place: Place, data: bytes) -> bool:
        """Tell whether a record was neither told nor in a gap that was."""
        _, partition, offset = place
        in_gap = any(each.partition == partition and each.start <= offset < each.end for each in self.gaps)
        return self.content.get(place) != data and not in_gap


class Feed(RuleBasedStateMachine):
    """A topic, a ring that a tail keeps up with it, and three listeners that come back whenever they like."""

    def __init__(self) -> None:
        super().__init__()
        self.lives = 0
        self.written = 0
        self.readers: list[Reader] = []

    def _new_log(self, partitions: int) -> Log:
        self.lives += 1
        return Log(f"{self.lives:012x}", [0] * partitions, [[] for _ in range(partitions)])

    @initialize(partitions=st.integers(1, 3))
    def start(self, partitions: int) -> None:
        self.log = self._new_log(partitions)
        self.ring = Ring(TOPIC, ROOM)
        self.tail_log = self.log
        self.ring.begin(self.log.log_id, self.log.ends())
        self.readers = [Reader(Cursor(self.ring, None)) for _ in range(3)]

    @rule(partition=st.integers(0, 2), count=st.integers(1, 6), hole=st.booleans())
    def append(self, partition: int, count: int, *, hole: bool) -> None:
        records = self.log.records[partition % len(self.log.records)]
        for _ in range(count):
            self.written += 1
            records.append(b"%d" % self.written)
        if hole:
            records.append(None)

    @rule(partition=st.integers(0, 2), count=st.integers(1, 9))
    def retention(self, partition: int, count: int) -> None:
        partition %= len(self.log.records)
        self.log.firsts[partition] = min(self.log.firsts[partition] + count, len(self.log.records[partition]))

    @rule()
    def grow(self) -> None:
        if len(self.log.records) < 4:
            self.log.records.append([])
            self.log.firsts.append(0)

    @rule(partitions=st.integers(1, 3))
    def make_again(self, partitions: int) -> None:
        self.log = self._new_log(partitions)

    @rule(partition=st.integers(0, 2), count=st.integers(1, 5))
    def truncate(self, partition: int, count: int) -> None:
        """Lose the end of a log, and the tail sees it before anything is written again."""
        self.tail()
        partition %= len(self.log.records)
        records = self.log.records[partition]
        del records[max(self.log.firsts[partition], len(records) - count) :]
        self.tail()

    @rule()
    def tail(self) -> None:
        """Let the tail see what there is, as tail.py does."""
        log, ring = self.log, self.ring
        if self.tail_log is not log:
            ring.begin(log.log_id, log.firsts, "made_again")
            self.tail_log = log
        ring.widen(len(log.firsts) - len(ring.ends))
        if any(end < at for end, at in zip(log.ends(), ring.ends, strict=True)):
            ring.begin(log.log_id, [min(pair) for pair in zip(log.ends(), ring.ends, strict=True)], "truncated")
        for partition, records in enumerate(log.records):
            if ring.ends[partition] < log.firsts[partition]:
                ring.append(Gap(partition, ring.ends[partition], log.firsts[partition], "retention"))
            for entry in self._entries(partition, ring.ends[partition], records):
                ring.append(entry)

    def _entries(self, partition: int, start: int, records: Sequence[bytes | None]) -> list[LiveRecord]:
        return [
            LiveRecord(partition, offset, None, data)
            for offset, data in enumerate(records)
            if offset >= start and data is not None
        ]

    @rule(who=LISTENERS, most=st.integers(1, 5), stops_after=st.integers(0, 4))
    def take(self, who: int, most: int, stops_after: int) -> None:
        """Take from the ring, and perhaps stop in between, as a listener whose chunk is full does."""
        reader = self.readers[who]
        for number, entry in enumerate(reader.cursor.take(most)):
            reader.hear(self.ring.log_id, entry)
            if number == stops_after:
                break

    @rule(who=LISTENERS, most=st.integers(1, 6), which=st.integers(0, 2), earlier=st.integers(0, 3))
    def catch_up(self, who: int, most: int, which: int, earlier: int) -> None:
        """Read from the log what the ring has not, as catch_up.py does; a tail that is not there yet is waited for.

        It is of one partition, and may have been read for somebody who stands earlier in it.
        """
        reader = self.readers[who]
        starts = sorted(reader.cursor.to_fetch().items())
        if not starts or self.tail_log is not self.log:
            return
        partition, start = starts[which % len(starts)]
        entries, end = self._piece(partition, max(start - earlier, 0), most)
        if not start < end:  # it ends before it serves this one
            entries, end = self._piece(partition, start, most)
        for entry in reader.cursor.take_fetched(entries, {partition: end}):
            reader.hear(self.ring.log_id, entry)

    def _piece(self, partition: int, start: int, most: int) -> tuple[list[Entry], int]:
        """Return what the log has from an offset on, and where that ends."""
        first, end = self.log.firsts[partition], len(self.log.records[partition])
        entries: list[Entry] = []
        if start < first:
            entries.append(Gap(partition, start, first, "retention"))
        if start > end:
            entries.append(Gap(partition, start, end, "truncated"))
        found = self._entries(partition, max(start, first), self.log.records[partition])[:most]
        return [*entries, *found], found[-1].offset + 1 if len(found) == most else end

    @rule(who=LISTENERS)
    def come_back(self, who: int) -> None:
        """Resume by the id of the last event; that a log was cut in between, a position does not show."""
        if self.readers[who].cursor.is_settled():
            self.readers[who].cursor = self._resumed(self.readers[who].cursor)

    @precondition(lambda self: all(each.cursor.is_settled() for each in self.readers))
    @rule()
    def restart_the_gateway(self) -> None:
        """Resume at another process, whose ring begins at the end; that a log was cut, this one knows no more."""
        self.ring = Ring(TOPIC, ROOM)
        self.ring.begin(self.log.log_id, self.log.ends())
        self.tail_log = self.log
        for each in self.readers:
            each.cursor = self._resumed(each.cursor)

    def _resumed(self, cursor: Cursor) -> Cursor:
        text = cursor.text()
        assert text is not None
        return Cursor(self.ring, positions_of(text)[TOPIC])

    def teardown(self) -> None:
        """In the end each was told all that the log has, or the gap in which it is, and stands at its end."""
        for who, reader in enumerate(self.readers):
            for _ in range(self.written + 50):
                self.tail()
                self.catch_up(who, 6, 0, 0)
                self.take(who, 5, 10)
            assert not reader.cursor.has_more()
            for partition, records in enumerate(self.log.records):
                for offset, data in enumerate(records):
                    place = (self.log.log_id, partition, offset)
                    assert data is None or not reader.misses(place, data), f"{place} was lost in silence"


TestFeed = Feed.TestCase
