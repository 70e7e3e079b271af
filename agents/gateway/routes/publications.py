"""Publications: what is to be published and was, part by part, with the state of each and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from agents.gateway.auth.caller import Caller
from agents.gateway.idempotency import IdempotencyKeyHeader
from agents.gateway.parameters import (
    MOST_ID_LENGTH,
    USUAL_ITEMS,
    WITHOUT_NUL,
    Cursor,
    Found,
    Limit,
    Moment,
    Page,
    PathId,
    PersonaParam,
    Storable,
    bad_cursor,
    example,
    iso,
    page_of,
    personas_shown,
    place_of,
    storable,
)
from agents.gateway.problems import Refused, not_found
from agents.gateway.routes.drafts import DIGEST, RejectBody, ReviewBody, draft_seen, review_draft
from agents.gateway.routes.requests import base_of_ids
from agents.gateway.routing import DryRun, audited, router, tell_audit
from agents.gateway.state import Gateway, TheCaller, TheGateway
from agents.publishing.asking.refusals import refusal
from agents.publishing.identity import command_of
from schemas.records import Decision, PostCommand, PostCommandKind, PublicationState
from streams.engine.stage import Output
from streams.identity import derived_id
from streams.validation import validate
from streams.wall_clock import utc_now

ROUTER = router("publications")
COMMANDS = "posts.commands"
MOST_PART = 2**31 - 1
StateParam = Annotated[PublicationState | None, Query(description="Only parts in this state.")]
DraftParam = Annotated[
    str | None,
    Query(alias="draft", max_length=MOST_ID_LENGTH, pattern=WITHOUT_NUL, description="Only what came of this draft."),
]


class PublicationPart(BaseModel):
    """A part of a publication in the state that it has now; a thread has several parts."""

    publication_id: str
    part: int = Field(description="Counted from 0.")
    parts: int
    sequence: int = Field(description="How many states the part has had.")
    state: PublicationState
    persona_id: str
    platform: str
    account_id: str | None
    draft_id: str | None
    text: str
    content_digest: str = Field(description="SHA-256 of the texts of all parts: an approval is of these texts alone.")
    due_at: Moment | None
    container_id: str | None = Field(description="The platform's container; never the post's id.")
    post_id: str | None
    permalink: str | None
    attempt: int = Field(description="Calls to publish so far.")
    reason: str | None = Field(description="Why it is in this state, and what to do.")
    retryable: bool | None = Field(description="Of failed: whether trying again can help.")
    simulated: bool
    changed_at: Moment


class Publication(BaseModel):
    """A publication with all its parts."""

    publication_id: str
    persona_id: str
    platform: str
    draft_id: str | None
    content_digest: str
    parts: list[PublicationPart]


class CommandBody(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: Storable | None = Field(None, max_length=2_000, examples=["not now"])


class ApproveBody(CommandBody):
    """Why, and of what texts."""

    content_digest: str | None = Field(
        None, pattern=DIGEST, description="`content_digest` of the part that was looked at: another text is a 409."
    )
    supersede: bool = Field(
        default=False, description="Of a draft's own text: replace the review that stands, where it decided otherwise."
    )
    revision: int = Field(
        1,
        ge=1,
        le=2**31 - 1,
        description="Of a text that was edited, or is of no draft: the greatest revision stands, of one the first.",
    )


class DisapproveBody(ApproveBody):
    """Why not, and of what texts."""

    reason: Storable = Field(min_length=1, max_length=2_000, examples=["off brand"])


class CommandTaken(BaseModel):
    """A command that Kafka has; the publisher decides what comes of it, in the order of its log."""

    command_id: str = Field(description="The states that it leads to name it as what caused them.")
    kind: PostCommandKind
    publication_id: str
    persona_id: str


PART_EXAMPLE: Found = {
    "publication_id": "7c1d2e3f-4a5b-5c6d-8e7f-0a1b2c3d4e5f",
    "part": 0,
    "parts": 1,
    "sequence": 5,
    "state": "published",
    "persona_id": "night-shift-nora",
    "platform": "threads",
    "account_id": "threads-17841400000000001",
    "draft_id": "2f3a4b5c-6d7e-5f80-9a1b-2c3d4e5f6071",
    "text": "Tired? Nap first.",
    "content_digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "due_at": "2026-11-22T09:40:00.000+00:00",
    "container_id": "17800000000000001",
    "post_id": "18012345",
    "permalink": "https://www.threads.com/@nora/post/C1",
    "attempt": 1,
    "reason": "found by reading back after a time-out",
    "retryable": None,
    "simulated": False,
    "changed_at": "2026-11-22T09:40:03.000+00:00",
}
TAKEN_EXAMPLE: Found = {
    "command_id": "0f8f6d0e-5a0b-5c58-9d8e-0d7a3b1c2d50",
    "kind": "cancel",
    "publication_id": PART_EXAMPLE["publication_id"],
    "persona_id": PART_EXAMPLE["persona_id"],
}
_OF_ALL_PARTS = ("publication_id", "persona_id", "platform", "draft_id", "content_digest")


@ROUTER.get(
    "/v1/publications",
    summary="List what is to be published and was, part by part, the last changed first",
    responses=example(200, {"items": [PART_EXAMPLE], "next_cursor": None}),
)
async def list_publications(
    gateway: TheGateway,
    caller: TheCaller,
    *,
    persona: PersonaParam = None,
    state: StateParam = None,
    draft: DraftParam = None,
    limit: Limit = USUAL_ITEMS,
    cursor: Cursor = None,
) -> Page[PublicationPart]:
    """States move: a part that changes while pages are read is on the first page again."""
    chosen = {"personas": personas_shown(gateway, caller, persona), "state": state, "draft": draft}
    rows = await gateway.database.rows("publications", {**chosen, **_place(cursor), "limit": limit + 1})
    found: Page[PublicationPart] = page_of(
        [_part(row) for row in rows], limit, lambda item: [item["changed_at"], item["publication_id"], item["part"]]
    )
    return found


@ROUTER.get(
    "/v1/publications/{publication_id}",
    summary="Show one publication with all its parts",
    responses=example(200, {**{name: PART_EXAMPLE[name] for name in _OF_ALL_PARTS}, "parts": [PART_EXAMPLE]}),
)
async def one_publication(publication_id: PathId, gateway: TheGateway, caller: TheCaller) -> Publication:
    """Each part in its newest state, as far as PostgreSQL has it."""
    parts = await _parts(gateway, caller, publication_id)
    return Publication.model_validate({**{name: parts[0][name] for name in _OF_ALL_PARTS}, "parts": parts})


@ROUTER.post(
    "/v1/publications/{publication_id}/cancel",
    status_code=202,
    summary="Take a publication back while it is not published",
    responses=example(202, TAKEN_EXAMPLE),
)
async def cancel(
    publication_id: PathId,
    *,
    request: Request,
    gateway: TheGateway,
    caller: TheCaller,
    body: CommandBody | None = None,
    idempotency_key: IdempotencyKeyHeader = None,
    dry_run: DryRun = False,
) -> CommandTaken:
    """Leave what of a thread is public, and take back the rest; 409 where nothing is left to cancel."""
    del idempotency_key  # read from the request, with its body
    asked = _Asked(request, gateway, caller, await _parts(gateway, caller, publication_id), dry_run=dry_run)
    return await asked.command("cancel", reason=body.reason if body else None)


@ROUTER.post(
    "/v1/publications/{publication_id}/retry",
    status_code=202,
    summary="Try a publication again that failed",
    responses=example(202, {**TAKEN_EXAMPLE, "kind": "retry"}),
)
async def retry(
    publication_id: PathId,
    *,
    request: Request,
    gateway: TheGateway,
    caller: TheCaller,
    body: CommandBody | None = None,
    idempotency_key: IdempotencyKeyHeader = None,
    dry_run: DryRun = False,
) -> CommandTaken:
    """Answer 409 where it did not fail, or in a way that this does not mend. Nothing is published twice by it."""
    del idempotency_key
    asked = _Asked(request, gateway, caller, await _parts(gateway, caller, publication_id), dry_run=dry_run)
    return await asked.command("retry", reason=body.reason if body else None)


@ROUTER.post(
    "/v1/publications/{publication_id}/approve",
    status_code=202,
    summary="Approve the text of a publication",
    responses=example(202, {**TAKEN_EXAMPLE, "kind": "review"}),
)
async def approve(
    publication_id: PathId,
    *,
    request: Request,
    gateway: TheGateway,
    caller: TheCaller,
    body: ApproveBody | None = None,
    idempotency_key: IdempotencyKeyHeader = None,
    dry_run: DryRun = False,
) -> CommandTaken:
    """Approve the text that it has now, or that of `content_digest`. An edit ends it; of two that compete one stands.

    A draft's own text is reviewed as the draft is: POST /v1/drafts/{draft_id}/accept.
    """
    del idempotency_key
    asked = _Asked(request, gateway, caller, await _parts(gateway, caller, publication_id), dry_run=dry_run)
    return await asked.review("accepted", body or ApproveBody())


@ROUTER.post(
    "/v1/publications/{publication_id}/reject",
    status_code=202,
    summary="Reject the text of a publication",
    responses=example(202, {**TAKEN_EXAMPLE, "kind": "review"}),
)
async def reject(
    publication_id: PathId,
    body: DisapproveBody,
    *,
    request: Request,
    gateway: TheGateway,
    caller: TheCaller,
    idempotency_key: IdempotencyKeyHeader = None,
    dry_run: DryRun = False,
) -> CommandTaken:
    """Keep it from being published, unless a later review accepts it."""
    del idempotency_key
    asked = _Asked(request, gateway, caller, await _parts(gateway, caller, publication_id), dry_run=dry_run)
    return await asked.review("rejected", body)


class _Asked:
    """A write that is asked for, on a publication that the caller sees."""

    def __init__(
        self, request: Request, gateway: Gateway, caller: Caller, parts: list[Found], *, dry_run: bool
    ) -> None:
        self._request, self._gateway, self._caller, self._dry_run = request, gateway, caller, dry_run
        self._parts, self._first = parts, parts[0]

    async def review(self, decision: Decision, body: ApproveBody) -> CommandTaken:
        """Append a review: of a draft's own text on drafts.reviews, so that one order decides, else as a command."""
        digest = body.content_digest or self._first["content_digest"]
        draft_id = self._first["draft_id"]
        draft = None if draft_id is None else await draft_seen(self._gateway, self._caller, draft_id)
        if draft is None or draft["content_digest"] != self._first["content_digest"]:
            return await self.command(
                "review", reason=body.reason, decision=decision, digest=digest, revision=body.revision
            )
        self._require(self._made("review", None, decision, digest, revision=1))
        given = {"reason": body.reason, "content_digest": digest, "supersede": body.supersede}
        kind = ReviewBody if decision == "accepted" else RejectBody
        taken = await review_draft(
            self._request,
            self._gateway,
            self._caller,
            draft_id=draft_id,
            decision=decision,
            body=kind.model_validate(given),
            if_match=None,
            dry_run=self._dry_run,
        )
        return self._taken("review", command_of("review", taken.event_id))

    async def command(
        self,
        kind: PostCommandKind,
        *,
        reason: str | None,
        decision: Decision | None = None,
        digest: str | None = None,
        revision: int = 0,
    ) -> CommandTaken:
        """Append a command.

        Raises:
            Refused: it comes too late, or is of another text.
        """
        made = self._made(kind, reason, decision, digest, revision)
        self._require(made)
        if self._dry_run:
            tell_audit(self._request, f"{kind}, dry run")
            return self._taken(kind, "")
        route = f"publications/{kind}/{decision}/{self._first['publication_id']}"
        base, outputs = await base_of_ids(self._request, self._gateway, self._caller, route)
        command = replace(made, event_id=derived_id(base, kind))
        told = audited(self._request, HTTPStatus.ACCEPTED, f"{kind} of {command.publication_id}")
        await self._gateway.appender.append([*outputs, Output(COMMANDS, command), told])
        return self._taken(kind, command.event_id)

    def _require(self, command: PostCommand) -> None:
        why = refusal(
            command,
            [each["state"] for each in self._parts],
            self._first["content_digest"],
            retryable=all(each["retryable"] for each in self._parts if each["state"] == "failed"),
        )
        if why is not None:
            raise Refused(HTTPStatus.CONFLICT, f"publication {command.publication_id}: {why}", type_="no-effect")

    def _made(
        self,
        kind: PostCommandKind,
        reason: str | None,
        decision: Decision | None,
        digest: str | None,
        revision: int,
    ) -> PostCommand:
        command = PostCommand(
            event_id="not yet",
            occurred_at=utc_now(),
            persona_id=self._first["persona_id"],
            kind=kind,
            publication_id=self._first["publication_id"],
            draft_id=self._first["draft_id"],
            decision=decision,
            content_digest=digest,
            revision=revision,
            reason=reason,
            requested_by=self._caller.subject,
        )
        validate(command)
        return command

    def _taken(self, kind: PostCommandKind, command_id: str) -> CommandTaken:
        return CommandTaken(
            command_id=command_id,
            kind=kind,
            publication_id=self._first["publication_id"],
            persona_id=self._first["persona_id"],
        )


async def _parts(gateway: Gateway, caller: Caller, publication_id: str) -> list[Found]:
    """Return the parts of a publication that a caller sees.

    Raises:
        Refused: there is none.
    """
    rows = await gateway.database.rows("publication", {"publication": publication_id})
    if not rows or not gateway.personas.visible(caller, rows[0]["persona_id"]):
        raise not_found("publication", publication_id, "/v1/publications")
    return [_part(row) for row in rows]


def _part(row: Found) -> Found:
    return {**row, "due_at": iso(row["due_at"]), "changed_at": iso(row["changed_at"])}


def _place(cursor: str | None) -> dict[str, object]:
    """Return where a page begins: behind a part; raises `Refused`."""
    place = place_of(cursor, str, str, int)
    if place is None:
        return {"before_at": None, "before_id": None, "before_part": None}
    changed_at, publication_id, part = place
    try:
        at = datetime.fromisoformat(changed_at).astimezone(UTC)
        named = storable(publication_id)
    except (ValueError, OverflowError) as error:
        raise bad_cursor() from error
    if not 0 <= part <= MOST_PART:
        raise bad_cursor()
    return {"before_at": at, "before_id": named, "before_part": part}
