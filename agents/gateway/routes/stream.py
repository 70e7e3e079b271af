"""The live feed: records as they come, by Server-Sent Events."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Header, Query
from starlette.responses import Response

from agents.gateway.live.listener import Wanted
from agents.gateway.live.positions import MAX_TEXT, LogPosition, PositionFault, positions_of
from agents.gateway.live.sse import EventStream
from agents.gateway.problems import FieldProblem, Refused
from agents.gateway.routing import router
from agents.gateway.state import TheCaller, TheGateway
from agents.gateway.topics_seen import names_seen, require_topic, seen_by
from streams.wall_clock import utc_now

ROUTER = router("topics")
ABOUT = """\
Events are `record` (topic, partition, offset, timestamp, key, persona_id, and value or error and bytes), `gap` (topic,
partition, from, to, reason: records that can't be told; it goes on at `to`), `status` (topic, state: away or back) and
`position` (an id and no data: where the feed begins, and at least every 15 s what it has reached). The id of an event
is the position in the log: sent back as `Last-Event-ID`, the feed goes on right behind that event, whatever was
restarted in between. Without one it begins at what comes next.
"""
EXAMPLE = """\
event: record
id: kpi.updates~3fa4c1d29b01~12~40
data: {"topic":"kpi.updates","partition":1,"offset":39,"timestamp":"2026-11-27T08:00:00Z","key":"ada","value":{}}

"""

TopicNames = Annotated[
    str, Query(min_length=1, max_length=4_096, description="Names with commas between.", examples=["kpi.updates"])
]
Persona = Annotated[str | None, Query(max_length=256, description="Only records of this persona.")]
LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID", max_length=MAX_TEXT, description="Id of the last event; browsers send it by themselves."
    ),
]
LastEventIdQuery = Annotated[
    str | None, Query(max_length=MAX_TEXT, description="The same, for clients that can't set headers.")
]


@ROUTER.get(
    "/v1/stream",
    summary="Follow topics live",
    description=ABOUT,
    response_class=Response,
    responses={200: {"description": "Events.", "content": {"text/event-stream": {"example": EXAMPLE}}}},
)
async def stream(
    gateway: TheGateway,
    caller: TheCaller,
    *,
    topics: TopicNames,
    persona: Persona = None,
    last_event_id: LastEventIdQuery = None,
    last_event_id_header: LastEventId = None,
) -> Response:
    names = dict.fromkeys(name for each in topics.split(",") if (name := each.strip()))
    wanted = [require_topic(caller, name).name for name in names]
    if not wanted:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "?topics: expected names with commas between, got none")
    if persona is not None:
        await gateway.personas.require(caller, persona)
    resume = _resume(last_event_id_header or last_event_id)
    return EventStream(
        gateway.live.hub,
        caller.rated_as,
        Wanted(wanted, seen_by(gateway, caller), persona, resume, names_seen(gateway, caller)),
        lambda: caller.token_id is None or gateway.tokens.book.still_holds(caller.token_id, utc_now()),
    )


def _resume(event_id: str | None) -> dict[str, LogPosition]:
    try:
        return positions_of(event_id or "")
    except PositionFault as fault:
        problem = FieldProblem(pointer="Last-Event-ID", detail=str(fault))
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"Last-Event-ID: {fault}", errors=[problem]) from fault
