"""`forecast ...` on the real PostgreSQL: posts with the simulator's curves, and what is said of too little."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from agents.learning.forecasting.early import coverage, forecast
from agents.learning.forecasting.post_starts import PostStart
from agents.personas.persona_topic import persona_applied
from schemas.registries.registry import open_registry
from streams.cli.main import main
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.settings import current_settings
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.support.drafting import samples
from tests.support.post_starts import simulated_post
from tests.support.postgres_tables import write
from tests.support.sink_batches import columns, engagement

COUNT = 60


def started(persona_id: str) -> list[PostStart]:
    """Return posts of the last days, three hours between them; the last one is an hour and a half old."""
    now = utc_now()
    drawn = [simulated_post(number, persona_id, text=f"Naps on day {number}.") for number in range(COUNT)]
    ages = [timedelta(hours=1.5 + 3 * (COUNT - 1 - number)) for number in range(COUNT)]
    return [replace(each, published_at=now - age) for each, age in zip(drawn, ages, strict=True)]


@pytest.fixture
async def posts(stack: Stack, dsn: str, monkeypatch: pytest.MonkeyPatch, seed: int) -> Any:
    persona = samples()[0].model_copy(update={"persona_id": f"foretold-{seed}", "topics": ("naps", "bees")})
    async with EventProducer(stack.cluster, open_registry(None)) as producer:
        await producer.append_all([Output("personas", persona_applied(persona, utc_now()))])
    made = started(persona.persona_id)
    ms = [round(each.published_at.timestamp() * 1000) for each in made]
    published = columns(
        "posts.published",
        {
            "event_id": [f"published {each.post_id}" for each in made],
            "occurred_at": ms,
            "persona_id": persona.persona_id,
            "post_id": [each.post_id for each in made],
            "draft_id": pl.Series([None] * COUNT, dtype=pl.String),
            "text": [each.text for each in made],
            "simulated": True,
        },
    )
    steps = [
        (post.post_id, kind, count, at + minute * 60_000)
        for post, at in zip(made, ms, strict=True)
        for kind, count, minute in (
            ("view", post.views_10m, 5),
            ("view", post.views_1h - post.views_10m, 30),
            ("view", post.views_1d - post.views_1h, 300),
            ("like", post.engagements_1d, 400),
            ("view", 5_000, 2_000),
        )
    ]
    counted = engagement(
        0,
        [f"e{number}" for number in range(len(steps))],
        persona_id=persona.persona_id,
        post_id=[each[0] for each in steps],
        kind=[each[1] for each in steps],
        count=[each[2] for each in steps],
        occurred_at=[each[3] for each in steps],
    )
    await write(dsn, [published, counted])
    monkeypatch.setenv("THREADS_HOME", str(stack.home))
    monkeypatch.setenv("THREADS_POSTGRES_DSN", dsn)
    current_settings.cache_clear()
    yield made
    current_settings.cache_clear()


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["forecast", *arguments], env={"COLUMNS": "80"})


def test_posts_are_foretold_and_the_coverage_is_that_of_the_pure_code(posts: list[PostStart]) -> None:
    persona_id = posts[0].persona_id
    told = json.loads(ran("coverage", "--persona", persona_id, "--json").stdout)
    exact = [coverage(posts, minutes, utc_now()) for minutes in (10, 60)]
    assert [(each["posts"], each["share"]) for each in told] == [(each.posts, each.share) for each in exact if each]
    young = json.loads(ran("post", posts[-1].post_id, "--json").stdout)
    assert [each["minutes"] for each in young] == [10, 60]
    assert young[1]["views_so_far"] == posts[-1].views_1h
    pure = [forecast(posts[-1], posts, minutes, utc_now()) for minutes in (10, 60)]
    assert young == [asdict(each) for each in pure if each]
    for arguments in (("coverage",), ("post", posts[-1].post_id), ("hours", "--persona", persona_id)):
        table = ran(*arguments)
        assert table.exit_code == 0, table.output
        assert max(map(len, table.stdout.splitlines())) <= 80


def test_topics_and_hours_are_told_with_what_is_not_enough(posts: list[PostStart]) -> None:
    persona_id = posts[0].persona_id
    told = {
        each["topic"]: each
        for each in json.loads(ran("trends", "--persona", persona_id, "--days", "3", "--json").stdout)
    }
    assert told["bees"]["verdict"] == "too little history"
    assert told["naps"]["posts"] + told["naps"]["before"] == sum(each.is_finished(utc_now()) for each in posts)
    assert max(map(len, ran("trends", "--persona", persona_id).stdout.splitlines())) <= 80
    hours = json.loads(ran("hours", "--persona", persona_id, "--json").stdout)
    assert sum(each["posts"] for each in hours) == sum(each.is_finished(utc_now()) for each in posts)


@pytest.mark.usefixtures("posts")
def test_what_is_unknown_is_said_with_what_to_do() -> None:
    assert "no post nothing in the last 180 days" in " ".join(ran("post", "nothing").output.split())
    assert "there is no persona nobody" in " ".join(ran("hours", "--persona", "nobody").output.split())
    few = ran("coverage", "--persona", "nobody")
    assert few.exit_code == 1
    assert "not enough history" in few.output
