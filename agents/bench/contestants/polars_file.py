"""Polars on the events as one Avro file: no broker, no stream, no state - the limit of the machine."""

from __future__ import annotations

import polars as pl

from agents.bench.contestants.report import Stopwatch, read_assignment, write_report
from agents.bench.workload import HOUR_MS, PANE_KEY, POST_KEY, Answer

COLUMNS = ["event_id", "occurred_at", "persona_id", "post_id", "kind", "count"]


def main() -> None:
    """Count the file."""
    task, watch = read_assignment(), Stopwatch()
    watch.start()
    events = pl.read_avro(task.file, columns=COLUMNS).unique("event_id", keep="first")
    events = events.with_columns(
        pl.col("kind").cast(pl.String), hour=pl.col("occurred_at").cast(pl.Int64).floordiv(HOUR_MS)
    )
    total = pl.col("count").sum()
    panes = events.group_by(PANE_KEY).agg(total).sort(PANE_KEY)
    posts = events.group_by(POST_KEY).agg(total).sort(POST_KEY)
    watch.stop()
    write_report(task, watch, Answer(panes, posts), ("polars",))


if __name__ == "__main__":
    main()
