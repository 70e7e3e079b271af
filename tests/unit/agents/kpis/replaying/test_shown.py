"""The KPIs that a replay ends with: the personas with most views, each with its windows."""

from __future__ import annotations

import json

import pytest

from agents.kpis.replaying.folded import FoldedKpis
from agents.kpis.replaying.shown import DETAILED_PERSONAS, SHOWN_PERSONAS, detail, kpi_table
from agents.kpis.windows import WINDOWS
from streams.cli.table import table_lines
from tests.support.kpis.kpi_folds import folded, logged
from tests.support.kpis.kpi_sends import Engagement, Send


@pytest.fixture
async def fold() -> FoldedKpis:
    sent = [(Send(Engagement(f"persona {number:02}", "view", number)), 0) for number in range(DETAILED_PERSONAS + 1)]
    return (await folded(logged(sent), 99, restarts=False))[0]


async def test_a_table_fits_80_columns_and_says_how_many_personas_it_leaves_out(fold: FoldedKpis) -> None:
    table = kpi_table(list(fold.figures()), fold.clock.newest_ms, "f" * 64)
    assert len(table.rows) == SHOWN_PERSONAS * len(WINDOWS)
    assert table.rows[0][:2] == [f"persona {DETAILED_PERSONAS}", "1h"]
    assert f"the {SHOWN_PERSONAS} of {DETAILED_PERSONAS + 1} personas with most views" in table.note
    assert max(map(len, table_lines(table, 80))) <= 80


async def test_the_detail_of_a_run_has_room_for_its_personas(fold: FoldedKpis) -> None:
    found = detail(list(fold.figures()), fold.clock.newest_ms, "f" * 64)
    assert found["personas"] == DETAILED_PERSONAS + 1
    assert len(found["kpis"]) == DETAILED_PERSONAS * len(WINDOWS)
    assert len(json.dumps(found)) < 150_000
