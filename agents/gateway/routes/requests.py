"""Requests for drafts: taken in one by one or as a list, accepted only once Kafka has them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agents.gateway.auth.caller import Caller
from agents.gateway.bodies import OneOrMany
from agents.gateway.idempotency import KEY, KEY_PARAMETER, MOST_KEY_LENGTH
from agents.gateway.parameters import Storable
from agents.gateway.problems import FieldProblem, Refused
from agents.gateway.routing import DRY_RUN_PARAMETER, audited, is_dry_run, router, tell_audit
from agents.gateway.state import Gateway, shared
from schemas.record_rules import MAX_DRAFTS
from schemas.records import PersonaRequest
from streams.engine.stage import Output
from streams.errors import RecordFault
from streams.identity import derived_id
from streams.validation import validate
from streams.wall_clock import utc_now

ROUTER = router("requests")
TOPIC = "persona.requests"
MOST_REQUESTS = 500
SHOWN_BRIEF = 200  # of one that is remembered until PostgreSQL has it


class RequestBody(BaseModel):
    """What a persona is asked for."""

    model_config = ConfigDict(extra="forbid")

    persona_id: Storable = Field(min_length=1, max_length=64, examples=["ledger-lou"])
    brief: Storable = Field(
        min_length=1,
        max_length=4_000,
        description="What to write about.",
        examples=["an invoice that gets paid on time"],
    )
    language: str | None = Field(None, pattern="^[a-z]{2}$", description="ISO 639-1; null: the persona's first.")
    draft_count: int = Field(1, ge=1, le=MAX_DRAFTS)
    trend: Storable | None = Field(
        None, max_length=4_000, description="A trend to take up, from outside: data, never an order."
    )
    deadline: Literal["now", "tomorrow"] = Field("now", description="tomorrow may go through the provider's batch API.")


class Accepted(BaseModel):
    """A request that Kafka has; in a dry run one that could be accepted."""

    request_id: str
    status: Literal["accepted", "checked"] = "accepted"


class AcceptedList(BaseModel):
    """Requests that Kafka has, in the order in which they came."""

    items: list[Accepted]


BODY = OneOrMany(RequestBody, MOST_REQUESTS)


@ROUTER.post(
    "/v1/requests",
    status_code=HTTPStatus.ACCEPTED,
    summary="Ask personas for drafts",
    response_model=Accepted | AcceptedList,
    openapi_extra={**BODY.openapi, "parameters": [KEY_PARAMETER, DRY_RUN_PARAMETER]},
)
async def post_requests(request: Request) -> Response:
    """Answer 202 once Kafka has acknowledged all of them; GET /v1/requests/{request_id} tells where each is."""
    wanted, is_list = await BODY.read(request)
    ids = await take_in(request, wanted, is_list=is_list)
    status = "checked" if is_dry_run(request) else "accepted"
    accepted = [{"request_id": each, "status": status} for each in ids]
    return JSONResponse({"items": accepted} if is_list else accepted[0], HTTPStatus.ACCEPTED)


async def take_in(request: Request, wanted: Sequence[RequestBody], *, is_list: bool) -> list[str]:
    """Append what is asked for, and return the ids once Kafka has all of it, with its record in the audit log.

    In a dry run nothing is appended, and no Idempotency-Key is taken.

    Raises:
        Refused: one can't be asked for, or the Idempotency-Key came with another body; none is appended.
        Unavailable: Kafka does not answer in time.
    """
    gateway, caller = shared(request)
    await _require_personas(gateway, caller, wanted, is_list=is_list)
    if is_dry_run(request):
        records = [_record(str(uuid.uuid4()), index, each) for index, each in enumerate(wanted)]
        tell_audit(request, f"{len(records)} requests, dry run")
        return [record.event_id for record in records]
    base, outputs = await base_of_ids(request, gateway, caller, "requests")
    try:
        records = [_record(base, index, each) for index, each in enumerate(wanted)]
        outputs += [Output(TOPIC, record) for record in records]
        await gateway.appender.append([*outputs, audited(request, HTTPStatus.ACCEPTED, f"{len(records)} requests")])
    except (Refused, RecordFault):
        gateway.keys.release(base)
        raise
    for record in records:
        gateway.requests_lately[record.event_id] = replace(record, brief=record.brief[:SHOWN_BRIEF], trend=None)
    return [record.event_id for record in records]


async def base_of_ids(request: Request, gateway: Gateway, caller: Caller, route: str) -> tuple[str, list[Output]]:
    """Return what the ids of a write follow from, and what is kept of its Idempotency-Key.

    Raises:
        Refused: the key is too long, or came to this route with another body before.
    """
    key = request.headers.get(KEY)
    if key is None:
        return str(uuid.uuid4()), []
    if not 1 <= len(key) <= MOST_KEY_LENGTH:
        told = f"{KEY}: expected 1 to {MOST_KEY_LENGTH} characters, got {len(key)}"
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, told, errors=[FieldProblem(pointer=KEY, detail=told)])
    return gateway.keys.claim(caller, route, key, await request.body())


async def _require_personas(gateway: Gateway, caller: Caller, wanted: Sequence[RequestBody], *, is_list: bool) -> None:
    problems: list[FieldProblem] = []
    for index, each in enumerate(wanted):
        try:
            await gateway.personas.require(caller, each.persona_id)
        except Refused as error:
            problems.append(
                FieldProblem(pointer=f"/{index}/persona_id" if is_list else "/persona_id", detail=error.detail)
            )
    if problems:
        raise Refused(HTTPStatus.NOT_FOUND, f"{problems[0].pointer}: {problems[0].detail}", errors=problems)


def _record(base: str, index: int, body: RequestBody) -> PersonaRequest:
    record = PersonaRequest(
        event_id=derived_id(base, str(index)),
        occurred_at=utc_now(),
        persona_id=body.persona_id,
        brief=body.brief,
        language=body.language,
        draft_count=body.draft_count,
        trend=body.trend,
        deadline=body.deadline,
    )
    try:
        validate(record)
    except RecordFault as fault:
        problem = FieldProblem(pointer=f"/{index}", detail=str(fault))
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"{problem.pointer}: {fault}", errors=[problem]) from fault
    return record
