"""Service tokens by HTTP, for admins; `threads-agent tokens` does the same without a gateway."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from agents.gateway.auth.caller import Caller, RoleName
from agents.gateway.auth.tokens import ending, made_token, new_secret, revoked, rotated
from agents.gateway.parameters import USUAL_ITEMS, Cursor, Limit, Page, page_of, place_of
from agents.gateway.problems import Refused
from agents.gateway.routing import router, tell_audit
from agents.gateway.state import TheCaller, TheGateway
from schemas.records import AccessToken
from streams.wall_clock import utc_now

ROUTER = router("tokens")
TenantName = Annotated[str, Field(pattern=r"^(\*|[a-z0-9]+(-[a-z0-9]+)*)$", max_length=64)]
Scope = Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_.-]*$", max_length=200)]
TokenId = Annotated[str, Path(max_length=64)]
MOST_DAYS = 3_650


class TokenBody(BaseModel):
    """What a new token is good for."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$", examples=["nightly producer"])
    role: RoleName = "viewer"
    tenant: TenantName | None = Field(None, description="None: the caller's; `*`, all tenants, is for callers of all.")
    scopes: list[Scope] = Field([], max_length=20, description="Path prefixes that it is good for; none: any.")
    expires_in_days: int | None = Field(90, ge=1, le=MOST_DAYS, description="null: it does not expire.")


class TokenShown(BaseModel):
    """A token without its secret, which nobody knows but who has it."""

    token_id: str
    name: str
    role: RoleName
    tenant: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="Told at most once in five minutes.")


class TokenMade(TokenShown):
    """A new token with its secret, which is shown this once."""

    secret: str


def shown_token(token: AccessToken, last_used_at: datetime | None = None) -> TokenShown:
    """Return a token as it is shown."""
    own = {name: getattr(token, name) for name in TokenShown.model_fields if name != "last_used_at"}
    return TokenShown(**own, last_used_at=last_used_at)


@ROUTER.get("/v1/tokens", summary="List the service tokens of the tenant")
async def list_tokens(
    gateway: TheGateway, caller: TheCaller, limit: Limit = USUAL_ITEMS, cursor: Cursor = None
) -> Page[TokenShown]:
    behind = place_of(cursor, str, str)
    uses = gateway.tokens.uses
    found = [
        shown_token(each, uses.last(each.token_id)).model_dump(mode="json")
        for each in gateway.tokens.book.seen_by(caller)
    ]
    rest = [each for each in found if behind is None or (each["created_at"], each["token_id"]) > behind]
    page: Page[TokenShown] = page_of(rest[: limit + 1], limit, lambda each: [each["created_at"], each["token_id"]])
    return page


@ROUTER.post("/v1/tokens", status_code=201, summary="Make a service token")
async def create_token(body: TokenBody, request: Request, gateway: TheGateway, caller: TheCaller) -> TokenMade:
    """Answer with the secret, which is shown this once: the gateway keeps its SHA-256 alone."""
    _require_within(caller, body)
    now, secret = utc_now(), new_secret()
    token = made_token(
        secret,
        now,
        name=body.name,
        role=body.role,
        tenant=body.tenant or caller.tenant,
        created_by=caller.subject,
        scopes=body.scopes or caller.scopes,
        expires_at=None if body.expires_in_days is None else now + timedelta(days=body.expires_in_days),
    )
    await gateway.tokens.write(token)
    tell_audit(request, f"token {token.token_id}: {token.role} of {token.tenant}")
    return TokenMade(**shown_token(token).model_dump(), secret=secret)


@ROUTER.post("/v1/tokens/{token_id}/rotate", status_code=201, summary="Replace a token by one that is like it")
async def rotate_token(
    token_id: TokenId,
    request: Request,
    gateway: TheGateway,
    caller: TheCaller,
    overlap_hours: Annotated[float, Query(ge=0, le=24 * 30, description="How long the old one stays good.")] = 24.0,
) -> TokenMade:
    """Answer with the new secret; the old one is good until the overlap is over."""
    await gateway.tokens.refresh()  # it may have been revoked elsewhere a moment ago
    now, secret = utc_now(), new_secret()
    old = gateway.tokens.book.require(token_id, caller)
    if old.revoked_at is not None:
        raise Refused(HTTPStatus.CONFLICT, f"the token {token_id} was revoked; make a new one with POST /v1/tokens")
    _require_scopes(caller, old.scopes)  # its secret would open more than the caller's own does
    new = rotated(old, secret, now, caller.subject)
    await gateway.tokens.write(new)
    await gateway.tokens.write(ending(old, now, timedelta(hours=overlap_hours)))
    tell_audit(request, f"token {new.token_id} follows {old.token_id}")
    return TokenMade(**shown_token(new).model_dump(), secret=secret)


@ROUTER.delete("/v1/tokens/{token_id}", status_code=204, summary="Revoke a token, and the sessions made with it")
async def revoke_token(token_id: TokenId, gateway: TheGateway, caller: TheCaller) -> None:
    token = gateway.tokens.book.require(token_id, caller)
    if token.revoked_at is None:
        await gateway.tokens.write(revoked(token, utc_now()))


def _require_within(caller: Caller, body: TokenBody) -> None:
    """See that a new token opens nothing that its maker's does not.

    Raises:
        Refused: its tenant or one of its scopes is beyond.
    """
    if body.tenant is not None and not caller.owns(body.tenant):
        raise Refused(
            HTTPStatus.FORBIDDEN, f"a token of {caller.tenant} can't make one of {body.tenant}; leave tenant out"
        )
    _require_scopes(caller, body.scopes or caller.scopes)


def _require_scopes(caller: Caller, scopes: Sequence[str]) -> None:
    """See that a token of some scopes opens no path that the caller's does not; raises `Refused`."""
    if beyond := caller.beyond(scopes):
        raise Refused(HTTPStatus.FORBIDDEN, f"{', '.join(beyond)} is beyond the scopes {', '.join(caller.scopes)}")
