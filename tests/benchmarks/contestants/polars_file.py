"""Polars on the events as one Avro file: no broker, no stream, no state - the limit of the machine.

The time includes reading the file. Nothing is kept.
"""

from __future__ import annotations

import polars as pl

from tests.benchmarks.contestants.report import Counters, Stopwatch, read_assignment, write_report
from tests.benchmarks.job import HOUR_MS, PANE_KEY, POST_KEY

COLUMNS = ["event_id", "occurred_at", "persona_id", "post_id", "kind", "count"]


def main() -> None:
    """Count the file."""
    task = read_assignment()
    watch = Stopwatch(task.broker_pid)
    watch.start()
    events = pl.read_avro(task.file, columns=COLUMNS).unique("event_id", keep="first")
    events = events.with_columns(
        pl.col("kind").cast(pl.String), hour=pl.col("occurred_at").cast(pl.Int64).floordiv(HOUR_MS)
    )
    total = pl.col("count").sum()
    panes = events.group_by(PANE_KEY).agg(total)
    posts = events.group_by(POST_KEY).agg(total)
    watch.stop()
    counters = Counters(
        {(persona_id, kind, hour): count for persona_id, kind, hour, count in panes.iter_rows()},
        {(post_id, kind): count for post_id, kind, count in posts.iter_rows()},
    )
    write_report(task, watch, counters, ("polars",))


if __name__ == "__main__":
    main()
