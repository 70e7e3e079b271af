"""Engagement from outside: events as JSON or Avro, taken in only once Kafka has them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from agents.gateway.auth.caller import ALL_TENANTS, Caller
from agents.gateway.bodies import JSON, OneOrMany
from agents.gateway.idempotency import KEY_PARAMETER
from agents.gateway.parameters import Found, GivenMoment, Storable, example, without_nul
from agents.gateway.problems import FieldProblem, Refused
from agents.gateway.routes.requests import base_of_ids
from agents.gateway.routing import DryRun, audited, router, tell_audit
from agents.gateway.state import Gateway, TheCaller, TheGateway
from schemas.catalogue import topic_named
from schemas.codec.several import read_container
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import EngagementBasis, EngagementEvent, EngagementKind
from streams.engine.stage import Output
from streams.errors import RecordFault, Unavailable
from streams.identity import derived_id
from streams.validation import validate
from streams.wall_clock import utc_now

ROUTER = router("engagement")
TOPIC = topic_named("engagement.events")
MOST_EVENTS = 5_000
MOST_PROBLEMS = 100
FRAME_TYPES = ("application/vnd.confluent.avro", "application/x-avro-confluent")
CONTAINER_TYPES = ("application/avro", "avro/binary", "application/vnd.apache.avro")
ID_LENGTH = 500


class EngagementBody(BaseModel):
    """What happened to a post or an account."""

    model_config = ConfigDict(extra="forbid", strict=True)

    event_id: Storable | None = Field(
        None,
        min_length=1,
        max_length=ID_LENGTH,
        description="Sent twice it counts once; null: one is made, of the Idempotency-Key where there is one.",
    )
    occurred_at: GivenMoment | None = Field(None, description="ISO 8601; null: now.")
    persona_id: Storable = Field(min_length=1, max_length=ID_LENGTH)
    causation_id: Storable | None = Field(None, max_length=ID_LENGTH)
    post_id: Storable | None = Field(None, min_length=1, max_length=ID_LENGTH)
    kind: EngagementKind
    count: int = 1
    source: Storable = Field("unknown", max_length=ID_LENGTH)
    simulated: bool = False
    basis: EngagementBasis = "event"


class EventsTaken(BaseModel):
    """Events that Kafka has, in the order in which they came."""

    accepted: int
    event_ids: list[str]


@dataclass(frozen=True, slots=True)
class _Sent:
    """The events of a body; those whose id is not said yet have an empty one."""

    events: list[EngagementEvent]
    is_list: bool


EVENT_EXAMPLE: Found = {
    "event_id": "7d8e9f10-2132-5435-a657-687980919203",
    "occurred_at": "2026-11-22T09:41:00Z",
    "persona_id": "night-shift-nora",
    "post_id": "18012345",
    "kind": "like",
    "count": 1,
    "source": "threads",
}
GIVEN = OneOrMany(EngagementBody, MOST_EVENTS)
_JSON_BODY: Found = GIVEN.openapi["requestBody"]["content"][JSON]
_BINARY: Found = {"schema": {"type": "string", "format": "binary"}}
BODY: Found = {
    "parameters": [KEY_PARAMETER],
    "requestBody": {
        "required": True,
        "description": f"Up to {MOST_EVENTS:,} events: JSON, or Avro: values in the Confluent wire format one behind "
        "the other, or an object container file (codec null).",
        "content": {
            JSON: {**_JSON_BODY, "example": [EVENT_EXAMPLE]},
            FRAME_TYPES[0]: _BINARY,
            CONTAINER_TYPES[0]: _BINARY,
        },
    },
}


@ROUTER.post(
    "/v1/engagement",
    status_code=202,
    summary="Send engagement events",
    openapi_extra=BODY,
    responses=example(202, {"accepted": 1, "event_ids": [EVENT_EXAMPLE["event_id"]]}),
)
async def post_engagement(
    request: Request, gateway: TheGateway, caller: TheCaller, *, dry_run: DryRun = False
) -> EventsTaken:
    """Answer 202 once Kafka has acknowledged all of them; one bad event, and none is taken; each is named by index."""
    sent = await _sent(request, gateway)
    await _require(gateway, caller, sent)
    if dry_run:
        tell_audit(request, f"{len(sent.events)} events, dry run")
        return EventsTaken(accepted=0, event_ids=[])
    base, outputs = await base_of_ids(request, gateway, caller, "engagement")
    events = [_with_id(base, index, each) for index, each in enumerate(sent.events)]
    outputs += [Output(TOPIC.name, each) for each in events]
    try:
        await gateway.appender.append([*outputs, audited(request, HTTPStatus.ACCEPTED, f"{len(events)} events")])
    except RecordFault:
        gateway.keys.release(base)
        raise
    return EventsTaken(accepted=len(events), event_ids=[each.event_id for each in events])


async def _sent(request: Request, gateway: Gateway) -> _Sent:
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind == JSON:
        given, is_list = await GIVEN.read(request)
        return _Sent([_event(each) for each in given], is_list)
    if kind in FRAME_TYPES:  # which may wait for the registry
        return await asyncio.to_thread(_of_avro, gateway.frames.read(TOPIC, await request.body()))
    if kind in CONTAINER_TYPES:
        return await asyncio.to_thread(_of_avro, read_container(TOPIC, await request.body()))
    known = ", ".join((JSON, FRAME_TYPES[0], CONTAINER_TYPES[0]))
    raise Refused(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"expected events as one of {known}, got {kind[:100]}; say so in Content-Type",
    )


def _of_avro(records: Iterable[Any]) -> _Sent:
    try:
        events = list(islice(records, MOST_EVENTS + 1))
    except DecodeFault as fault:
        raise Refused(HTTPStatus.BAD_REQUEST, f"{fault}; nothing was taken") from fault
    except RegistryUnavailable as error:
        raise Unavailable(str(error)) from error
    if not 1 <= len(events) <= MOST_EVENTS:
        more = "more" if events else "none"
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"expected 1 to {MOST_EVENTS} events, got {more}; send them in parts"
        )
    return _Sent(events, is_list=True)


def _event(body: EngagementBody) -> EngagementEvent:
    given = body.model_dump()
    return EngagementEvent(**given | {"event_id": body.event_id or "", "occurred_at": body.occurred_at or utc_now()})


def _with_id(base: str, index: int, event: EngagementEvent) -> EngagementEvent:
    return event if event.event_id else replace(event, event_id=derived_id(base, str(index)))


async def _require(gateway: Gateway, caller: Caller, sent: _Sent) -> None:
    """See that every event can be taken.

    Raises:
        Refused: names the events that can't, by index.
    """
    problems = [problem for index, each in enumerate(sent.events) for problem in _problems(each, _at(index, sent))]
    if problems:
        raise _refused(HTTPStatus.UNPROCESSABLE_ENTITY, problems)
    if caller.tenant == ALL_TENANTS:
        return  # whoever runs the platform may import what happened to personas of before
    unknown: dict[str, str] = {}
    for persona_id in {each.persona_id for each in sent.events}:
        try:
            await gateway.personas.require(caller, persona_id)
        except Refused as error:
            unknown[persona_id] = error.detail
    strangers = [
        FieldProblem(pointer=f"{_at(index, sent)}/persona_id", detail=unknown[each.persona_id])
        for index, each in enumerate(sent.events)
        if each.persona_id in unknown
    ]
    if strangers:
        raise _refused(HTTPStatus.NOT_FOUND, strangers)


def _at(index: int, sent: _Sent) -> str:
    return f"/{index}" if sent.is_list else ""


def _problems(event: EngagementEvent, pointer: str) -> Iterable[FieldProblem]:
    try:
        validate(event if event.event_id else replace(event, event_id="made"))
    except RecordFault as fault:
        yield FieldProblem(pointer=pointer, detail=str(fault))
    for name in ("event_id", "persona_id", "post_id", "causation_id", "source"):
        text = getattr(event, name) or ""
        try:
            without_nul(text)
        except ValueError as error:
            yield FieldProblem(pointer=f"{pointer}/{name}", detail=str(error))
        if len(text) > ID_LENGTH:
            yield FieldProblem(pointer=f"{pointer}/{name}", detail=f"has over {ID_LENGTH} characters: shorten it")


def _refused(status: int, problems: Sequence[FieldProblem]) -> Refused:
    more = f" (and {len(problems) - 1} more in `errors`)" if len(problems) > 1 else ""
    detail = f"{problems[0].pointer}: {problems[0].detail}{more}; nothing was taken"
    return Refused(status, detail, errors=problems[:MOST_PROBLEMS])
