"""Who one is, and the session of a browser."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from agents.gateway.audit import audit_record
from agents.gateway.auth.caller import RoleName
from agents.gateway.auth.sign_in import COOKIE
from agents.gateway.auth.tokens import SESSION_LIFETIME, SESSION_PREFIX, digest_of, made_session, new_secret, revoked
from agents.gateway.routing import problems, router
from agents.gateway.state import TheCaller, TheGateway
from streams.wall_clock import utc_now

ROUTER = router("session")


class Me(BaseModel):
    """Who the gateway takes the caller for."""

    subject: str = Field(examples=["token:nightly producer"])
    role: RoleName
    tenant: str = Field(description="`*` sees all tenants.", examples=["default"])


class SignInBody(BaseModel):
    """What a session is made of."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=8_192, description="A service token or a JWT.")


@ROUTER.get("/v1/me", summary="Tell who the token is taken for")
async def me(caller: TheCaller) -> Me:
    return Me(subject=caller.subject, role=caller.role, tenant=caller.tenant)


@ROUTER.post("/v1/session", summary="Sign a browser in: a cookie that scripts can't read", responses=problems(401))
async def sign_in(body: SignInBody, request: Request, response: Response, gateway: TheGateway) -> Me:
    address = request.client.host if request.client else ""
    caller, ends_at = await gateway.sign_in.caller_with(body.token, address)
    await gateway.rates.count_token(caller.rated_as)
    secret = new_secret(SESSION_PREFIX)
    session = made_session(secret, utc_now(), caller, ends_at)
    await gateway.tokens.begin(session)
    await gateway.audit.told(audit_record(request, "/v1/session", caller, HTTPStatus.OK, f"session {session.token_id}"))
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(SESSION_LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return Me(subject=caller.subject, role=caller.role, tenant=caller.tenant)


@ROUTER.delete("/v1/session", status_code=204, summary="Sign a browser out")
async def sign_out(request: Request, response: Response, gateway: TheGateway) -> None:
    token = gateway.tokens.book.with_digest(digest_of(request.cookies.get(COOKIE, "")))
    if token is not None and token.kind == "session":
        await gateway.tokens.write(revoked(token, utc_now()))
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
