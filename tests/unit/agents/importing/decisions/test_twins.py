"""Rows that share persona, post and time are numbered in their order, and a first reading decides as any would."""

from __future__ import annotations

import random

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from agents.importing.decisions import twins
from agents.importing.decisions.known_counts import KnownCounts
from agents.importing.decisions.planning import Planner
from agents.importing.decisions.twins import RepeatedRows, RepeatedTwins
from agents.importing.fields import FieldMapping, bind
from agents.importing.row_block import RowBlock
from agents.importing.rows import RowReader
from agents.importing.sources.source import Row

COLUMNS = {
    "post_id": ("post",),
    "persona_id": ("who",),
    "occurred_at": ("at",),
    "views": ("seen",),
    "likes": ("liked",),
}
LAYOUT = bind(FieldMapping(columns=COLUMNS, time_format="iso8601"), ["post", "who", "at", "seen", "liked"], "x.csv")
READER = RowReader(LAYOUT)


def blocks(seed: int) -> list[RowBlock]:
    chance = random.Random(seed)
    rows = [
        Row(
            number,
            number + 1,
            [
                f"p{chance.randrange(4)}",
                chance.choice(["ada", "bo"]),
                chance.choice(["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-02"]),  # two are the same instant
                chance.choice(["0", "", "7"]),
                str(chance.randrange(3)),
            ],
        )
        for number in range(1, 61)
    ]
    return [READER.read(rows[start : start + 7])[0] for start in range(0, len(rows), 7)]


def planner(read: list[RowBlock]) -> Planner:
    with RepeatedRows() as repeated:
        for block in read:
            repeated.note(block)
        numbered = RepeatedTwins(repeated.found())
    return Planner(LAYOUT.mapping, READER.kinds, numbered, reading="r")


def test_twins_are_numbered_in_their_order(seed: int) -> None:
    read = blocks(seed)
    numbered = planner(read)
    seen: dict[tuple[str, str, int], int] = {}
    for block in read:
        assert block.post_ids is not None
        keys = list(zip(block.persona_ids, block.post_ids, block.occurred_ms.tolist(), strict=True))
        for key, number in zip(keys, numbered.slots(block).tolist(), strict=True):
            assert number == seen.get(key, 0)
            seen[key] = number + 1
    assert max(seen.values()) > 1


def test_a_first_reading_decides_without_a_look_up_what_it_would_decide_with_one(seed: int) -> None:
    read = blocks(seed)
    first, looked_up, known = planner(read), planner(read), KnownCounts()
    for block in read:
        slots = first.slots(block)
        assert slots.tolist() == looked_up.slots(block).tolist()
        assert_frame_equal(first.plan_first(block, slots).changes, looked_up.plan(block, slots, known, 0).changes)


def test_only_the_first_reading_of_a_channel_decides_without_what_is_known() -> None:
    own = planner(blocks(1))
    assert own.is_first([])
    assert own.is_first(["r"])
    assert not own.is_first(["r", "another"])


def test_rows_that_went_to_disk_are_found(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins, "BYTES_IN_MEMORY", 64)
    chance = random.Random(seed)
    many = pl.Series([f"p{number}" for number in range(40_000)] + ["p7", "p8", "p7"])
    order = list(range(len(many)))
    chance.shuffle(order)
    read = blocks(seed)[0].part(slice(1))
    whole = RowBlock(
        numbers=order,
        lines=order,
        occurred_ms=read.occurred_ms.repeat(len(order)),
        persona_ids=["ada"] * len(order),
        post_ids=many.gather(order).to_list(),
        texts=None,
        counts=read.counts,
        said=read.said,
        as_of_ms=(),
        timed=(),
    )
    with RepeatedRows() as repeated:
        for start in range(0, len(order), 10_000):
            repeated.note(whole.part(slice(start, start + 10_000)))
        assert len(repeated.found()) == 2
