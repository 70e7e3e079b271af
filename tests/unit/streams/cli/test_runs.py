"""`runs list` and `runs show`: every id whole, whatever the width, and how a run ended in words."""

from __future__ import annotations

import pytest

from schemas.records import OperationRun
from streams.cli.runs import positions_table, run_lines, runs_table
from streams.cli.table import table_lines
from streams.engine.batch import TopicPartition
from streams.operations.runs import new_run, next_step
from streams.replaying.planning import position
from tests.support.table_checks import IDS, TERMINALS, assert_whole


def runs() -> list[OperationRun]:
    begun = [
        new_run(
            "persona_erasure",
            selection=f"engagement.events --key {each}",
            target="postgres",
            requested_by="root on vm",
            selected=1_234_567,
            positions=(position(TopicPartition("engagement.events", 0), 0, 1_234_567),),
        )
        for each in IDS[:3]
    ]
    return [next_step(begun[0], status="failed", reason="the disk is full"), *begun[1:]]


@pytest.mark.parametrize("columns", TERMINALS)
def test_runs_fit_the_terminal_with_whole_ids(columns: int) -> None:
    made = runs()
    assert_whole(list(table_lines(runs_table(made), columns)), [each.run_id for each in made], columns)


def test_eighty_columns_have_a_row_for_each_run() -> None:
    lines = list(table_lines(runs_table(runs()), 80))
    assert lines[0].split()[-1] == "run"
    assert any(line.strip().startswith("what: engagement.events --key nova into postgres") for line in lines)


def test_a_run_says_how_it_ended_and_how_far_it_came() -> None:
    lines = run_lines(runs()[0])
    assert "  status    failed: the disk is full" in lines
    assert "  records   0 read of at most 1,234,567, 0 written, 0 skipped, 0 refused" in lines
    assert "1,234,567" in "".join(table_lines(positions_table(runs()[0]), None))
