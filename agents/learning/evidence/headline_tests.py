"""Randomized tests of headlines as they are filed: the arms of a test, each shown to readers by lot."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from streams.errors import ThreadsError

Floats = NDArray[np.float64]
Indexes = NDArray[np.int64]
Marks = NDArray[np.bool_]

_TEST_ID, _OTHER_TEST_ID = "test_id", "clickability_test_id"  # the second is the archive's own name
_NEEDED = ("headline", "impressions", "clicks")
_PICTURE = "eyecatcher_id"


class BadTests(ThreadsError):
    """The file holds no tests that can be read."""


@dataclass(frozen=True, slots=True)
class HeadlineTests:
    """The arms of some tests, those of one test side by side.

    `test` is the index into `test_ids`, `text` that into `headlines` (each different headline once), `picture` tells
    pictures of one test apart (None: the file doesn't say). `left_out` counts what can't be used, by reason.
    """

    test_ids: list[str]
    headlines: list[str]
    test: Indexes
    text: Indexes
    picture: Indexes | None
    shown: Floats
    clicks: Floats
    left_out: dict[str, int]

    def ends(self) -> list[int]:
        """Return the end of each test's arms: where the next begins."""
        return [int(last) + 1 for last in np.flatnonzero(np.diff(self.test, append=-1))]

    def only(self, wanted: Marks) -> HeadlineTests:
        """Return the tests that are marked, shape (tests,); the numbers of tests and headlines stay as they are."""
        kept = wanted[self.test]
        picture = None if self.picture is None else self.picture[kept]
        return HeadlineTests(
            self.test_ids,
            self.headlines,
            self.test[kept],
            self.text[kept],
            picture,
            self.shown[kept],
            self.clicks[kept],
            self.left_out,
        )


def read_tests(path: Path) -> HeadlineTests:
    """Read a CSV file, .gz or not: columns test_id, headline, impressions, clicks, and eyecatcher_id where it is known.

    Raises:
        BadTests: the file can't be read, lacks a column, or has no test with two arms.
    """
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadTests(f"{path}: can't be read as CSV ({reason}); give a file with a header, .csv or .csv.gz") from None
    if _TEST_ID not in table.columns and _OTHER_TEST_ID in table.columns:
        table = table.rename({_OTHER_TEST_ID: _TEST_ID})
    missing = [name for name in (_TEST_ID, *_NEEDED) if name not in table.columns]
    if missing:
        raise BadTests(f"{path}: no column {', '.join(missing)}; it has {', '.join(table.columns)}")
    return _arranged(path, table)


def _arranged(path: Path, table: pl.DataFrame) -> HeadlineTests:
    counts = [pl.col(name).str.strip_chars().cast(pl.Int64, strict=False) for name in ("impressions", "clicks")]
    table = table.with_columns(pl.col(_TEST_ID, "headline").str.strip_chars().fill_null(""), *counts)
    table = table.with_columns(_fault().alias("fault"))
    left_out = Counter(table["fault"].drop_nulls().to_list())
    table = table.filter(pl.col("fault").is_null())
    table = table.with_columns(pl.len().over(_TEST_ID).alias("arms"))
    left_out["a test with one arm"] += int((table["arms"] < 2).sum())  # noqa: PLR2004 - nothing to compare with
    table = table.filter(pl.col("arms") > 1)
    if table.is_empty():
        told = ", ".join(f"{count} x {reason}" for reason, count in left_out.items() if count) or "it has no rows"
        raise BadTests(f"{path}: no test with two arms that can be compared ({told})")
    test_ids, test = _numbered(table[_TEST_ID])
    order = np.argsort(test, kind="stable")
    headlines, text = _numbered(table["headline"])
    picture = _numbered(table[_PICTURE].fill_null(""))[1][order] if _PICTURE in table.columns else None
    shown, clicks = (table[name].to_numpy().astype(np.float64)[order] for name in ("impressions", "clicks"))
    kept = {reason: count for reason, count in left_out.items() if count}
    return HeadlineTests(test_ids, headlines, test[order], text[order], picture, shown, clicks, kept)


def _fault() -> pl.Expr:
    shown, clicks = pl.col("impressions"), pl.col("clicks")
    return (
        pl.when(pl.col(_TEST_ID) == "").then(pl.lit("no test_id"))
        .when(pl.col("headline") == "").then(pl.lit("no headline"))
        .when(shown.is_null() | clicks.is_null()).then(pl.lit("no count"))
        .when(shown <= 0).then(pl.lit("never shown"))
        .when((clicks < 0) | (clicks > shown)).then(pl.lit("more clicks than views"))
    )  # fmt: skip


def _numbered(column: pl.Series) -> tuple[list[str], Indexes]:
    """Return the different values in the order of their first appearance, and which of them each row has."""
    known: dict[str, int] = {}
    numbers = np.array([known.setdefault(value, len(known)) for value in column], dtype=np.int64)
    return list(known), numbers
