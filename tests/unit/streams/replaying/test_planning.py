"""What a log has lost since a run began is told, and a log that is another one is never read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.engine.batch import TopicPartition
from streams.replaying.planning import Plan, now_of, position
from streams.replaying.selection import BadSelection

SOURCE = TopicPartition("a", 0)
PLAN = Plan((position(SOURCE, 10, 100),), {"a": "id"})


def test_a_log_that_has_it_all_changes_nothing() -> None:
    assert now_of(PLAN, {SOURCE: (0, 500)}) == PLAN


def test_what_expired_is_counted_and_passed_over() -> None:
    found = now_of(PLAN, {SOURCE: (40, 500)})
    assert found.positions == (replace(PLAN.positions[0], next=40),)
    assert found.notes == ("a/0 has lost 30 offsets of the run, from 10 on: they can't be read",)
    assert found.offsets == 60


def test_where_all_of_it_expired_nothing_is_left() -> None:
    found = now_of(PLAN, {SOURCE: (400, 500)})
    assert found.offsets == 0
    assert "lost 90 offsets" in found.notes[0]


def test_what_was_read_already_may_expire() -> None:
    read = replace(PLAN, positions=(replace(PLAN.positions[0], next=100),))
    assert now_of(read, {SOURCE: (400, 500)}) == read


def test_a_log_that_ends_before_the_plan_is_another() -> None:
    with pytest.raises(BadSelection, match="a/0 ends at offset 50 now, the run reads up to 100"):
        now_of(PLAN, {SOURCE: (0, 50)})
