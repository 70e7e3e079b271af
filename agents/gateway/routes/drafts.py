"""Drafts: those there are, and decisions on them by hand, as events on drafts.reviews."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Header, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from agents.gateway.auth.caller import Caller
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
from agents.gateway.problems import Refused, not_found
from agents.gateway.routing import DryRun, audited, router, tell_audit
from agents.gateway.state import Gateway, TheCaller, TheGateway
from agents.gateway.topics_seen import names_seen
from schemas.records import Decision, DraftReviewed
from sinks.reports.drafts import draft_object
from streams.engine.stage import Output
from streams.identity import derived_id
from streams.validation import validate
from streams.wall_clock import utc_now

ROUTER = router("drafts")
TOPIC = "drafts.reviews"
DraftStatus = Literal["generated", "scored", "accepted", "rejected"]
DIGEST = r"^[0-9a-f]{64}$"


class Feature(BaseModel):
    """A named part of the score."""

    name: str
    value: float
    weight: float
    reason: str


class NearDuplicate(BaseModel):
    """The accepted draft that a draft resembles."""

    draft_id: str
    similarity: float


class Review(BaseModel):
    """A decision by hand on a draft's text; a draft with another text has none."""

    event_id: str
    revision: int = Field(description="1 for the first; one more for each that replaced the one before.")
    decision: Decision
    reason: str | None
    reviewed_by: str
    reviewed_at: Moment


class Draft(BaseModel):
    """A draft as `threads-agent drafts --json` shows it; `decision` is the pipeline's, `review` somebody's by hand."""

    draft_id: str
    persona_id: str
    request_id: str
    status: DraftStatus
    score: float | None
    threshold: float | None
    features: list[Feature] | None
    reasons: list[str]
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int | None
    latency_ms: int
    language: str
    text: str
    content_digest: str = Field(description="SHA-256 of the text: a review is of this text alone.")
    decision: Decision | None
    near_duplicate: NearDuplicate | None
    cost_dollars: float | None
    generated_at: Moment
    decided_at: Moment | None
    review: Review | None


class ReviewBody(BaseModel):
    """Why, and of what text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: Storable | None = Field(None, max_length=2_000, examples=["on brand"])
    content_digest: str | None = Field(
        None, pattern=DIGEST, description="`content_digest` of the draft that was looked at: another text is a 409."
    )
    supersede: bool = Field(default=False, description="Replace the review that stands, where it decided otherwise.")


class RejectBody(ReviewBody):
    """Why not, and of what text."""

    reason: Storable = Field(min_length=1, max_length=2_000, examples=["off brand"])


class ReviewTaken(Review):
    """A review that Kafka has; it is in lists once PostgreSQL has it."""

    draft_id: str
    persona_id: str
    content_digest: str


IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=200,
        description="ETag of the draft that was looked at: what stands by then is replaced, anything newer is a 409.",
    ),
]
StatusParam = Annotated[DraftStatus | None, Query(description="Only drafts of this status.")]

_REVIEW: Found = {
    "event_id": "0f8f6d0e-5a0b-5c58-9d8e-0d7a3b1c2d41",
    "revision": 1,
    "decision": "accepted",
    "reason": "on brand",
    "reviewed_by": "token:page",
    "reviewed_at": "2026-11-22T09:31:00.125+00:00",
}
DIGEST_EXAMPLE = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
DRAFT_EXAMPLE: Found = {
    "draft_id": "2f3a4b5c-6d7e-5f80-9a1b-2c3d4e5f6071",
    "persona_id": "night-shift-nora",
    "request_id": "5b0c1d2e-3f40-5162-8394-a5b6c7d8e9f1",
    "status": "accepted",
    "score": 0.74,
    "threshold": 0.6,
    "features": [{"name": "hook", "value": 0.8, "weight": 0.3, "reason": "asks a question"}],
    "reasons": [],
    "model": "gpt-4o-mini",
    "prompt_tokens": 412,
    "completion_tokens": 58,
    "cost_micros": 97,
    "latency_ms": 1_840,
    "language": "en",
    "text": "Tired? Nap first.",
    "content_digest": DIGEST_EXAMPLE,
    "decision": "accepted",
    "near_duplicate": None,
    "cost_dollars": 0.000097,
    "generated_at": "2026-11-22T09:30:20.000+00:00",
    "decided_at": "2026-11-22T09:30:21.000+00:00",
    "review": _REVIEW,
}
TAKEN_EXAMPLE: Found = {
    **_REVIEW,
    "draft_id": DRAFT_EXAMPLE["draft_id"],
    "persona_id": DRAFT_EXAMPLE["persona_id"],
    "content_digest": DIGEST_EXAMPLE,
}


@ROUTER.get(
    "/v1/drafts",
    summary="List drafts, the newest first",
    responses=example(200, {"items": [DRAFT_EXAMPLE], "next_cursor": None}),
)
async def list_drafts(
    gateway: TheGateway,
    caller: TheCaller,
    *,
    persona: PersonaParam = None,
    status: StatusParam = None,
    limit: Limit = USUAL_ITEMS,
    cursor: Cursor = None,
) -> Page[Draft]:
    """With decision, score, reasons, what they resemble, and the review by hand that stands."""
    chosen = {"personas": personas_shown(gateway, caller, persona), "status": status, "draft": None}
    rows = await gateway.database.rows("drafts", {**chosen, **time_place(cursor), "limit": limit + 1})
    drafts = [_seen(gateway, caller, draft_object(row)) for row in rows]
    found: Page[Draft] = page_of(drafts, limit, lambda item: [item["generated_at"], item["draft_id"]])
    return found


@ROUTER.get("/v1/drafts/{draft_id}", summary="Show one draft", responses=example(200, DRAFT_EXAMPLE))
async def one_draft(draft_id: PathId, response: Response, gateway: TheGateway, caller: TheCaller) -> Draft:
    """Its ETag is what If-Match of a review takes."""
    found = await draft_seen(gateway, caller, draft_id)
    response.headers["ETag"] = _etag(found)
    return Draft.model_validate(found)


@ROUTER.post(
    "/v1/drafts/{draft_id}/accept",
    status_code=202,
    summary="Accept a draft by hand",
    responses=example(202, TAKEN_EXAMPLE),
)
async def accept(
    draft_id: PathId,
    *,
    request: Request,
    gateway: TheGateway,
    caller: TheCaller,
    body: ReviewBody | None = None,
    if_match: IfMatch = None,
    dry_run: DryRun = False,
) -> ReviewTaken:
    """Of competing reviews of one text the first in Kafka's log stands; GET /v1/drafts/{draft_id} tells which.

    What stands already is answered again, and nothing is written. 409 where it was decided otherwise, unless that is
    to be replaced (`supersede`, or If-Match); where the text is another; and before the pipeline has decided.
    """
    given = body or ReviewBody()
    return await review_draft(
        request,
        gateway,
        caller,
        draft_id=draft_id,
        decision="accepted",
        body=given,
        if_match=if_match,
        dry_run=dry_run,
    )


@ROUTER.post(
    "/v1/drafts/{draft_id}/reject",
    status_code=202,
    summary="Reject a draft by hand",
    responses=example(202, {**TAKEN_EXAMPLE, "decision": "rejected", "reason": "off brand"}),
)
async def reject(
    draft_id: PathId,
    body: RejectBody,
    *,
    request: Request,
    gateway: TheGateway,
    caller: TheCaller,
    if_match: IfMatch = None,
    dry_run: DryRun = False,
) -> ReviewTaken:
    """As accept, with a reason."""
    return await review_draft(
        request,
        gateway,
        caller,
        draft_id=draft_id,
        decision="rejected",
        body=body,
        if_match=if_match,
        dry_run=dry_run,
    )


async def review_draft(
    request: Request,
    gateway: Gateway,
    caller: Caller,
    *,
    draft_id: str,
    decision: Decision,
    body: ReviewBody,
    if_match: str | None,
    dry_run: bool,
) -> ReviewTaken:
    """Append a review of a draft's text, unless the same stands already.

    Raises:
        Refused: there is no such draft, it is not as it was looked at, or it was decided otherwise.
    """
    draft = await draft_seen(gateway, caller, draft_id)
    _require_reviewable(draft, body, if_match)
    standing = draft["review"]
    if standing is not None and standing["decision"] == decision:
        return _taken(draft, standing)
    if standing is not None and not body.supersede and if_match is None:
        raise Refused(
            HTTPStatus.CONFLICT,
            f"{standing['reviewed_by']} {standing['decision']} this draft at {standing['reviewed_at']}; to replace "
            "that send supersede: true, or the draft's ETag as If-Match",
            type_="already-reviewed",
        )
    record = _record(draft, caller, decision, body.reason)
    if dry_run:
        tell_audit(request, f"{decision}, dry run")
        return _taken(draft, _review_object(record))
    told = audited(request, HTTPStatus.ACCEPTED, f"{decision}, revision {record.revision}")
    await gateway.appender.append([Output(TOPIC, record), told])
    _remember(gateway, record)
    return _taken(draft, _review_object(record))


def _require_reviewable(draft: Found, body: ReviewBody, if_match: str | None) -> None:
    if body.content_digest not in (None, draft["content_digest"]):
        raise _changed("the draft has another text by now")
    if if_match is not None and if_match.strip() not in ("*", _etag(draft)):
        raise _changed("the draft or its review is not what If-Match names")
    if draft["decision"] is None:
        raise Refused(
            HTTPStatus.CONFLICT,
            f"the draft is {draft['status']}, and the pipeline has not decided on it: try again in a moment",
            type_="not-decided",
        )


def _changed(why: str) -> Refused:
    return Refused(HTTPStatus.CONFLICT, f"{why}; look at it again: GET /v1/drafts/{{draft_id}}", type_="draft-changed")


def _record(draft: Found, caller: Caller, decision: Decision, reason: str | None) -> DraftReviewed:
    revision = 1 if draft["review"] is None else draft["review"]["revision"] + 1
    identity = (draft["draft_id"], draft["content_digest"], str(revision), decision, caller.subject, caller.tenant)
    record = DraftReviewed(
        event_id=derived_id("draft review", *identity),
        occurred_at=utc_now(),
        persona_id=draft["persona_id"],
        draft_id=draft["draft_id"],
        content_digest=draft["content_digest"],
        revision=revision,
        decision=decision,
        reason=reason,
        reviewed_by=caller.subject,
    )
    validate(record)
    return record


async def draft_seen(gateway: Gateway, caller: Caller, draft_id: str) -> Found:
    """Return a draft that a caller sees, with the review that stands as far as this gateway knows.

    Raises:
        Refused: there is none.
    """
    chosen = {"personas": None, "status": None, "draft": draft_id, "limit": 1}
    rows = await gateway.database.rows("drafts", {**chosen, **time_place(None)})
    if not rows or not gateway.personas.visible(caller, rows[0]["persona_id"]):
        raise not_found("draft", draft_id, "/v1/drafts")
    found = _seen(gateway, caller, draft_object(rows[0]))
    lately = gateway.reviews_lately.get(draft_id)
    if lately is not None and _is_newer(lately, found):
        found["review"] = _review_object(lately)
    return found


def _seen(gateway: Gateway, caller: Caller, draft: Found) -> Found:
    shown = names_seen(gateway, caller)
    return draft if shown is None else {**draft, "reasons": [shown(each) for each in draft["reasons"]]}


def _remember(gateway: Gateway, record: DraftReviewed) -> None:
    """Remember what Kafka has; of two that came at the same moment the first in the log, which is told first."""
    known = gateway.reviews_lately.get(record.draft_id)
    if known is None or known.content_digest != record.content_digest or known.revision < record.revision:
        gateway.reviews_lately[record.draft_id] = record


def _is_newer(lately: DraftReviewed, draft: Found) -> bool:
    """Tell whether a review is of the draft's text and beyond what PostgreSQL has, whose log order counts."""
    known = 0 if draft["review"] is None else draft["review"]["revision"]
    return lately.content_digest == draft["content_digest"] and lately.revision > known


def _review_object(record: DraftReviewed) -> Found:
    names = ("event_id", "revision", "decision", "reason", "reviewed_by")
    return {**{name: getattr(record, name) for name in names}, "reviewed_at": iso(record.occurred_at)}


def _taken(draft: Found, review: Found) -> ReviewTaken:
    of = {name: draft[name] for name in ("draft_id", "persona_id", "content_digest")}
    return ReviewTaken.model_validate({**review, **of})


def _etag(draft: Found) -> str:
    review: Any = draft["review"] or {"revision": 0}
    return f'"{draft["content_digest"][:32]}.{review["revision"]}"'
