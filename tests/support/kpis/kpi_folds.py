"""Events at their places in a log, and folds of it in any cut."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from agents.kpis.hour_fold import with_taken
from agents.kpis.replaying.folded import Changes, FoldedKpis
from schemas.catalogue import topic_named
from streams.engine.batch import ColumnBatch, Slice, TopicPartition
from streams.state.local_store import apply_to
from tests.support.kpis.kpi_life import START_MS
from tests.support.kpis.kpi_reference import Logged
from tests.support.kpis.kpi_sends import Send, event_of
from tests.support.loop_in_memory import DECODER, ROWS, Fetched

Steps = Sequence[tuple[Send, int]]
"""What is sent, and how long after the one before it, milliseconds."""


def logged(steps: Steps) -> list[Logged]:
    ends, log, now_ms = defaultdict[TopicPartition, int](int), list[Logged](), START_MS
    for number, (send, step_ms) in enumerate(steps):
        now_ms += step_ms
        topic, event = event_of(send, f"id-{number}", now_ms)
        source = TopicPartition(topic, send.partition)
        log.append(Logged(source, ends[source] + send.hole, event, now_ms, now_ms))
        ends[source] += send.hole + 1
    return log


def batch(log: Sequence[Logged]) -> ColumnBatch:
    """Return events of one partition as a replay gives them."""
    source = log[0].source
    records = [
        Fetched(each.offset, ROWS.encode(topic_named(source.topic), each.event), timestamp=each.earliest_ms)
        for each in log
    ]
    decoded = DECODER.decode(Slice(source, records, after=None, size_bytes=0)).batch
    assert isinstance(decoded, ColumnBatch)
    return with_taken(decoded, *np.array([(each.offset, each.earliest_ms) for each in log]).T)


async def folded(log: Sequence[Logged], size: int, *, restarts: bool) -> tuple[FoldedKpis, dict[bytes, bytes]]:
    """Fold a log, each partition in batches of a size; with restarts a new process takes over after each."""
    fold, kept = FoldedKpis(), dict[bytes, bytes]()
    for source in sorted({each.source for each in log}):
        part = [each for each in log if each.source == source]
        for start in range(0, len(part), size):
            await fold.add(batch(part[start : start + size]))
            changes: Changes = fold.flush()
            apply_to(kept, changes)
            if restarts:
                fold = FoldedKpis(kept.items(), fold.clock, fold.partials)
    return fold, kept
