"""Webhooks by the commands and the role, on the real broker: added, told of every kind of event, tested, removed."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from agents.webhooks.commands import webhooks
from agents.webhooks.events import EVENT_TYPES, NAMES
from agents.webhooks.looking import latest_deliveries
from agents.webhooks.subscriptions import read_subscriptions
from schemas.catalogue import topic_named
from streams.engine.stage import Output
from streams.json_records import parse_record
from streams.settings import current_settings
from streams.wall_clock import utc_now
from tests.conftest import REPOSITORY, Stack
from tests.faults.conftest import SpawnWorker
from tests.support.webhook_receiver import Reply, webhook_receiver
from tests.support.webhooks_broker import ENVIRONMENT, accept, accepted_drafts, append, with_webhooks

GOLDEN = REPOSITORY / "tests" / "golden"
NOWHERE = 2**40  # an offset that persona.requests does not reach


@pytest.fixture
def run(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command against the session's broker, in another thread than the receiver's."""
    for name, value in {**ENVIRONMENT, "THREADS_HOME": str(stack.home), "COLUMNS": "250"}.items():
        monkeypatch.setenv(name, value)
    current_settings.cache_clear()

    async def run_in_thread(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, webhooks, list(arguments))

    yield run_in_thread
    current_settings.cache_clear()


def events_now(persona_id: str) -> list[Output]:
    """Return a golden record of each topic that is told, of a persona and this moment."""
    outputs = []
    for each in EVENT_TYPES:
        text = json.loads((GOLDEN / f"{each.topic}.json").read_text(encoding="utf-8"))
        text |= {"event_id": uuid4().hex, "occurred_at": (utc_now() + timedelta(seconds=1)).isoformat()}
        if "persona_id" in text:
            text["persona_id"] = persona_id
        if each.topic == "dead.letters":
            text |= {"source_topic": "persona.requests", "source_offset": NOWHERE}  # no request of another test
        record = parse_record(topic_named(each.topic).record, json.dumps(text))
        outputs.append(Output(each.topic, record))
    return outputs


@pytest.mark.timeout(120)
async def test_a_webhook_is_added_told_of_every_kind_of_event_tested_turned_off_and_removed(
    stack: Stack, spawn_worker: SpawnWorker, run: Any
) -> None:
    persona_id = f"p-{uuid4().hex}"
    async with webhook_receiver() as receiver:
        added = await run("add", f"{receiver.url}/a")
        assert added.exit_code == 0, added.output
        [secret] = re.findall(r"whsec_\S+", added.stdout)
        [subscription_id] = re.findall(r"whk_\w+", added.stdout)
        tested = await run("test", subscription_id)
        assert (tested.exit_code, tested.stdout[:14]) == (0, "delivered, 204")
        assert receiver.at("/a")[0].verified(secret)["type"] == "webhook.test"

        worker = spawn_worker("webhooks", slot="0", **ENVIRONMENT)
        await worker.until_running()
        await append(stack, *events_now(persona_id))
        posts = (await receiver.until("/a", 1 + len(NAMES)))[1:]
        told = {post.verified(secret)["type"] for post in posts}
        assert told == set(NAMES)

        receiver.always["/a"] = Reply(410)
        await accept(stack, accepted_drafts(1, persona_id))
        settings = with_webhooks(stack)

        async def found() -> Any:
            return (await read_subscriptions(settings)).find(subscription_id)

        while (await found()).active:
            assert worker.process.poll() is None, worker.log()[-2_000:]
        listed = await run("list", "--json")
        [own] = [each for each in json.loads(listed.stdout) if each["subscription_id"] == subscription_id]
        assert (own["active"], own["stopped_because"]) == (False, "the receiver answered 410")
        assert secret not in listed.stdout
        assert subscription_id in (await run("list")).stdout
        deliveries = await latest_deliveries(settings, subscription_id, 50)
        assert [each.outcome for each in deliveries].count("delivered") == len(NAMES)
        assert deliveries[0].outcome == "dropped"
        shown = await run("deliveries", subscription_id, "--limit", "3")
        assert shown.stdout.count("delivered") + shown.stdout.count("dropped") == 3
        assert (await run("remove", subscription_id)).exit_code == 0
        assert await found() is None
        worker.stop()


async def test_what_can_not_be_added_or_is_not_there_is_said(stack: Stack, run: Any) -> None:
    unknown = await run("add", "https://tools.example/hook", "--event", "draft.acepted")
    assert "draft.accepted" in str(unknown.exception)
    refused = await run("add", "http://169.254.169.254/latest/meta-data")
    assert "link-local" in str(refused.exception)
    for command in ("remove", "test"):
        assert "no webhook 'whk_nothing'" in str((await run(command, "whk_nothing")).exception)
    assert "no deliveries" in (await run("deliveries", "whk_nothing")).stdout


async def test_a_tenant_has_no_more_webhooks_than_it_may(
    stack: Stack, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THREADS_WEBHOOKS_SUBSCRIPTIONS", "2")
    current_settings.cache_clear()
    tenant = f"t-{uuid4().hex}"
    made = [await run("add", "https://tools.example/hook", "--tenant", tenant) for _ in range(3)]
    assert [each.exit_code for each in made] == [0, 0, 1]
    assert "THREADS_WEBHOOKS_SUBSCRIPTIONS" in str(made[2].exception)
    for each in made[:2]:
        [subscription_id] = re.findall(r"whk_\w+", each.stdout)
        assert (await run("remove", subscription_id)).exit_code == 0
