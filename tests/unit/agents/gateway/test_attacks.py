"""What a client can send holds up nobody else, counts for whom it is of, and learns nothing of others."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from agents.costs.budget import EVERYONE, BudgetLevel, BudgetUse, periods_at
from agents.deduplication.accepted_drafts import Nearest, Resemblance
from agents.deduplication.reasons import duplicate_reason, without_strangers
from agents.deduplication.verdict import FITTED, judge
from agents.gateway.auth.caller import ALL_TENANTS, Caller
from agents.gateway.front import MOST_SINGLE_BYTES, Front
from agents.gateway.live.ring import Ring
from agents.gateway.live.tail import Tail
from agents.gateway.metrics import RequestMetrics
from agents.gateway.problems import Refused
from agents.gateway.rates import network_of
from agents.gateway.redaction import redacted
from agents.gateway.routes.personas import MOST_SHOWN, _content, check
from agents.gateway.routes.pipeline import waiting
from agents.gateway.routes.requests import BODY
from agents.spend.budget_report import BudgetLine
from schemas.catalogue import topic_named
from schemas.registries.registry import open_registry
from streams.kafka.cluster import Cluster
from tests.support.settings import settings_with

AT = datetime(2026, 11, 27, 13, tzinfo=UTC)


def request_with(body: bytes, media_type: str = "application/json") -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "headers": [(b"content-type", media_type.encode())]}, receive)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_clients_of_a_socket_of_both_versions_are_counted_apart(one: IPv4Address, other: IPv4Address) -> None:
    assert network_of(f"::ffff:{one}") == str(one)
    assert (network_of(f"::ffff:{one}") == network_of(f"::ffff:{other}")) is (one == other)


async def test_a_key_that_stands_twice_among_very_many_is_found_in_no_time() -> None:
    pairs = ", ".join(f'"k{index}": 1' for index in range(100_000))
    async with asyncio.timeout(60):  # each key was looked up in all of them: hours
        _, problems = await _content(request_with(f'{{{pairs}, "k7": 2}}'.encode()))
    assert [each.detail for each in problems] == ["'k7' stands twice; keep one"]


@pytest.mark.parametrize("count", [0, 501, 200_000])
async def test_a_list_that_is_too_long_is_refused_whole_and_not_item_by_item(count: int) -> None:
    body = json.dumps([{}] * count).encode()
    with pytest.raises(Refused, match=f"expected a list of 1 to 500, got {count}"):
        await BODY.read(request_with(body))


async def test_a_body_of_very_many_wrong_fields_is_refused_without_naming_them() -> None:
    body = json.dumps(dict.fromkeys(map(str, range(20_000)))).encode()
    with pytest.raises(Refused, match="20,002 fields are not as expected") as caught:
        await BODY.read(request_with(body))
    assert caught.value.status == 422


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"examples": [{}] * 60_000}, "fields are not as expected"),
        (dict.fromkeys(map(str, range(20_000))), "fields are not as expected"),
        ({"personas": [{}] * 80_000}, "is missing"),
        ({"personas": {}}, "is missing"),
    ],
)
async def test_a_definition_in_which_very_much_is_wrong_is_checked_as_fast_as_any(body: object, told: str) -> None:
    caller = Caller("ada", "operator", "acme")
    checked = await check(request_with(json.dumps(body).encode()), caller)
    assert not checked.valid
    assert told in checked.problems[0].detail
    assert len(checked.problems) <= MOST_SHOWN


@pytest.mark.parametrize("path", ["/v1/session", "/v1/personas/check", "/v1/drafts/d/reject", "/v1/tokens", "/"])
@pytest.mark.parametrize("says_so", [True, False])
async def test_what_takes_one_thing_takes_no_great_body(path: str, says_so: bool) -> None:
    front = Front(_nothing, RequestMetrics(), 2**21)
    body, headers = b" " * (MOST_SINGLE_BYTES + 1), [(b"content-length", str(MOST_SINGLE_BYTES + 1).encode())]

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    scope: dict[str, Any] = {"path": path, "headers": headers if says_so else []}
    with pytest.raises(HTTPException) as caught:
        await front._bounded(scope, receive)()
    assert caught.value.status_code == 413
    assert (await front._bounded({**scope, "path": "/v1/engagement"}, receive)())["body"] == body


async def _nothing(*_: Any) -> None:
    raise AssertionError("is not asked")


@pytest.mark.parametrize(("tenant", "persona_id", "shows"), [
    (ALL_TENANTS, EVERYONE, True), ("acme", EVERYONE, False), ("acme", "ada", True)
])  # fmt: skip
def test_a_request_that_waits_tells_no_tenant_what_all_together_spent(
    tenant: str, persona_id: str, shows: bool
) -> None:
    level = BudgetLevel("pause", AT, "spent $12.30 of $12")
    use = BudgetUse(persona_id, periods_at(AT)[1], 12_300_000, 12_000_000)
    line = BudgetLine(persona_id, use, use, 0, level)
    told = waiting(Caller("ada", "viewer", tenant), line)
    assert ("12" in told.partition(";")[0]) is shows
    assert told.endswith("goes on at 2026-11-27T13:00:00.000+00:00")


DIFFERENT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Z"], exclude_characters='"\\\\'), min_size=1
)


@given(DIFFERENT, DIFFERENT, st.sampled_from(("the same text as", "similarity 0.981 reaches the limit of 0.92 to")))
def test_a_duplicate_names_no_persona_of_another_tenant(persona_id: str, draft_id: str, how: str) -> None:
    verdict = judge((), Resemblance(draft_id, persona_id, 1.0), Nearest(), FITTED["blend"])
    exact, *_ = verdict.reasons
    told = duplicate_reason(how, draft_id, persona_id)
    for text in (exact, told, json.dumps({"reasons": [told, exact]}, ensure_ascii=False)):
        assert without_strangers(text, lambda name: name == persona_id) == text
        hidden = without_strangers(text, lambda _: False)
        assert f"persona {persona_id}" not in hidden
        assert hidden.count("another tenant") >= text.count("duplicate: ") - persona_id.count("duplicate: ")


@pytest.mark.parametrize("text", ["://" + ":" * 300_000, "://a:" * 60_000, "eyJ" * 100_000, "bearer " * 40_000])
def test_a_long_text_is_redacted_in_no_time(text: str) -> None:
    assert redacted(text) == text  # it took minutes


async def test_a_feed_tells_no_addresses_of_what_is_away(tmp_path: Path) -> None:
    settings = settings_with(home=tmp_path, kafka="127.0.0.1:9", io_timeout_s=1)
    ring, told = Ring("kpi.updates", 2**16), asyncio.Event()
    with ThreadPoolExecutor(1) as decoding:
        registry = open_registry(None)
        tail = Tail(Cluster.of(settings), topic_named("kpi.updates"), registry, decoding, ring=ring, on_news=told.set)
        reading = asyncio.create_task(tail.run())
        async with asyncio.timeout(30):
            await told.wait()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert ring.away == "Kafka does not answer, or the topic is not there"
