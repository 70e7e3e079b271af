"""A whole run on the offline model: requests over eight personas end in the report, and none is left open."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.llm.provider import EMBEDDED_LANGUAGES, EMBEDDED_MODEL
from agents.personas.persona import Persona
from agents.personas.persona_topic import persona_applied
from schemas.records import PersonaRequest
from schemas.registries.registry import open_registry
from sinks.reports.commands import drafts
from sinks.reports.queries import NoTables, report
from streams.endpoints import update_endpoints
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.settings import current_settings
from tests.conftest import Stack
from tests.support.drafting import samples
from tests.support.sink_workers import sink_workers

REQUESTS, PERSONAS = 12, 8
DEADLINE_S = 420.0  # a busy machine writes three drafts a minute


def personas(seed: int) -> list[Persona]:
    """Eight personas of this run's own: those that write what the offline model writes, and one that does not."""
    able = [each for each in samples() if set(each.languages) & set(EMBEDDED_LANGUAGES)]
    others = [each for each in samples() if each not in able]
    chosen = [*able[: PERSONAS - 1], *others][:PERSONAS]
    return [each.model_copy(update={"persona_id": f"{each.persona_id}-{seed}"}) for each in chosen]


def requests(of: list[Persona]) -> list[PersonaRequest]:
    return [
        PersonaRequest(
            event_id=f"{each.persona_id}-{number}",
            occurred_at=datetime.now(UTC),
            persona_id=each.persona_id,
            brief=f"{each.topics[number % 3]} and {each.topics[3 + number % 2]}",
        )
        for number in range(REQUESTS)
        for each in (of[number % PERSONAS],)
    ]


def is_settled(since: datetime) -> bool:
    try:
        totals = report(current_settings(), "totals", {"persona": None, "since": since}, file="drafting.sql")[-1]
    except NoTables:
        return False
    return bool(totals["requests"] == REQUESTS and totals["requests_open"] == 0)


def reported(*options: str) -> str:
    ran = CliRunner().invoke(drafts, ["report", *options], catch_exceptions=False, env={"COLUMNS": "120"})
    return ran.stdout


@pytest.mark.timeout(540)
async def test_requests_on_the_offline_model_are_all_decided_or_refused_with_a_reason(
    stack: Stack, llm: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = personas(seed)
    update_endpoints(tmp_path, llm=llm)
    producer = EventProducer(stack.cluster, open_registry(None))
    async with sink_workers(stack, ("generation", "spend", "sink-postgres"), tmp_path) as workers:
        monkeypatch.setenv("THREADS_POSTGRES_DSN", workers.dsn)
        current_settings.cache_clear()
        now = datetime.now(UTC).replace(microsecond=0)
        await producer.append_all([Output("personas", persona_applied(each, now)) for each in ours])
        await producer.append_all([Output("persona.requests", each) for each in requests(ours)])
        await producer.stop()
        async with asyncio.timeout(DEADLINE_S):
            while not await asyncio.to_thread(is_settled, now):
                await asyncio.sleep(0.5)
        since = ("--since", now.strftime("%Y-%m-%dT%H:%M:%S"))
        found = json.loads(await asyncio.to_thread(reported, "--json", *since))
        shown = await asyncio.to_thread(reported, *since)
        await workers.stop()
    print(shown)  # noqa: T201 - pytest -s shows the report
    current_settings.cache_clear()
    total = found["total"]
    refused = sum(found["dead_letters_by_reason"].values())
    assert len(found["by_persona"]) == PERSONAS
    assert total["accepted"] + total["rejected"] + refused == REQUESTS
    assert sum(found["rejected_by_reason"].values()) == total["rejected"]
    assert total["accepted"] > 0, shown
    assert 0 < total["calls"] <= 6 * REQUESTS
    assert (total["cost_micros"], total["unpriced_calls"]) == (0, 0), EMBEDDED_MODEL
    assert any("writes en only" in reason for reason in found["dead_letters_by_reason"])
