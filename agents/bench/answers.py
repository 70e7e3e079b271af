"""Answers on disk, and how one differs from what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from agents.bench.workload import PANE_KEY, POST_KEY, Answer

PANES, POSTS = "panes.parquet", "posts.parquet"
SHOWN_ROWS = 3


def write_answer(folder: Path, answer: Answer) -> None:
    """Write both tables of an answer into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    answer.panes.write_parquet(folder / PANES)
    answer.posts.write_parquet(folder / POSTS)


def read_answer(folder: Path) -> Answer:
    """Read what write_answer wrote."""
    return Answer(pl.read_parquet(folder / PANES), pl.read_parquet(folder / POSTS))


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
