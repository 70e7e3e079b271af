"""What the gateway shows is what the commands print, page by page, by indexes, and to those alone who may see it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from agents.gateway.parameters import time_place
from agents.gateway.routes.dead_letters import SHOWN_BYTES
from agents.spend.commands import budgets
from schemas.records import CostSaving, DeadLetter, DraftReviewed, PersonaRequest, PostState
from sinks.reports.commands import costs, drafts, kpis
from sinks.reports.queries import statement
from streams.engine.batch import Batch
from tests.conftest import Stack
from tests.support.gateway import GatewayUnderTest, persona_named, running_gateway
from tests.support.postgres_tables import write
from tests.support.printed_commands import parsed
from tests.support.sink_batches import NOON, calls, columns, decided, draft, engagement, kpi, rows, scored

STRANGE = "🙂 \u202eשלום\u202c"
PAGE, MOST_PAGES = 4, 100


def asked(number: int, **changes: Any) -> PersonaRequest:
    made = PersonaRequest(
        event_id=f"request-{number}",
        occurred_at=NOON + timedelta(seconds=number),
        persona_id="nova",
        brief=f"{STRANGE} {number}",
    )
    return replace(made, **changes)


def letter(number: int, **changes: Any) -> DeadLetter:
    made = DeadLetter(
        event_id=f"letter-{number}",
        occurred_at=NOON + timedelta(seconds=number),
        consumer="generation",
        source_topic="persona.requests",
        source_partition=0,
        source_offset=number,
        source_timestamp=NOON,
        key=b"\x00\xff",
        value=b"\xffvalue" * number,
        error_class="RecordFault",
        reason=f"no usable answer {number} {STRANGE}",
    )
    return replace(made, **changes)


def saving(measure: Literal["cache", "tier"], persona_id: str = "nova") -> CostSaving:
    return CostSaving(
        event_id=f"saving-{measure}-{persona_id}",
        occurred_at=NOON,
        persona_id=persona_id,
        step="body",
        measure=measure,
        model="gpt",
        saved_micros=5,
    )


def reviewed(number: int, digest: str, **changes: Any) -> DraftReviewed:
    made = DraftReviewed(
        event_id=f"review-{number}",
        occurred_at=NOON,
        persona_id="nova",
        draft_id=f"draft-{number}",
        content_digest=digest,
        decision="rejected",
        reason=STRANGE,
        reviewed_by="token:page",
    )
    return replace(made, **changes)


def posts(numbers: Sequence[int]) -> Batch:
    count = len(numbers)
    return columns(
        "posts.published",
        {
            "event_id": [f"published-{n}" for n in numbers],
            "occurred_at": [int((NOON + timedelta(minutes=n)).timestamp() * 1000) for n in numbers],
            "post_id": [f"post-{n}" for n in numbers],
            "draft_id": [f"draft-{n}" for n in numbers],
            "text": [STRANGE] * count,
            "source": ["threads"] * count,
            "simulated": [False] * count,
        },
    )


def state(number: int, **changes: Any) -> PostState:
    made = PostState(
        event_id=f"state-{number}",
        occurred_at=NOON + timedelta(seconds=number),
        persona_id="nova",
        publication_id=f"publication-{number}",
        sequence=1,
        state="scheduled",
        platform="threads",
        draft_id=f"draft-{number}",
        text=STRANGE,
        content_digest="0" * 64,
        due_at=NOON + timedelta(hours=1),
    )
    return replace(made, **changes)


async def fill(dsn: str, *batches: Batch) -> None:
    await write(dsn, batches)


@pytest.fixture
async def shown(stack: Stack, current_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GatewayUnderTest]:
    """A gateway on an empty database of the test's own, which the commands read, too."""
    monkeypatch.setenv("THREADS_KAFKA", stack.bootstrap)
    await fill(current_dsn)
    settings = stack.settings.model_copy(update={"postgres_dsn": SecretStr(current_dsn)})
    async with running_gateway(settings) as running:
        await running.apply(persona_named("nova"), persona_named("rex", tenant="acme"))
        yield running


async def found(client: httpx.AsyncClient, path: str, **parameters: Any) -> Any:
    answer = await client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def printed(command: Any, *arguments: str) -> Any:
    return await asyncio.to_thread(parsed, command, *arguments)


async def test_answers_are_what_the_commands_print(shown: GatewayUnderTest, current_dsn: str) -> None:
    first = replace(draft(0, STRANGE), request_id="request-0")
    await fill(
        current_dsn,
        rows("persona.requests", 0, [asked(0)]),
        rows("drafts.generated", 0, [first, *(replace(draft(n), request_id="request-0") for n in (1, 2))]),
        rows("drafts.scored", 0, [scored(1)]),
        rows("drafts.accepted", 0, [replace(decided(0, "accepted"), draft=first)]),
        rows("drafts.reviews", 0, [reviewed(0, hashlib.sha256(first.text.encode()).hexdigest())]),
        rows("cost.savings", 0, [saving("cache"), saving("tier", "rex")]),
        rows("kpi.updates", 0, [kpi("1h", 1, 10), kpi("lifetime", 1, 20)]),
        engagement(0, [f"e-{n}" for n in range(9)]),
        posts(range(3)),
        calls(),
    )
    everybody = await shown.client("viewer", "*")
    assert (await found(everybody, "/v1/kpis"))["items"] == await printed(kpis)
    assert (await found(everybody, "/v1/kpis/daily"))["items"] == await printed(kpis, "daily")
    assert (await found(everybody, "/v1/posts"))["items"] == await printed(kpis, "posts")
    listed = (await found(everybody, "/v1/drafts"))["items"]
    assert listed == (await printed(drafts))[::-1]
    assert [each["review"] and each["review"]["reason"] for each in listed] == [None, None, STRANGE]
    assert await found(everybody, "/v1/costs") == await printed(costs)
    assert await found(everybody, "/v1/costs/saved") == await printed(costs, "--saved")
    trace = await found(everybody, "/v1/requests/request-0")
    assert {name: trace.pop(name) for name in ("request_id", "status", "reasons")} == {
        "request_id": "request-0",
        "status": "decided",
        "reasons": [],
    }
    assert trace == await printed(drafts, "trace", "request-0")
    spent, told = await found(everybody, "/v1/budgets"), await printed(budgets)
    assert set(spent) == set(told)
    assert [set(each) for each in spent["personas"]] == [set(each) for each in told["personas"]]
    assert [each["persona_id"] for each in spent["personas"]] == [each["persona_id"] for each in told["personas"]]


async def test_another_tenants_are_in_no_list_and_no_sum(shown: GatewayUnderTest, current_dsn: str) -> None:
    await fill(
        current_dsn,
        rows("persona.requests", 0, [asked(0), asked(1, persona_id="rex")]),
        rows("cost.savings", 0, [saving("cache"), saving("tier", "rex")]),
        calls(),
    )
    ours, theirs = await shown.client("viewer"), await shown.client("viewer", "acme")
    assert [each["request_id"] for each in (await found(ours, "/v1/requests"))["items"]] == ["request-0"]
    assert [each["request_id"] for each in (await found(theirs, "/v1/requests"))["items"]] == ["request-1"]
    assert (await found(ours, "/v1/requests", persona="rex"))["items"] == []
    assert (await found(theirs, "/v1/costs"))["total"]["cost_micros"] == 500_000
    assert [each["measure"] for each in (await found(theirs, "/v1/costs/saved"))["by_measure"]] == ["tier"]
    assert (await found(theirs, "/v1/budgets"))["total"] is None
    assert (await theirs.get("/v1/requests/request-0")).status_code == 404
    assert (await theirs.get("/v1/dead-letters")).status_code == 403


async def test_a_request_tells_where_it_is_from_its_acceptance_on(shown: GatewayUnderTest, current_dsn: str) -> None:
    operator = await shown.client("operator")
    body = {"persona_id": "nova", "brief": STRANGE, "draft_count": 2}
    accepted = await operator.post("/v1/requests", json=body)
    assert accepted.status_code == 202, accepted.text
    queued = await found(operator, f"/v1/requests/{accepted.json()['request_id']}")
    assert (queued["status"], queued["request"]["brief"], queued["drafts"]) == ("queued", STRANGE, [])
    stopped = "a level of nothing"
    await shown.apply(persona_named("broke", budget={"daily_dollars": "0"}))
    await fill(
        current_dsn,
        rows(
            "persona.requests",
            0,
            [
                asked(0, event_id="decided"),
                asked(1, event_id="writing"),
                asked(2, event_id="batched", deadline="tomorrow"),
                asked(3, event_id="dead"),
                asked(4, event_id="paused", persona_id="broke"),
            ],
        ),
        rows("drafts.accepted", 0, [replace(decided(0, "accepted"), draft=replace(draft(0), request_id="decided"))]),
        rows("dead.letters", 0, [letter(3, reason=stopped)]),
    )
    listed = {each["request_id"]: each for each in (await found(operator, "/v1/requests"))["items"]}
    assert {name: each["status"] for name, each in listed.items()} == {
        "decided": "decided",
        "writing": "writing",
        "batched": "parked",
        "dead": "dead_lettered",
        "paused": "parked",
    }
    assert listed["dead"]["reasons"] == [stopped]
    assert listed["batched"]["reasons"] == ["waits for a batch"]
    assert "broke has spent $0" in listed["paused"]["reasons"][0]
    assert (listed["decided"]["drafts"], listed["decided"]["accepted"]) == (1, 1)
    parked = (await found(operator, "/v1/requests", status="parked"))["items"]
    assert [each["request_id"] for each in parked] == ["paused", "batched"]
    assert (await found(operator, "/v1/requests/draft-0"))["request_id"] == "decided"
    unknown = await operator.get("/v1/requests/nobody-sent-this")
    assert (unknown.status_code, "GET /v1/requests lists" in unknown.json()["detail"]) == (404, True)


Walk = tuple[str, dict[str, Any], Callable[[int], Batch], Callable[[dict[str, Any]], str]]


def one_event(number: int) -> Batch:
    at = int((NOON + timedelta(seconds=number)).timestamp() * 1000)
    return engagement(0, [f"e-{number}"], post_id=["post-0"], first_offset=number, occurred_at=[at])


def one_day(number: int) -> Batch:
    at = int((NOON + timedelta(days=number)).timestamp() * 1000)
    return engagement(0, [f"e-{number}"], first_offset=number, occurred_at=[at])


WALKS: dict[str, Walk] = {
    "requests": (
        "/v1/requests",
        {},
        lambda n: rows("persona.requests", 0, [asked(n)], n),
        lambda item: str(item["request_id"]),
    ),
    "drafts": ("/v1/drafts", {}, lambda n: rows("drafts.generated", 0, [draft(n)], n), lambda item: item["draft_id"]),
    "publications": (
        "/v1/publications",
        {},
        lambda n: rows("posts.states", 0, [state(n)], n),
        lambda item: item["publication_id"],
    ),
    "letters": (
        "/v1/dead-letters",
        {},
        lambda n: rows("dead.letters", 0, [letter(n)], n),
        lambda item: item["event_id"],
    ),
    "posts": ("/v1/posts", {"sort": "published"}, lambda n: posts([n]), lambda item: item["post_id"]),
    "posts without views": ("/v1/posts", {"sort": "growth"}, lambda n: posts([n]), lambda item: item["post_id"]),
    "events": ("/v1/posts/nova/post-0/events", {}, one_event, lambda item: item["event_id"]),
    "days": ("/v1/kpis/daily", {}, one_day, lambda item: item["day"]),
}


@pytest.mark.parametrize("name", WALKS)
async def test_pages_walk_through_every_row_once_while_rows_come(
    shown: GatewayUnderTest, current_dsn: str, name: str
) -> None:
    path, parameters, batch, identity = WALKS[name]
    await fill(current_dsn, *(batch(number) for number in range(10)))
    client = await shown.client("viewer", "*")
    before = {identity(item) for item in (await found(client, path, **parameters))["items"]}
    assert len(before) == 10
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for number in range(MOST_PAGES):
        page = await found(client, path, limit=PAGE, **parameters, **cursor)
        assert 1 <= len(page["items"]) <= PAGE
        seen += map(identity, page["items"])
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
        if number < 2:
            await fill(current_dsn, batch(100 + number), batch(200 + number))
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


@pytest.mark.parametrize("sort", ["views", "engagements", "engagement-rate", "first-hour", "growth", "clicks"])
async def test_posts_are_in_pages_by_any_sort(shown: GatewayUnderTest, current_dsn: str, sort: str) -> None:
    ids = [f"e-{n}" for n in range(40)]
    of_posts = [f"post-{n % 7}" for n in range(40)]
    kinds = ["view" if n % 3 else "like" for n in range(40)]
    await fill(current_dsn, engagement(0, ids, post_id=of_posts, kind=kinds), posts(range(9)))
    client = await shown.client("viewer")
    whole = [each["post_id"] for each in (await found(client, "/v1/posts", sort=sort))["items"]]
    walked, cursor = list[str](), dict[str, str]()
    while True:
        page = await found(client, "/v1/posts", sort=sort, limit=2, **cursor)
        walked += [each["post_id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert (walked, len(set(walked))) == (whole, 9)


async def test_history_sums_counts_of_personas_before_any_ratio(shown: GatewayUnderTest, current_dsn: str) -> None:
    other = replace(kpi("24h", 0, 50), event_id="rex-0", persona_id="rex", cost_micros=3_000, follows=1)
    await fill(
        current_dsn,
        rows("kpi.updates", 0, [kpi("24h", 60 * n, 100 * (n + 1)) for n in range(3)]),
        rows("kpi.updates", 1, [other]),
    )
    everybody = await shown.client("viewer", "*")
    points = (await found(everybody, "/v1/kpis/history", window="24h"))["items"]
    assert [(each["views"], each["personas"]) for each in points] == [(150, 2), (250, 2), (350, 2)]
    assert [each["at"] for each in points] == [f"2026-03-01T12:0{n}:00.000+00:00" for n in range(3)]
    assert points[0]["engagement_rate"] == pytest.approx(points[0]["engagements"] / 150)
    assert points[0]["cost_per_follow"] == pytest.approx(0.003)
    ours = (await found(await shown.client("viewer"), "/v1/kpis/history", window="24h", points=2))["items"]
    assert [each["views"] for each in ours] == [100, 300]
    assert (await found(everybody, "/v1/kpis/history", window="7d"))["items"] == []
    told = (await found(everybody, "/v1/kpis"))["targets"]
    assert {each["metric"] for each in told} == {"engagement_rate", "cost_per_follow", "revenue_projection_monthly"}


async def test_dead_letters_show_their_bytes_and_are_found_by_what_is_wrong(
    shown: GatewayUnderTest, current_dsn: str
) -> None:
    large = bytes(range(256)) * 20
    await fill(
        current_dsn,
        rows("dead.letters", 0, [letter(1), letter(2, value=large, consumer="kpis"), letter(3, value=None)]),
    )
    client = await shown.client("viewer", "*")
    newest, long, short = (await found(client, "/v1/dead-letters"))["items"]
    assert (newest["bytes"], newest["hex"], newest["size"]) == (None, None, None)
    assert base64.b64decode(long["bytes"]) == large[:SHOWN_BYTES]
    assert (long["bytes_complete"], long["size"], long["hex"][:8]) == (False, len(large), "00 01 02")
    assert (base64.b64decode(short["bytes"]), base64.b64decode(short["key"])) == (b"\xffvalue", b"\x00\xff")
    whole = await found(client, "/v1/dead-letters/letter-2")
    assert (base64.b64decode(whole["bytes"]), whole["bytes_complete"]) == (large, True)
    for parameters, expected in (
        ({"consumer": "kpis"}, ["letter-2"]),
        ({"reason": f"ANSWER 3 {STRANGE}"}, ["letter-3"]),
        ({"reason": "%"}, []),
        ({"since": "2026-03-01T12:00:02Z"}, ["letter-3", "letter-2"]),
        ({"topic": "engagement.events"}, []),
    ):
        items = (await found(client, "/v1/dead-letters", **parameters))["items"]
        assert [each["event_id"] for each in items] == expected


async def test_a_post_leads_to_its_events_its_draft_and_its_request(shown: GatewayUnderTest, current_dsn: str) -> None:
    await fill(current_dsn, posts([0]), rows("drafts.generated", 0, [draft(0)]), one_event(5))
    viewer = await shown.client("viewer")
    post = await found(viewer, "/v1/posts/nova/post-0")
    assert (post["draft_id"], post["request_id"], post["text"]) == ("draft-0", "request-1", STRANGE)
    [event] = (await found(viewer, "/v1/posts/nova/post-0/events"))["items"]
    assert (event["topic"], event["partition"], event["offset"], event["kind"]) == ("engagement.events", 0, 5, "view")
    assert (await found(viewer, "/v1/posts/nova/post-0/events", kind="like"))["items"] == []
    for path in ("/v1/posts/nova/post-9", "/v1/posts/nova/post-9/events", "/v1/posts/rex/post-0"):
        assert (await viewer.get(path)).status_code == 404


async def test_a_publication_shows_the_state_of_each_part_and_why(shown: GatewayUnderTest, current_dsn: str) -> None:
    first, second = state(0, parts=2), state(0, event_id="second", part=1, parts=2)
    there = replace(
        first, event_id="there", sequence=2, state="published", post_id="p", permalink="https://t.example/p"
    )
    why = f"over 500 characters: shorten it {STRANGE}"
    failed = replace(second, event_id="failed", sequence=2, state="failed", reason=why, retryable=False)
    await fill(
        current_dsn,
        rows("posts.states", 0, [first, second, there, failed, state(1), state(2, persona_id="rex")]),
    )
    ours, theirs = await shown.client("viewer"), await shown.client("viewer", "acme")
    shown_whole = await found(ours, "/v1/publications/publication-0")
    parts = [(each["part"], each["state"], each["reason"], each["permalink"]) for each in shown_whole["parts"]]
    assert parts == [(0, "published", None, "https://t.example/p"), (1, "failed", why, None)]
    assert (shown_whole["draft_id"], shown_whole["persona_id"]) == ("draft-0", "nova")
    listed = (await found(ours, "/v1/publications"))["items"]
    assert [(each["publication_id"], each["part"]) for each in listed] == [
        ("publication-1", 0),
        ("publication-0", 1),
        ("publication-0", 0),
    ]
    for parameters, expected in (
        ({"state": "failed"}, ["publication-0"]),
        ({"draft": "draft-1"}, ["publication-1"]),
        ({"persona": "rex"}, []),
    ):
        items = (await found(ours, "/v1/publications", **parameters))["items"]
        assert [each["publication_id"] for each in items] == expected
    assert [each["persona_id"] for each in (await found(theirs, "/v1/publications"))["items"]] == ["rex"]
    assert (await theirs.get("/v1/publications/publication-0")).status_code == 404
    assert (await ours.get("/v1/publications/nobody")).status_code == 404


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/requests", {"status": "lost"}, "?status"),
    ("/v1/requests", {"cursor": "WyJ5ZXN0ZXJkYXkiLCJ4Il0"}, "?cursor"),  # ["yesterday","x"]
    ("/v1/requests", {"cursor": "WyIyMDI2LTAxLTAxIiwiXHVkODAwIl0"}, "?cursor"),  # a lone surrogate
    ("/v1/requests", {"cursor": "WyIyMDI2LTAxLTAxIiwiXHUwMDAwIl0"}, "?cursor"),  # a NUL
    ("/v1/requests", {"cursor": "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzIzOjAwIiwieCJd"}, "?cursor"),  # before year 1 in UTC
    ("/v1/requests", {"limit": 501}, "?limit"),
    ("/v1/requests/a\x00b", {}, "request_id"),
    ("/v1/drafts", {"persona": "a\x00"}, "?persona"),
    ("/v1/drafts", {"persona": "x" * 1_001}, "?persona"),
    ("/v1/drafts/a\x00", {}, "draft_id"),
    ("/v1/posts", {"sort": "luck"}, "?sort"),
    ("/v1/posts", {"min_views": -1}, "?min_views"),
    ("/v1/posts", {"min_views": 2**63}, "?min_views"),
    ("/v1/posts", {"sort": "views", "cursor": "WyJjbGlja3MiLCIxLjAiLCJhIiwiYiJd"}, "?cursor"),  # of another sort
    ("/v1/posts", {"cursor": "WyJ2aWV3cyIsIm5hbiIsImEiLCJiIl0"}, "?cursor"),  # behind no number
    ("/v1/posts/a\x00/b", {}, "persona_id"),
    ("/v1/posts/nova/p/events", {"kind": "applause"}, "?kind"),
    ("/v1/publications", {"state": "lost"}, "?state"),
    ("/v1/publications", {"draft": "a\x00"}, "?draft"),
    ("/v1/publications", {"cursor": "WyIyMDI2LTAxLTAxIiwieCJd"}, "?cursor"),  # of another list
    ("/v1/publications", {"cursor": "WyIyMDI2LTAxLTAxIiwieCIsOTk5OTk5OTk5OTld"}, "?cursor"),  # no part is so far
    ("/v1/publications/a\x00", {}, "publication_id"),
    ("/v1/kpis", {"window": "2h"}, "?window"),
    ("/v1/kpis/history", {"points": 201}, "?points"),
    ("/v1/kpis/daily", {"since": "2026-02-30"}, "?since"),
    ("/v1/kpis/daily", {"cursor": "WyIyMDI2LTAyLTMwIiwiYSJd"}, "?cursor"),
    ("/v1/costs", {"persona": "\x00"}, "?persona"),
    ("/v1/dead-letters", {"since": "soon"}, "?since"),
    ("/v1/dead-letters", {"since": "1700000000"}, "?since"),
    ("/v1/dead-letters", {"reason": "\x00"}, "?reason"),
    ("/v1/personas", {"cursor": "bm90aGluZw"}, "?cursor"),
]


async def test_what_can_not_be_asked_is_refused_by_the_name_of_its_parameter(shown: GatewayUnderTest) -> None:
    client = await shown.client("viewer", "*")
    for path, parameters, pointer in BAD:
        answer = await client.get(path.replace("\x00", "%00"), params=parameters)
        assert answer.status_code == 422, (path, parameters, answer.text)
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer], (path, parameters)


async def test_unicode_in_filters_finds_nothing_and_harms_nothing(shown: GatewayUnderTest) -> None:
    client = await shown.client("viewer", "*")
    for text in (STRANGE, "'; DROP TABLE drafts; --", "%", "\\", "\ud7ff", "\U0010ffff"):
        for path in ("/v1/requests", "/v1/drafts", "/v1/posts", "/v1/publications", "/v1/kpis", "/v1/costs"):
            answer = await client.get(path, params={"persona": text})
            assert answer.status_code == 200, (path, text, answer.text)
        assert (await client.get(f"/v1/drafts/{'x' if text in ('%', chr(92)) else text}")).status_code == 404


PLANS: dict[str, tuple[str, dict[str, Any], str]] = {
    "drafts": ("reports.sql", {"draft": None, "personas": None, "status": None}, "drafts_by_time"),
    "publications": (
        "reports.sql",
        {"personas": None, "state": None, "draft": None, "before_part": 0},
        "publications_by_time",
    ),
    "requests": (
        "drafting.sql",
        {"request": None, "personas": None, "status": None, "paused": []},
        "requests_by_time",
    ),
    "dead_letters": (
        "reports.sql",
        {"letter": None, "topic": None, "consumer": None, "contains": None, "since": None, "most_bytes": 9},
        "dead_letters_by_time",
    ),
    "post_events": ("reports.sql", {"post": "p-3", "persona": "nova", "kind": None}, "engagement_by_post"),
}
FILLED = """
INSERT INTO requests (event_id, persona_id, brief, draft_count, occurred_at, source_partition, source_offset)
SELECT 'r-' || n, 'nova', 'brief', 1, '2026-01-01'::timestamptz + n * interval '1 s', 0, n
FROM generate_series(1, 8000) AS n;
INSERT INTO drafts (draft_id, persona_id, request_id, status, persona_version, hook, body, text, language, model,
    prompt_tokens, completion_tokens, latency_ms, generated_at, reasons, precedence, event_at, source_topic,
    source_partition, source_offset)
SELECT 'd-' || n, 'nova', 'r-' || n, 'generated', 'v', 'h', 'b', 't', 'en', 'm', 1, 1, 1,
    '2026-01-01'::timestamptz + n * interval '1 s', '{}', 2, now(), 'drafts.generated', 0, n
FROM generate_series(1, 8000) AS n;
INSERT INTO dead_letters
SELECT 'l-' || n, '2026-01-01'::timestamptz + n * interval '1 s', 'kpis', 'engagement.events', 0, n, now(), NULL, NULL,
    '[]', 'E', 'r', 0, n
FROM generate_series(1, 8000) AS n;
INSERT INTO publications (publication_id, part, parts, sequence, event_id, persona_id, state, platform, text,
    content_digest, attempt, simulated, changed_at, source_partition, source_offset)
SELECT 'p-' || n, 0, 1, 1, 'e', 'nova', 'published', 'threads', 't', 'd', 1, FALSE,
    '2026-01-01'::timestamptz + n * interval '1 s', 0, n
FROM generate_series(1, 8000) AS n;
INSERT INTO engagement (event_id, persona_id, post_id, kind, count, source, simulated, occurred_at, source_partition,
    source_offset)
SELECT 'e-' || n, 'nova', 'p-' || n % 200, 'view', 1, 's', FALSE, '2026-01-01'::timestamptz + n * interval '1 s', 0, n
FROM generate_series(1, 8000) AS n;
"""


async def test_pages_are_read_by_an_index(current_dsn: str) -> None:
    await fill(current_dsn)
    place = time_place("WyIyMDI2LTAxLTAxVDAxOjAwOjAwKzAwOjAwIiwieCJd")
    async with await psycopg.AsyncConnection.connect(current_dsn, autocommit=True) as connection:
        await connection.execute(FILLED.encode())
        await connection.execute(b"ANALYZE")
        for name, (file, parameters, index) in PLANS.items():
            explained = await connection.execute(
                b"EXPLAIN " + statement(file, name), {**parameters, **place, "limit": 51}
            )
            plan = "\n".join(line for (line,) in await explained.fetchall())
            assert index in plan, plan
            assert f"Seq Scan on {name}" not in plan, plan
