"""Events folded and merged as the live stages do, with the time at which the log took them as the clock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from agents.kpis.hour_fold import TAKEN, HourFold
from agents.kpis.merge import APPLIED, MergePart, kpi_updates, projections
from agents.kpis.partials import TOPIC as PARTIALS
from schemas.codec.column_encoder import Constant
from streams.engine.batch import ColumnBatch, Row, RowBatch, TopicPartition

STAMP_BYTES = 8  # a row of state begins with the place of the partial that changed it last
ALL = 0  # the partition in which all personas are merged

Changes = list[tuple[bytes, bytes | None]]


class Clock(NamedTuple):
    """How far time is: the hour of each source partition, and the newest moment of all, epoch milliseconds."""

    hours: Mapping[TopicPartition, int]
    newest_ms: int = 0


class FoldedKpis:
    """The counters of a range of the log, a function of its events and of when the log took each."""

    def __init__(
        self, state: Iterable[tuple[bytes, bytes]] = (), clock: Clock | None = None, partials: int = 0
    ) -> None:
        """Take over what an earlier fold of so many partials left."""
        self.partials = partials
        self._merge = MergePart(state)
        self._fold = HourFold(1, None if clock is None else clock.hours)
        self._newest_ms = 0 if clock is None else clock.newest_ms

    @property
    def clock(self) -> Clock:
        return Clock(self._fold.hours, self._newest_ms)

    async def add(self, batch: ColumnBatch) -> None:
        """Count events that lie behind all of their partition so far; the frame has the column TAKEN too."""
        self._newest_ms = max(self._newest_ms, int(batch.frame[TAKEN].to_numpy().max(initial=0)))
        partials = [partial for _, partial in await self._fold.partials(batch)]
        rows = [Row(number, partial) for number, partial in enumerate(partials, self.partials)]
        self.partials += len(rows)
        await self._merge.add(RowBatch(TopicPartition(PARTIALS, ALL), rows))

    def flush(self) -> Changes:
        """Return what of the state changed since the last call, without the panes that no window needs any more."""
        changes = self._merge.flush().changes
        changes += [(key, None) for key in self._merge.counters.expire(self._newest_ms)]
        return list(changes)

    def figures(self) -> Iterator[dict[str, object]]:
        """Yield the KPIs of each persona and window as of the newest event; fields are those of KpiUpdate."""
        at_ms, counters = self._newest_ms, self._merge.counters
        counters.move_to(at_ms)
        for counted in counters.take_changed():
            columns = kpi_updates(counted, projections(counted, at_ms), at_ms).columns
            for number in range(len(counted.personas)):
                yield {
                    name: column.value if isinstance(column, Constant) else column[number]
                    for name, column in columns.items()
                    if name != "event_id"
                }


def fingerprint(state: Iterable[tuple[bytes, bytes]]) -> str:
    """Return a SHA-256 of the counters of a state: which partials they came by makes no difference."""
    found = hashlib.sha256()
    for key, value in sorted(state):
        if not key.startswith(APPLIED):
            counters = value[STAMP_BYTES:]
            found.update(b"%d %d " % (len(key), len(counters)) + key + counters)
    return found.hexdigest()
