"""The commands that read PostgreSQL, on the real server: drafts, and what is said where nothing is there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner

from sinks.reports.commands import costs, drafts, kpis
from sinks.reports.queries import NoTables
from streams.errors import Unavailable
from streams.settings import current_settings
from tests.support.postgres_tables import load
from tests.support.printed_commands import parsed, printed
from tests.support.sink_batches import decided, rows


def test_drafts_show_their_decision_and_what_they_resemble(current_dsn: str) -> None:
    text = "[bold]not markup[/bold] and a long text that goes on and on and on and on"
    rejected = decided(2, "rejected", reasons=("near duplicate",))
    rejected = replace(rejected, draft=replace(rejected.draft, text=text, cost_micros=1_500))
    load(current_dsn, rows("drafts.rejected", 0, [rejected]))
    [draft] = parsed(drafts, "--persona", "nova", "--status", "rejected")
    assert draft["near_duplicate"] == {"draft_id": "draft-0", "similarity": 0.97}
    assert (draft["decision"], draft["reasons"], draft["score"], draft["cost_dollars"]) == (
        "rejected",
        ["near duplicate"],
        0.75,
        0.0015,
    )
    assert parsed(drafts, "--status", "accepted") == []
    table = printed(drafts)
    assert "[bold]not markup[/bold]" in table
    assert "near duplicate; resembles draft-0 by 0.970" in table


def test_empty_tables_are_no_error(current_dsn: str) -> None:
    load(current_dsn)
    assert parsed(kpis) == parsed(drafts) == []
    assert parsed(costs)["total"]["calls"] == 0
    assert "no KPIs yet" in printed(kpis)
    assert "no drafts yet" in printed(drafts)


def test_a_database_without_tables_says_what_to_start(current_dsn: str) -> None:
    with pytest.raises(NoTables, match="threads-agent up"):
        CliRunner().invoke(kpis, catch_exceptions=False)


def test_a_server_that_is_not_there_is_said_without_its_password(
    current_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREADS_POSTGRES_DSN", "postgresql://threads:secret@127.0.0.1:1/threads")
    current_settings.cache_clear()
    with pytest.raises(Unavailable, match="PostgreSQL does not answer") as refused:
        CliRunner().invoke(costs, catch_exceptions=False)
    assert "secret" not in str(refused.value)
