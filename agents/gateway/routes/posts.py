"""Posts with their counters, and the engagement that the counters are made of."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from agents.gateway.parameters import (
    USUAL_ITEMS,
    Cursor,
    Found,
    Limit,
    Moment,
    Page,
    PathId,
    PersonaParam,
    Ratio,
    bad_cursor,
    example,
    iso,
    page_of,
    personas_shown,
    place_of,
    storable,
    time_place,
)
from agents.gateway.problems import not_found
from agents.gateway.routing import router
from agents.gateway.state import TheCaller, TheGateway
from schemas.records import EngagementBasis, EngagementKind
from sinks.reports.kpis import post_object

ROUTER = router("posts")
TOPIC = "engagement.events"
Sort = Literal[
    "views", "engagements", "engagement-rate", "clicks", "follows", "first-hour", "first-day", "growth", "published"
]
SortParam = Annotated[
    Sort,
    Query(description="Greatest or latest first. Counters move: only `published` gives each post once for sure."),
]


class Early(BaseModel):
    """What a post had in its first hour or day; null where only totals so far are known."""

    views: int | None
    engagements: int | None


class Post(BaseModel):
    """A post with its counters, as `threads-agent kpis posts --json` shows it."""

    persona_id: str
    post_id: str
    published_at: Moment
    published_at_from: str = Field(description="`publication`, or `first engagement` where no publication is known.")
    views: int
    likes: int
    replies: int
    reposts: int
    quotes: int
    shares: int
    clicks: int
    follows: int
    engagements: int
    engagement_rate: Ratio
    viral: bool
    first_hour: Early
    first_day: Early
    first_day_growth: Ratio
    events: int
    simulated_events: int = Field(description="How many of the events are simulated.")
    text: str | None


class PostWithOrigin(Post):
    """A post, and the draft and the request that it comes from; null where it is not one of ours."""

    draft_id: str | None
    request_id: str | None


class PostEvent(BaseModel):
    """An engagement event, and where it stands in its topic."""

    event_id: str
    occurred_at: Moment
    persona_id: str
    post_id: str
    kind: EngagementKind
    count: int
    source: str
    simulated: bool
    basis: EngagementBasis
    causation_id: str | None
    topic: str
    partition: int
    offset: int


POST_EXAMPLE: Found = {
    "persona_id": "night-shift-nora",
    "post_id": "18012345",
    "published_at": "2026-11-22T09:40:00.000+00:00",
    "published_at_from": "publication",
    "views": 1_200,
    "likes": 40,
    "replies": 6,
    "reposts": 2,
    "quotes": 1,
    "shares": 3,
    "clicks": 12,
    "follows": 4,
    "engagements": 52,
    "engagement_rate": {"value": 0.0433, "numerator": 52, "denominator": 1_200},
    "viral": False,
    "first_hour": {"views": 300, "engagements": 12},
    "first_day": {"views": 900, "engagements": 41},
    "first_day_growth": {"value": 2.0, "numerator": 600, "denominator": 300},
    "events": 81,
    "simulated_events": 81,
    "text": "Tired? Nap first.",
}
EVENT_EXAMPLE: Found = {
    "event_id": "7d8e9f10-2132-5435-a657-687980919203",
    "occurred_at": "2026-11-22T09:41:00.000+00:00",
    "persona_id": "night-shift-nora",
    "post_id": "18012345",
    "kind": "like",
    "count": 1,
    "source": "simulated",
    "simulated": True,
    "basis": "event",
    "causation_id": None,
    "topic": TOPIC,
    "partition": 0,
    "offset": 4_711,
}


@ROUTER.get(
    "/v1/posts",
    summary="List posts with their counters",
    responses=example(200, {"items": [POST_EXAMPLE], "next_cursor": None}),
)
async def list_posts(
    gateway: TheGateway,
    caller: TheCaller,
    *,
    persona: PersonaParam = None,
    sort: SortParam = "views",
    viral: Annotated[bool, Query(description="Only viral posts.")] = False,
    min_views: Annotated[int, Query(ge=0, le=2**62, description="Only posts with so many views.")] = 0,
    limit: Limit = USUAL_ITEMS,
    cursor: Cursor = None,
) -> Page[Post]:
    chosen = {"personas": personas_shown(gateway, caller, persona), "sort": sort, "viral": viral}
    rows = await gateway.database.rows(
        "posts", {**chosen, "min_views": min_views, **_place(sort, cursor), "limit": limit + 1}
    )
    places = {(row["persona_id"], row["post_id"]): row["sorted_by"] for row in rows}

    def place(item: Found) -> list[str]:
        value = places[item["persona_id"], item["post_id"]]
        return [sort, "" if value is None else repr(float(value)), item["persona_id"], item["post_id"]]

    found: Page[Post] = page_of([post_object(row) for row in rows], limit, place)
    return found


def _place(sort: Sort, cursor: str | None) -> dict[str, object]:
    """Return where a page begins: behind a post, and the value that it was sorted by.

    Raises:
        Refused: the cursor is none of this list, or of a list that is sorted otherwise.
    """
    place = place_of(cursor, str, str, str, str)
    if place is None:
        return {"after_value": None, "after_persona": None, "after_post": None}
    sorted_by, value, persona_id, post_id = place
    try:
        number = float(value) if value else None
        names = {"after_persona": storable(persona_id), "after_post": storable(post_id)}
    except ValueError as error:
        raise bad_cursor() from error
    if sorted_by != sort or (number is not None and not math.isfinite(number)):
        raise bad_cursor()
    return {"after_value": number, **names}


@ROUTER.get(
    "/v1/posts/{persona_id}/{post_id}",
    summary="Show one post",
    responses=example(200, {**POST_EXAMPLE, "draft_id": "2f3a4b5c-6d7e-5f80-9a1b-2c3d4e5f6071", "request_id": None}),
)
async def one_post(persona_id: PathId, post_id: PathId, gateway: TheGateway, caller: TheCaller) -> PostWithOrigin:
    """With the draft and the request that it comes from."""
    rows = await gateway.database.rows("post", {"persona": persona_id, "post": post_id})
    if not rows or not gateway.personas.visible(caller, persona_id):
        raise not_found("post", post_id, "/v1/posts")
    [row] = rows
    origin = {name: row[name] for name in ("draft_id", "request_id")}
    return PostWithOrigin.model_validate(post_object(row) | origin)


@ROUTER.get(
    "/v1/posts/{persona_id}/{post_id}/events",
    summary="List the engagement of a post, the newest first",
    responses=example(200, {"items": [EVENT_EXAMPLE], "next_cursor": None}),
)
async def post_events(
    persona_id: PathId,
    post_id: PathId,
    gateway: TheGateway,
    caller: TheCaller,
    *,
    kind: Annotated[EngagementKind | None, Query(description="Only events of this kind.")] = None,
    limit: Limit = USUAL_ITEMS,
    cursor: Cursor = None,
) -> Page[PostEvent]:
    """Show what the post's counters are sums of; topic, partition and offset lead to the record."""
    of = {"persona": persona_id, "post": post_id}
    if not gateway.personas.visible(caller, persona_id) or not await gateway.database.rows("post", of):
        raise not_found("post", post_id, "/v1/posts")
    rows = await gateway.database.rows("post_events", {**of, "kind": kind, **time_place(cursor), "limit": limit + 1})
    found: Page[PostEvent] = page_of(
        [_event(row) for row in rows], limit, lambda item: [item["occurred_at"], item["event_id"]]
    )
    return found


def _event(row: Found) -> Found:
    partition, offset = row.pop("source_partition"), row.pop("source_offset")
    return {**row, "occurred_at": iso(row["occurred_at"]), "topic": TOPIC, "partition": partition, "offset": offset}
