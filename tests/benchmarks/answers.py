"""The answer to the job: computed from the drawn columns, kept on disk, compared with what a contestant found."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tests.benchmarks.job import HOUR_MS, KINDS, PANE_KEY, POST_KEY, persona_name, post_name
from tests.benchmarks.running.workload import Segment

PANES, POSTS = "panes.parquet", "posts.parquet"
SHOWN_ROWS = 3
_PANE_SCHEMA = {"persona_id": pl.String, "kind": pl.String, "hour": pl.Int64, "count": pl.Int64}
_POST_SCHEMA = {"post_id": pl.String, "kind": pl.String, "count": pl.Int64}


@dataclass(frozen=True, slots=True)
class Answer:
    """What every contestant must find, sorted by its key columns.

    `panes` has persona_id, kind, hour (hours since the epoch, UTC), count; `posts` has post_id, kind, count.
    """

    panes: pl.DataFrame
    posts: pl.DataFrame


class ExpectedAnswer:
    """Sum up the answer from the drawn columns alone: duplicates are never in them, so nothing is dropped here."""

    def __init__(self) -> None:
        self._panes: pl.DataFrame | None = None
        self._posts: pl.DataFrame | None = None

    def add(self, segment: Segment) -> None:
        """Count a segment."""
        events = pl.DataFrame(
            {
                "persona": segment.persona,
                "post": segment.post,
                "kind": segment.kind,
                "hour": segment.occurred_ms // HOUR_MS,
                "count": segment.count,
            }
        )
        self._panes = _summed(self._panes, events, ["persona", "kind", "hour"])
        self._posts = _summed(self._posts, events, ["post", "kind"])

    def answer(self) -> Answer:
        """Return what was counted; at least one segment must have been added."""
        assert self._panes is not None
        assert self._posts is not None
        panes, posts = (table.with_columns(_kinds(table)) for table in (self._panes, self._posts))
        return Answer(
            panes.select(_names("persona_id", panes["persona"], persona_name), "kind", "hour", "count").sort(PANE_KEY),
            posts.select(_names("post_id", posts["post"], post_name), "kind", "count").sort(POST_KEY),
        )


def expected_answer(segments: Sequence[Segment]) -> Answer:
    """Return the answer to segments."""
    expected = ExpectedAnswer()
    for segment in segments:
        expected.add(segment)
    return expected.answer()


def _summed(so_far: pl.DataFrame | None, events: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    fresh = events.group_by(key).agg(pl.col("count").sum())
    return fresh if so_far is None else pl.concat([so_far, fresh]).group_by(key).agg(pl.col("count").sum())


def _kinds(table: pl.DataFrame) -> pl.Series:
    return pl.Series("kind", np.array(KINDS)[table["kind"].to_numpy()], dtype=pl.String)


def _names(column: str, indices: pl.Series, name: Callable[[int], str]) -> pl.Series:
    return pl.Series(column, [name(index) for index in indices], dtype=pl.String)


def write_answer(folder: Path, answer: Answer) -> None:
    """Write both tables of an answer into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    answer.panes.write_parquet(folder / PANES)
    answer.posts.write_parquet(folder / POSTS)


def read_answer(folder: Path) -> Answer:
    """Read what write_answer wrote."""
    return Answer(pl.read_parquet(folder / PANES), pl.read_parquet(folder / POSTS))


def read_counters(path: Path) -> Answer:
    """Read what a contestant wrote (contestants/report.py): rows of both tables as JSON."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return Answer(
        pl.DataFrame(found["panes"], schema=_PANE_SCHEMA, orient="row").sort(PANE_KEY),
        pl.DataFrame(found["posts"], schema=_POST_SCHEMA, orient="row").sort(POST_KEY),
    )


def difference(found: Answer, expected: Answer) -> str | None:
    """Return how an answer differs, in words with its first rows; None where they are equal."""
    parts = [
        _difference("panes", found.panes, expected.panes, PANE_KEY),
        _difference("posts", found.posts, expected.posts, POST_KEY),
    ]
    return "; ".join(part for part in parts if part) or None


def _difference(name: str, found: pl.DataFrame, expected: pl.DataFrame, key: Sequence[str]) -> str | None:
    both = expected.join(found, on=list(key), how="full", suffix="_found", coalesce=True)
    counts = both.with_columns(pl.col("count").fill_null(0), pl.col("count_found").fill_null(0))
    wrong = counts.filter(pl.col("count") != pl.col("count_found")).sort(key)
    if wrong.is_empty():
        return None
    totals = f"{int(found['count'].sum())} instead of {int(expected['count'].sum())} in all"
    rows = [f"{'/'.join(map(str, row[:-2]))}: {row[-1]} instead of {row[-2]}" for row in wrong.head(SHOWN_ROWS).rows()]
    return f"{wrong.height} {name} are wrong ({totals}), e.g. {', '.join(rows)}"
