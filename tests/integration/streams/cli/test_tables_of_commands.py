"""The tables of every command that reads a server, at 60, 80 and 120 columns: nothing that identifies is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from schemas.catalogue import CATALOGUE
from schemas.records import DraftGenerated, PersonaRequest
from sinks.reports.commands import costs, drafts, kpis
from streams.cli.topics import topics
from streams.engine.batch import Batch
from streams.settings import current_settings
from tests.support.postgres_tables import load
from tests.support.sink_batches import NOON, columns, decided, draft, engagement, kpi, rows
from tests.support.table_checks import IDS, TERMINALS, assert_whole

if TYPE_CHECKING:
    from tests.conftest import Stack

POST_IDS = ("1355500000000000000", "3f1c1a52-0c0f-5c5e-9d57-0d7b4a3f4c11", "投稿番号一二三四五", "פוסט-7")
MODEL = "some-vendor/some-model-with-a-long-name-2026-11-26"
REPORTS = (
    (kpis, ()),
    (kpis, ("posts", "--limit", "999")),
    (kpis, ("daily",)),
    (costs, ()),
    (costs, ("--saved",)),
    (drafts, ()),
    (drafts, ("report",)),
    (drafts, ("trace", "request-1")),
)


def lines(command: click.Command, arguments: Sequence[str], terminal: int | None, *more: str) -> list[str]:
    env = {} if terminal is None else {"COLUMNS": str(terminal)}
    result = CliRunner().invoke(command, [*arguments, *more], catch_exceptions=False, env=env)
    assert result.exit_code in (0, 1), result.output
    return result.stdout.splitlines()


def batches(persona_ids: Sequence[str]) -> list[Batch]:
    """Return records of each persona, with large numbers, long ids and long texts."""
    pairs = [(persona_id, post_id) for persona_id in persona_ids for post_id in POST_IDS]
    of_personas, of_posts = zip(*pairs, strict=True)
    ids = [f"e-{number}" for number in range(len(pairs))]
    request = PersonaRequest(
        event_id="request-1", occurred_at=NOON, persona_id=persona_ids[-1], brief="a long brief " * 30
    )
    calls = {"event_id": list(persona_ids), "persona_id": list(persona_ids), "request_id": "request-1", "step": "body"}
    tokens = dict.fromkeys(("prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens"), 1_234_567_890)
    return [
        engagement(0, ids, persona_id=of_personas, post_id=of_posts, count=[1_313_536] * len(pairs)),
        columns("cost.events", {**calls, **tokens, "model": MODEL, "cost_micros": 12_345_678_901, "latency_ms": 9_000}),
        rows("persona.requests", 0, [request]),
        rows("drafts.generated", 0, [written(number, each) for number, each in enumerate(persona_ids)]),
        rows("drafts.rejected", 0, [decided(90, "rejected", reasons=("near duplicate of another " * 5,))], 500),
        rows(
            "kpi.updates",
            0,
            [replace(kpi("lifetime", n, 10**12), persona_id=each) for n, each in enumerate(persona_ids)],
        ),
    ]


def written(number: int, persona_id: str) -> DraftGenerated:
    made = draft(number, "A long text of a post. " * 20)
    return replace(made, persona_id=persona_id, draft_id=f"{number}-{POST_IDS[1]}", model=MODEL)


@pytest.fixture(params=[IDS[:3], IDS[:-2], IDS], ids=["short ids", "ids of any script", "ids longer than a terminal"])
def persona_ids(request: pytest.FixtureRequest, current_dsn: str) -> Sequence[str]:
    load(current_dsn, *batches(request.param))
    return tuple(request.param)


def test_reports_of_postgres_cut_no_id_and_fit_the_terminal(persona_ids: Sequence[str]) -> None:
    for command, arguments in REPORTS:
        shown = persona_ids if command is kpis or not arguments else () if "--saved" in arguments else persona_ids[-1:]
        for terminal in TERMINALS:
            for more in ((), ("--wide",)):
                assert_whole(lines(command, arguments, terminal, *more), shown, terminal)
    assert any("2026-03-01" in line for line in lines(kpis, ("daily",), 60))
    for post_id in POST_IDS:
        assert any(post_id in line for line in lines(kpis, ("posts", "--limit", "999"), 60))


@pytest.fixture
def current_stack(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The session's servers as this process's settings."""
    monkeypatch.setenv("THREADS_HOME", str(stack.home))
    current_settings.cache_clear()
    yield stack
    current_settings.cache_clear()


@pytest.mark.parametrize("terminal", TERMINALS)
def test_topics_are_named_whole(current_stack: Stack, terminal: int) -> None:
    names = [topic.name for topic in CATALOGUE]
    for more in ((), ("--wide",)):
        shown = lines(topics, ("list",), terminal, *more)
        assert_whole(shown, names, terminal)
    assert_whole(shown, [topic.record.schema_name for topic in CATALOGUE], terminal)
