"""Where requests are: waiting, being written, decided or dead-lettered, with reasons and costs; and POST /task."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from agents.costs.budget import EVERYONE
from agents.gateway.auth.caller import ALL_TENANTS, Caller
from agents.gateway.idempotency import KEY_PARAMETER
from agents.gateway.parameters import (
    USUAL_ITEMS,
    Cursor,
    Found,
    Limit,
    Moment,
    Page,
    PathId,
    PersonaParam,
    Storable,
    example,
    iso,
    page_of,
    personas_shown,
    time_place,
)
from agents.gateway.problems import not_found
from agents.gateway.routes.drafts import Feature, Review
from agents.gateway.routes.requests import RequestBody, take_in
from agents.gateway.routing import router
from agents.gateway.state import Gateway, TheCaller, TheGateway
from agents.gateway.topics_seen import names_seen
from agents.spend.budget_report import BudgetLine
from schemas.record_rules import MAX_DRAFTS
from sinks.reports.request_trace import RequestTrace, trace_object

ROUTER = router("requests")
FILE = "drafting.sql"
Status = Literal["queued", "writing", "parked", "decided", "dead_lettered"]
StatusParam = Annotated[
    Literal["writing", "parked", "decided", "dead_lettered"] | None, Query(description="Only requests of this status.")
]
STATUSES = (
    "`queued`: Kafka has it, PostgreSQL not yet, which this gateway remembers of the last 20,000 that it took in; "
    "`parked`: no draft is begun, for its persona's budget is spent or its deadline is tomorrow and a batch takes it "
    "along; `writing`: under way; `decided`: all its drafts are; `dead_lettered`: it, or a part of it, could not be "
    "written."
)


class RequestLine(BaseModel):
    """A request, where it is and what came of it."""

    request_id: str
    persona_id: str
    status: Status = Field(description=STATUSES)
    reasons: list[str] = Field(description="Why it waits, or why it is in the dead letters.")
    brief: str
    language: str | None
    trend: str | None
    deadline: str
    draft_count: int
    occurred_at: Moment
    drafts: int
    accepted: int
    rejected: int
    calls: int
    cost_micros: int = Field(description="Of the calls whose price is known.")
    unpriced_calls: int


class TracedRequest(BaseModel):
    """The request's record."""

    event_id: str
    persona_id: str
    brief: str
    language: str | None
    draft_count: int
    trend: str | None
    deadline: str
    occurred_at: Moment
    source_partition: int | None = Field(description="Null while it is queued.")
    source_offset: int | None


class Step(BaseModel):
    """A node of the generation graph as it ran."""

    name: str
    outcome: str
    model: str | None
    latency_ms: int
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int | None


class TracedDraft(BaseModel):
    """A draft with its steps, its score and what was decided, by the pipeline and by hand."""

    draft_id: str
    persona_version: str
    status: str
    language: str
    model: str
    hook: str
    body: str
    call_to_action: str | None
    text: str
    revisions: int
    guard_reasons: list[str]
    steps: list[Step]
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int | None
    latency_ms: int
    generated_at: Moment
    score: float | None
    threshold: float | None
    passed: bool | None
    features: list[Feature] | None
    reasons: list[str]
    near_duplicate_id: str | None
    near_duplicate_similarity: float | None
    embedding_model: str | None
    decided_at: Moment | None
    source_topic: str
    source_partition: int
    source_offset: int
    content_digest: str
    review: Review | None


class TracedCall(BaseModel):
    """A call to a model that was booked for the request."""

    event_id: str
    occurred_at: Moment
    step: str
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost_micros: int | None
    latency_ms: int


class TracedLetter(BaseModel):
    """A dead letter of the request or of one of its drafts."""

    event_id: str
    occurred_at: Moment
    consumer: str
    source_topic: str
    source_partition: int
    source_offset: int
    error_class: str
    reason: str


class TraceTotal(BaseModel):
    """What the calls come to; those without a known price are counted."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int
    unpriced_calls: int


class Trace(BaseModel):
    """All that came of a request: what `threads-agent drafts trace --json` prints, and where it is."""

    request_id: str
    status: Status = Field(description=STATUSES)
    reasons: list[str]
    request: TracedRequest
    drafts: list[TracedDraft]
    calls: list[TracedCall]
    dead_letters: list[TracedLetter]
    total: TraceTotal


_ASKED: Found = {
    "persona_id": "night-shift-nora",
    "brief": "naps before a night shift",
    "language": "en",
    "draft_count": 1,
    "trend": None,
    "deadline": "now",
    "occurred_at": "2026-11-22T09:30:15.250+00:00",
}
LINE_EXAMPLE: Found = {
    "request_id": "5b0c1d2e-3f40-5162-8394-a5b6c7d8e9f1",
    **_ASKED,
    "status": "writing",
    "reasons": [],
    "drafts": 0,
    "accepted": 0,
    "rejected": 0,
    "calls": 1,
    "cost_micros": 120,
    "unpriced_calls": 0,
}
TRACE_EXAMPLE: Found = {
    "request_id": LINE_EXAMPLE["request_id"],
    "status": "queued",
    "reasons": [],
    "request": {"event_id": LINE_EXAMPLE["request_id"], **_ASKED, "source_partition": None, "source_offset": None},
    "drafts": [],
    "calls": [],
    "dead_letters": [],
    "total": {"calls": 0, "prompt_tokens": 0, "completion_tokens": 0, "cost_micros": 0, "unpriced_calls": 0},
}


@ROUTER.get(
    "/v1/requests",
    summary="List requests with where they are, the newest first",
    responses=example(200, {"items": [LINE_EXAMPLE], "next_cursor": None}),
)
async def list_requests(
    gateway: TheGateway,
    caller: TheCaller,
    *,
    persona: PersonaParam = None,
    status: StatusParam = None,
    limit: Limit = USUAL_ITEMS,
    cursor: Cursor = None,
) -> Page[RequestLine]:
    """Those that PostgreSQL has; one accepted a moment ago is found by its id."""
    chosen = {"personas": personas_shown(gateway, caller, persona), "status": status, "request": None}
    rows = await _lines(gateway, caller, {**chosen, **time_place(cursor), "limit": limit + 1})
    found: Page[RequestLine] = page_of(rows, limit, lambda item: [item["occurred_at"], item["request_id"]])
    return found


@ROUTER.get(
    "/v1/requests/{request_id}",
    summary="Tell all that came of a request, by its id or by that of one of its drafts",
    responses=example(200, TRACE_EXAMPLE),
)
async def one_request(request_id: PathId, gateway: TheGateway, caller: TheCaller) -> Trace:
    """Its drafts step by step, scores, decisions, dead letters, costs, and where it is."""
    found = await gateway.database.rows("request", {"id": request_id}, file=FILE)
    shown = await _traced(gateway, caller, found[0]) if found else _queued(gateway, request_id)
    if shown is None or not gateway.personas.visible(caller, shown["request"]["persona_id"]):
        raise not_found("request or draft", request_id, "/v1/requests")
    return Trace.model_validate(shown)


async def _traced(gateway: Gateway, caller: Caller, request: Found) -> Found:
    of = {"id": request["event_id"]}
    drafts, calls, letters = [
        await gateway.database.rows(name, of, file=FILE) for name in ("drafts", "calls", "letters")
    ]
    chosen = {"personas": None, "status": None, "request": request["event_id"], "limit": 1}
    [line] = await _lines(gateway, caller, {**chosen, **time_place(None)})
    standing = {name: line[name] for name in ("request_id", "status", "reasons")}
    if (shown := names_seen(gateway, caller)) is not None:
        drafts = [{**each, "reasons": [shown(reason) for reason in each["reasons"] or ()]} for each in drafts]
    return standing | trace_object(RequestTrace(request, drafts, calls, letters))


def _queued(gateway: Gateway, request_id: str) -> Found | None:
    record = gateway.requests_lately.get(request_id)
    if record is None:
        return None
    names = ("event_id", "persona_id", "brief", "language", "draft_count", "trend", "deadline", "occurred_at")
    place = {"source_partition": None, "source_offset": None}
    trace = trace_object(RequestTrace({name: getattr(record, name) for name in names} | place, [], [], []))
    return {"request_id": request_id, "status": "queued", "reasons": [], **trace}


async def _lines(gateway: Gateway, caller: Caller, parameters: Found) -> list[Found]:
    paused = await gateway.budgets.paused()
    rows = await gateway.database.rows("requests", {**parameters, "paused": list(paused)}, file=FILE)
    for row in rows:
        row["reasons"] = row["reasons"] or []
        if row["status"] == "parked":
            line = paused.get(row["persona_id"]) or paused.get(EVERYONE)
            row["reasons"] = [waiting(caller, line) if line else "waits for a batch"]
        row["occurred_at"] = iso(row["occurred_at"])
    return rows


def waiting(caller: Caller, line: BudgetLine) -> str:
    """Return why a request waits; what all personas together spent is for those alone who see them all."""
    hidden = line.persona_id == EVERYONE and caller.tenant != ALL_TENANTS
    reason = "the budget of all personas together is spent" if hidden else line.level.reason
    return reason if line.level.until is None else f"{reason}; goes on at {iso(line.level.until)}"


class TaskBody(BaseModel):
    """A task as the original system takes it; other fields of it mean nothing here."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "persona_id": "night-shift-nora",
                    "task_type": "generate",
                    "pain_statement": "tired after a night shift",
                }
            ]
        },
    )

    persona_id: str = Field(min_length=1, max_length=64)
    task_type: Literal["generate", "generate_post"] = "generate"
    pain_statement: Storable | None = Field(
        None, min_length=1, max_length=4_000, description="What to write about; null: the persona's first topic."
    )
    trend_snippet: Storable | None = Field(None, max_length=4_000)
    count: int = Field(1, ge=1, le=MAX_DRAFTS, description="How many drafts.")


class Task(BaseModel):
    """A task that Kafka has."""

    task_id: str
    status: Literal["queued"] = "queued"


@ROUTER.post(
    "/task",
    status_code=202,
    summary="Ask for a draft as the original system did: an alias of POST /v1/requests",
    openapi_extra={"parameters": [KEY_PARAMETER]},
    responses=example(202, {"task_id": LINE_EXAMPLE["request_id"], "status": "queued"}),
)
async def task(body: TaskBody, request: Request, gateway: TheGateway, caller: TheCaller) -> Task:
    """GET /v1/requests/{task_id} tells where it is."""
    applied = await gateway.personas.require(caller, body.persona_id)
    asked = RequestBody(
        persona_id=body.persona_id,
        brief=body.pain_statement or applied.persona.topics[0],
        trend=body.trend_snippet,
        language=None,
        draft_count=body.count,
        deadline="now",
    )
    [task_id] = await take_in(request, [asked], is_list=False)
    return Task(task_id=task_id)
