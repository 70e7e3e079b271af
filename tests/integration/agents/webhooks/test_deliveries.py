"""Deliveries to receivers on loopback: signed, tried again, given up, each receiver on its own."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from agents.personas.directory import PersonaDirectory
from agents.webhooks.events import NAMES
from schemas.records import BudgetAlert, DraftDecided, KpiUpdate, Record, WebhookSubscription
from streams.embedded.ports import free_port
from streams.engine.batch import ColumnBatch, RowBatch, TopicPartition
from streams.wall_clock import utc_now
from tests.support.drafting import decided, draft, listed, rows
from tests.support.gateway import persona_named
from tests.support.webhook_receiver import Reply, WebhookReceiver, webhook_receiver
from tests.support.webhooks_stage import ListedSubscriptions, hooks

ACCEPTED = TopicPartition("drafts.accepted", 0)
KPIS = TopicPartition("kpi.updates", 0)


def accepted(number: int, text: str = "A hook", of: str = "ada") -> DraftDecided:
    made = decided(draft(text, "and a body", draft_id=f"draft-{number}", persona_id=of))
    return replace(made, occurred_at=utc_now())


def drafts(count: int, first: int = 0) -> RowBatch[Any]:
    return rows(ACCEPTED, [accepted(first + number) for number in range(count)], first)


def kpi(views: int, persona_id: str = "ada", window: str = "1h") -> KpiUpdate:
    now = utc_now()
    return KpiUpdate(
        event_id=f"{persona_id}-{window}-{views}",
        occurred_at=now,
        persona_id=persona_id,
        window=window,
        window_end=now,
        views=views,
    )


def views_told(receiver: WebhookReceiver, path: str) -> list[int]:
    return [json.loads(each.body)["data"]["views"] for each in receiver.at(path)]


async def test_an_event_is_posted_with_a_signature_that_another_implementation_verifies() -> None:
    async with webhook_receiver() as receiver, hooks() as told:
        subscription, secret = told.subscribe(f"{receiver.url}/a")
        text = "Ґрати 🐈 مرحبا <script>alert(1)</script>"
        await told.stage.add(rows(ACCEPTED, [accepted(1, text)]))
        [post] = await receiver.until("/a", 1)
        body = post.verified(secret)
        assert body["data"]["draft"]["hook"] == text
        assert (body["type"], body["tenant"], body["id"]) == ("draft.accepted", "*", post.webhook_id)
        assert post.headers["content-type"] == "application/json"
        await told.until(lambda: told.outcomes() == ["delivered"])
        [attempt] = told.told()
        assert (attempt.subscription_id, attempt.attempt, attempt.status) == (subscription.subscription_id, 1, 204)


async def test_the_secret_of_another_subscription_verifies_nothing() -> None:
    async with webhook_receiver() as receiver, hooks() as told:
        told.subscribe(f"{receiver.url}/a")
        _, other = told.subscribe(f"{receiver.url}/b")
        await told.stage.add(drafts(1))
        [post] = await receiver.until("/a", 1)
        with pytest.raises(Exception, match="No matching signature"):
            post.verified(other)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_a_transient_answer_is_tried_again_under_the_same_id(status: int) -> None:
    async with webhook_receiver() as receiver, hooks() as told:
        _, secret = told.subscribe(f"{receiver.url}/a")
        receiver.replies["/a"] = [Reply(status), Reply(status)]
        await told.stage.add(drafts(1))
        posts = await receiver.until("/a", 3)
        await told.until(lambda: told.outcomes() == ["retrying", "retrying", "delivered"])
        assert len({post.webhook_id for post in posts}) == 1
        assert len({json.dumps(post.verified(secret)) for post in posts}) == 1
        assert [each.attempt for each in told.told()] == [1, 2, 3]
        assert told.letters() == []


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 400, 401, 403, 404, 405, 413, 422])
async def test_a_final_answer_is_a_dead_letter_at_once_and_a_redirect_is_not_followed(status: int) -> None:
    async with webhook_receiver() as receiver, hooks() as told:
        told.subscribe(f"{receiver.url}/a")
        receiver.always["/a"] = Reply(status, {"location": f"{receiver.url}/elsewhere"})
        await told.stage.add(drafts(1))
        await told.until(lambda: told.outcomes() == ["given_up"])
        assert len(receiver.at("/a")) == 1
        assert receiver.at("/elsewhere") == []
        [letter] = told.letters()
        assert (letter.consumer, letter.source_topic, letter.key) == ("webhooks", "drafts.accepted", b"ada")
        assert letter.value == receiver.at("/a")[0].body
        assert f"the receiver answered {status}" in letter.reason


async def test_it_is_given_up_after_its_attempts_and_told() -> None:
    async with webhook_receiver() as receiver, hooks(webhooks_attempts=3) as told:
        told.subscribe(f"{receiver.url}/a")
        receiver.always["/a"] = Reply(503)
        await told.stage.add(drafts(1))
        await told.until(lambda: told.outcomes() == ["retrying", "retrying", "given_up"])
        assert len(told.letters()) == 1
        await told.until(lambda: not told.state)


async def test_a_wait_that_the_receiver_asks_for_is_kept_to() -> None:
    async with webhook_receiver() as receiver, hooks() as told:
        told.subscribe(f"{receiver.url}/a")
        receiver.replies["/a"] = [Reply(429, {"retry-after": "1"})]
        began = time.monotonic()
        await told.stage.add(drafts(1))
        await receiver.until("/a", 2)
        assert time.monotonic() - began >= 1.0


async def test_a_receiver_that_is_away_or_does_not_answer_is_tried_again() -> None:
    async with webhook_receiver() as receiver, hooks(webhooks_timeout_s=0.2, webhooks_attempts=2) as told:
        told.subscribe(f"http://127.0.0.1:{free_port()}/", "draft.accepted")
        slow, _ = told.subscribe(f"{receiver.url}/slow", "draft.accepted")
        receiver.always["/slow"] = Reply(after_s=30.0)
        await told.stage.add(drafts(1))
        await told.until(lambda: sorted(told.outcomes()) == ["given_up", "given_up", "retrying", "retrying"])
        reasons = {each.subscription_id == slow.subscription_id: each.reason for each in told.told()}
        assert reasons[True] == "the receiver did not answer within 0.2 s"
        assert "Connect" in reasons[False]


async def test_a_gone_receiver_is_turned_off_and_what_waits_for_it_dropped() -> None:
    async with webhook_receiver() as receiver, hooks(webhooks_at_once=1) as told:
        subscription, _ = told.subscribe(f"{receiver.url}/a")
        receiver.always["/a"] = Reply(410)
        await told.stage.add(drafts(5))
        await told.until(lambda: told.outcomes() == ["dropped"] * 5)
        assert len(receiver.at("/a")) == 1
        [off] = [each.record for each in told.outputs if isinstance(each.record, WebhookSubscription)]
        assert (off.subscription_id, off.active, off.url) == (subscription.subscription_id, False, subscription.url)
        assert off.stopped_because == "the receiver answered 410"
        assert told.letters() == []
        await told.stage.add(drafts(1, first=5))
        await told.flush()
        assert len(receiver.at("/a")) == 1


async def test_a_removed_subscription_gets_nothing_more() -> None:
    async with webhook_receiver() as receiver, hooks(webhooks_first_retry_s=0.3, webhooks_longest_retry_s=0.3) as told:
        gone, _ = told.subscribe(f"{receiver.url}/gone")
        told.subscribe(f"{receiver.url}/stays")
        receiver.replies["/gone"] = [Reply(503)]
        await told.stage.add(drafts(1))
        await receiver.until("/gone", 1)
        told.log.append(gone.subscription_id, None)
        await told.stage.add(drafts(1, first=1))
        await receiver.until("/stays", 2)
        await told.until(lambda: "dropped" in told.outcomes())
        assert len(receiver.at("/gone")) == 1


async def test_a_slow_receiver_holds_up_no_other_and_is_never_asked_more_than_a_few_things_at_once() -> None:
    async with webhook_receiver() as receiver, hooks(webhooks_at_once=3) as told:
        told.subscribe(f"{receiver.url}/slow")
        told.subscribe(f"{receiver.url}/quick")
        receiver.held["/slow"] = asyncio.Event()
        await told.stage.add(drafts(200))
        await receiver.until("/quick", 200)
        assert len(receiver.at("/slow")) == 3
        receiver.held["/slow"].set()
        await receiver.until("/slow", 200)
        await told.until(lambda: told.outcomes() == ["delivered"] * 400)
        assert receiver.most_under_way == {"/slow": 3, "/quick": 3}
        assert len({post.webhook_id for post in receiver.at("/slow")}) == 200


async def test_more_than_may_wait_is_a_dead_letter_and_others_are_not_concerned() -> None:
    async with webhook_receiver() as receiver, hooks(webhooks_at_once=1, webhooks_waiting=10) as told:
        told.subscribe(f"{receiver.url}/a")
        receiver.held["/a"] = asyncio.Event()
        await told.stage.add(drafts(15))
        await told.until(lambda: told.outcomes() == ["given_up"] * 5)
        assert {each.reason for each in told.told()} == {"10 deliveries wait already"}
        assert len({letter.event_id for letter in told.letters()}) == 5
        receiver.held["/a"].set()
        await receiver.until("/a", 10)


async def test_what_is_not_at_its_end_is_delivered_by_the_next_owner_of_the_partition_under_its_id() -> None:
    log = ListedSubscriptions()
    async with webhook_receiver() as receiver:
        receiver.always["/a"] = Reply(503)
        async with hooks(log=log) as before:
            subscription, secret = before.subscribe(f"{receiver.url}/a")
            await before.stage.add(drafts(3))
            await before.until(lambda: before.outcomes().count("retrying") >= 3)
            await before.flush()
            state = list(before.state.items())
        failed = {post.webhook_id for post in receiver.at("/a")}
        receiver.always.clear()
        receiver.received.clear()
        log.add(subscription)
        async with hooks(log=log, state=state) as after:
            posts = await receiver.until("/a", 3)
            assert {post.webhook_id for post in posts} == failed
            assert [post.verified(secret)["type"] for post in posts] == ["draft.accepted"] * 3
            await after.until(lambda: not after.state)
            assert sorted(each.attempt for each in after.told()) >= [2, 2, 2]


async def test_a_record_that_comes_again_is_delivered_under_the_same_id() -> None:
    async with webhook_receiver() as receiver, hooks() as told:
        told.subscribe(f"{receiver.url}/a")
        batch = drafts(2)
        for times in (1, 2, 3):
            await told.stage.add(batch)
            await receiver.until("/a", 2 * times)
            await told.until(lambda times=times: len(told.outcomes()) == 2 * times)  # type: ignore[misc]
        assert len({post.webhook_id for post in receiver.at("/a")}) == 2


async def test_state_is_let_go_of_only_a_flush_after_its_end_was_told() -> None:
    async with webhook_receiver() as receiver, hooks() as told:
        told.subscribe(f"{receiver.url}/a")
        receiver.held["/a"] = asyncio.Event()
        await told.stage.add(drafts(1))
        await receiver.until("/a", 1)
        assert len((await told.flush()).state) == 1
        receiver.held["/a"].set()
        while not (ended := await told.flush()).outputs:
            await asyncio.sleep(0.005)
        assert ended.state == []
        assert len(told.state) == 1
        assert told.stage.idle_flush_due()
        await told.flush()
        assert told.state == {}
        assert not told.stage.idle_flush_due()


async def test_events_from_before_a_subscription_and_of_other_kinds_are_not_told() -> None:
    async with webhook_receiver() as receiver, hooks() as told:
        told.subscribe(f"{receiver.url}/budgets", "budget.alert")
        told.subscribe(f"{receiver.url}/drafts", "draft.accepted")
        old = replace(accepted(1), occurred_at=utc_now() - timedelta(hours=1))
        await told.stage.add(rows(ACCEPTED, [old, accepted(2)]))
        [post] = await receiver.until("/drafts", 1)
        assert json.loads(post.body)["data"]["draft"]["draft_id"] == "draft-2"
        await told.until(lambda: told.outcomes() == ["delivered"])
        assert receiver.at("/budgets") == []


async def test_a_tenant_is_told_of_its_own_personas_and_those_of_all_tenants_of_everything() -> None:
    tenants = {"ada": "acme", "ben": "bolt", "cleo": "default"}
    directory = PersonaDirectory(listed([persona_named(name, tenant) for name, tenant in tenants.items()]))
    async with webhook_receiver() as receiver, hooks(directory=directory) as told:
        for tenant in ("acme", "bolt", "default", "*"):
            told.subscribe(f"{receiver.url}/{tenant}", "draft.accepted", tenant=tenant)
        personas = [*tenants, "nobody"]
        await told.stage.add(rows(ACCEPTED, [accepted(number, of=each) for number, each in enumerate(personas)]))
        await told.until(lambda: told.outcomes() == ["delivered"] * 7)
        own = {
            tenant: {json.loads(each.body)["data"]["persona_id"] for each in receiver.at(f"/{tenant}")}
            for tenant in ("acme", "bolt", "default", "*")
        }
        assert own == {"acme": {"ada"}, "bolt": {"ben"}, "default": {"cleo"}, "*": set(personas)}
        assert {json.loads(each.body)["tenant"] for each in receiver.at("/*")} == {"acme", "bolt", "default", "*"}


async def test_of_the_kpis_of_a_window_the_newest_is_told_in_the_end_and_few_of_the_others() -> None:
    async with webhook_receiver() as receiver, hooks(webhooks_kpi_interval_s=0.3) as told:
        told.subscribe(f"{receiver.url}/a", "kpi.updated")
        await told.stage.add(rows(KPIS, [kpi(1)], 1))
        await receiver.until("/a", 1)
        for views in range(2, 101):
            await told.stage.add(rows(KPIS, [kpi(views)], views))
        await receiver.until("/a", 2)
        assert views_told(receiver, "/a") == [1, 100]
        await told.stage.add(rows(KPIS, [kpi(7, window="24h"), kpi(8, persona_id="ben")], 101))
        await receiver.until("/a", 4)
        assert sorted(views_told(receiver, "/a")) == [1, 7, 8, 100]


async def test_a_receiver_that_was_away_is_told_the_newest_kpis_alone() -> None:
    async with webhook_receiver() as receiver, hooks(webhooks_kpi_interval_s=0.0) as told:
        told.subscribe(f"{receiver.url}/a", "kpi.updated")
        receiver.always["/a"] = Reply(503)
        for views in range(1, 51):
            await told.stage.add(rows(KPIS, [kpi(views)], views))
        await receiver.until("/a", 3)
        await told.until(lambda: len(told.state) == 1)
        receiver.always.clear()
        await told.until(lambda: "delivered" in told.outcomes())
        await told.until(lambda: not told.state)
        assert views_told(receiver, "/a")[-1] == 50


async def test_posts_that_come_as_columns_are_told() -> None:
    now = datetime.now(UTC)
    frame = pl.DataFrame(
        {
            "event_id": ["e1"],
            "occurred_at": [int(now.timestamp() * 1000)],
            "persona_id": ["ada"],
            "causation_id": [None],
            "post_id": ["p1"],
            "draft_id": ["d1"],
            "text": ["Hello"],
            "source": ["simulated"],
            "simulated": [True],
            "offset": [0],
        }
    )
    async with webhook_receiver() as receiver, hooks() as told:
        _, secret = told.subscribe(f"{receiver.url}/a")
        await told.stage.add(ColumnBatch(TopicPartition("posts.published", 0), frame))
        [post] = await receiver.until("/a", 1)
        data = post.verified(secret)["data"]
        assert (data["post_id"], data["text"], data["simulated"]) == ("p1", "Hello", True)


async def test_a_name_that_resolves_to_loopback_is_refused_where_private_addresses_are() -> None:
    async with webhook_receiver() as receiver, hooks() as told:
        port = receiver.url.rpartition(":")[2]
        for host in ("localhost", "0x7f000001", "127.0.0.1"):
            told.subscribe(f"http://{host}:{port}/a", "draft.accepted")
        log = told.log
    async with webhook_receiver(), hooks(log=log, webhooks_allow_private=False) as strict:
        await strict.stage.add(drafts(1))
        await strict.until(lambda: strict.outcomes() == ["given_up"] * 3)
        assert all("not public" in each.reason for each in strict.told())
        assert receiver.received == []


async def test_a_worker_with_another_key_signs_nothing_and_says_why() -> None:
    async with webhook_receiver() as receiver, hooks() as told:
        told.subscribe(f"{receiver.url}/a", "draft.accepted")
        log = told.log
    other = "another key of thirty-two bytes..."
    async with hooks(log=log, webhooks_key=other, webhooks_attempts=1) as strange:
        await strange.stage.add(drafts(1))
        await strange.until(lambda: strange.outcomes() == ["given_up"])
        assert "THREADS_WEBHOOKS_KEY" in strange.letters()[0].reason
        assert receiver.received == []


async def test_while_the_subscriptions_can_not_be_read_deliveries_wait() -> None:
    log = ListedSubscriptions()
    async with webhook_receiver() as receiver:
        receiver.always["/a"] = Reply(503)
        async with hooks(log=log) as before:
            before.subscribe(f"{receiver.url}/a")
            await before.stage.add(drafts(1))
            await before.until(lambda: len(before.outcomes()) > 0)
            await before.flush()
            state = list(before.state.items())
        receiver.received.clear()
        log.is_away = True
        async with hooks(log=log, state=state) as after:
            await after.until(after.stage.idle_flush_due)
            assert receiver.received == []
            assert after.outcomes() == []


async def test_drained_it_begins_nothing_takes_answers_under_way_and_goes_on_when_resumed() -> None:
    async with webhook_receiver() as receiver, hooks(webhooks_at_once=2) as told:
        told.subscribe(f"{receiver.url}/a")
        receiver.held["/a"] = asyncio.Event()
        await told.stage.add(drafts(5))
        await receiver.until("/a", 2)
        draining = asyncio.create_task(told.stage.drain(10.0))
        await asyncio.sleep(0)
        receiver.held["/a"].set()
        assert await draining
        assert len(receiver.at("/a")) == 2
        await told.flush()
        assert told.outcomes() == ["delivered"] * 2
        told.stage.resume()
        await told.until(lambda: told.outcomes() == ["delivered"] * 5)


async def test_a_receiver_that_sends_without_end_is_not_read() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
                await writer.drain()
                sent += 65_536
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0, family=socket.AF_INET)
    async with server, hooks() as told:
        told.subscribe(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", "draft.accepted")
        await told.stage.add(drafts(1))
        await told.until(lambda: told.outcomes() == ["delivered"])
        assert sent < 16 * 2**20


def alert(kind: Any) -> Record:
    now = utc_now()
    return BudgetAlert(
        event_id=f"alert-{kind}", occurred_at=now, persona_id="*", kind=kind, period="day", period_start=now,
        spent_micros=5,
    )  # fmt: skip


async def test_alerts_of_all_personas_together_are_told() -> None:
    async with webhook_receiver() as receiver, hooks() as told:
        _, secret = told.subscribe(f"{receiver.url}/a", *NAMES)
        await told.stage.add(rows(TopicPartition("budget.alerts", 0), [alert("pause")]))
        [post] = await receiver.until("/a", 1)
        assert post.verified(secret)["data"]["kind"] == "pause"
