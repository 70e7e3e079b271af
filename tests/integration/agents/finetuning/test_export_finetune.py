"""`export finetune` on the real PostgreSQL: from the sink's tables to files, and what is said where it can't be."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from agents.personas.persona_topic import persona_applied
from schemas.records import DraftDecided, DraftGenerated, PersonaRequest, Quality
from streams.cli.main import main
from streams.engine.batch import ColumnBatch
from streams.settings import current_settings
from tests.support.drafting import samples
from tests.support.drafts import plain_draft
from tests.support.postgres_tables import load
from tests.support.sink_batches import NOON, columns, engagement, rows

POSTS = 24
NORA = next(each for each in samples() if each.persona_id == "night-shift-nora")


def draft(number: int) -> DraftGenerated:
    return plain_draft(
        event_id=f"d{number}",
        draft_id=f"d{number}",
        request_id=f"r{number}",
        persona_id=NORA.persona_id,
        hook=f"Shift {number} began with {number * 7919 % 1009} lamps and a cold {chr(97 + number)} coffee.",
        body=f"I wrote {number * 104729 % 10007} on the board. Nobody asked why, {chr(122 - number)} least of all.",
    )


def decided(number: int) -> DraftDecided:
    return DraftDecided(
        event_id=f"decided {number}",
        occurred_at=NOON,
        persona_id=NORA.persona_id,
        draft=draft(number),
        quality=Quality(score=0.9, threshold=0.7, passed=True, features=()),
        decision="accepted",
        reasons=(),
        embedding_model="ngram",
    )


def published() -> ColumnBatch:
    numbers = range(POSTS)
    return columns(
        "posts.published",
        {
            "event_id": [f"published {number}" for number in numbers],
            "persona_id": NORA.persona_id,
            "post_id": [f"p{number}" for number in numbers],
            "draft_id": [f"d{number}" for number in numbers],
            "text": [draft(number).text for number in numbers],
            "simulated": [number == 0 for number in numbers],
        },
    )


def engaged() -> ColumnBatch:
    events = [
        (number, kind, count) for number in range(POSTS) for kind, count in (("view", 1_000), ("like", 10 + number))
    ]
    return engagement(
        0,
        [f"e{number}" for number in range(len(events))],
        persona_id=NORA.persona_id,
        post_id=[f"p{number}" for number, _, _ in events],
        kind=[kind for _, kind, _ in events],
        count=[count for _, _, count in events],
    )


@pytest.fixture
def database(dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with posts of accepted drafts, which the command uses."""
    requests = [
        PersonaRequest(event_id=f"r{n}", occurred_at=NOON, persona_id=NORA.persona_id, brief=f"brief {n}")
        for n in range(POSTS)
    ]
    load(
        dsn,
        rows("personas", 0, [persona_applied(NORA, NOON)]),
        rows("persona.requests", 0, requests),
        rows("drafts.accepted", 0, [decided(number) for number in range(POSTS)]),
        published(),
        engaged(),
    )
    monkeypatch.setenv("THREADS_POSTGRES_DSN", dsn)
    current_settings.cache_clear()
    return dsn


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["export", "finetune", *arguments], env={"COLUMNS": "80"})


@pytest.mark.usefixtures("database")
def test_the_best_posts_are_written_with_a_card_and_nothing_is_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "fine tuning"
    done = ran("--to", str(folder), "--top", "0.5", "--validation", "0")
    assert done.exit_code == 0, done.output
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    hooks = [json.loads(json.loads(line)["messages"][2]["content"])["answers"][0]["hook"] for line in lines]
    assert sorted(hooks) == sorted(draft(number).hook for number in range(12, POSTS))
    assert "| simulated | 1 |" in (folder / "card.md").read_text(encoding="utf-8")
    again = ran("--to", str(folder))
    assert again.exit_code == 2
    assert "is there already" in " ".join(again.output.split())
    assert ran("--to", str(folder), "--top", "0.5", "--validation", "0", "--force").exit_code == 0
    assert (folder / "train.jsonl").read_text(encoding="utf-8").splitlines() == lines


@pytest.mark.usefixtures("database")
def test_too_few_are_written_and_said_to_be(tmp_path: Path) -> None:
    few = ran("--to", str(tmp_path / "few"), "--min-views", "5000")
    assert few.exit_code == 1
    assert "the provider needs 10 examples or more" in " ".join(few.output.split())
    assert (tmp_path / "few" / "train.jsonl").read_text() == ""
    nobody = ran("--to", str(tmp_path / "nobody"), "--persona", "nobody", "--json")
    assert nobody.exit_code == 1
    assert '"training": 0' in nobody.output


def test_what_is_missing_is_said_with_what_to_do(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    assert "can't be written to" in " ".join(ran("--to", str(blocked / "folder")).output.split())
    with psycopg.connect(database) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    assert "lacks these tables yet" in " ".join(ran("--to", str(tmp_path / "x")).output.split())
    monkeypatch.setenv("THREADS_POSTGRES_DSN", "postgresql://nobody@127.0.0.1:1/nothing")
    current_settings.cache_clear()
    assert "PostgreSQL does not answer" in " ".join(ran("--to", str(tmp_path / "y")).output.split())
