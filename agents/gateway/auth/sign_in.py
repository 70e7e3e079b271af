"""Sign-in: who a request comes from, by its header Authorization or by the cookie of a session."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus

from starlette.requests import Request

from agents.gateway.auth.caller import Caller
from agents.gateway.auth.jwt_check import JwtCheck
from agents.gateway.auth.token_store import TokenStore
from agents.gateway.auth.tokens import PREFIX, SESSION_PREFIX, digest_of, unauthorised
from agents.gateway.problems import Refused
from agents.gateway.rates import Rates

COOKIE = "threads_session"
CSRF_HEADER = "x-threads-agent"
CSRF_VALUE = "page"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_LENGTH = 8_192


class SignIn:
    """Tell who calls; an address whose tokens are often no good is not heard for a while."""

    def __init__(self, tokens: TokenStore, jwts: JwtCheck | None, rates: Rates) -> None:
        self._tokens = tokens
        self._jwts = jwts
        self._rates = rates

    async def caller_of(self, request: Request) -> Caller:
        """Return who calls.

        Raises:
            Refused: nothing was shown that holds; or a cookie came with a write that the page did not send.
        """
        authorization = request.headers.get("authorization")
        address = request.client.host if request.client else ""
        if authorization is not None:
            scheme, _, shown = authorization.partition(" ")
            if scheme.lower() != "bearer" or not shown:
                raise unauthorised(
                    "expected `Authorization: Bearer <token>`, got another scheme; make a token with "
                    "`threads-agent tokens create`"
                )
            return await self._known_or_checked(shown.strip(), address)
        session = request.cookies.get(COOKIE)
        if session is None:
            raise unauthorised(
                "no token was sent; send `Authorization: Bearer <token>`, or open the page with `threads-agent open`"
            )
        if request.method not in SAFE_METHODS and request.headers.get(CSRF_HEADER) != CSRF_VALUE:
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "a write by session needs the header `X-Threads-Agent: page`, which no other site can send",
            )
        return await self._known_or_checked(session, address)

    async def _known_or_checked(self, shown: str, address: str) -> Caller:
        digest = digest_of(shown)
        known = self._tokens.known(digest) or (self._jwts.known(digest) if self._jwts else None)
        return known or (await self._checked_at(address, shown, digest))[0]

    async def caller_with(self, shown: str, address: str) -> tuple[Caller, datetime | None]:
        """Return who a session is to be made for, and when the JWT that is shown for it ends.

        Raises:
            Refused: it is no token that holds, or the address showed too many that do not; or it is a session, which
                would live on in another when its token is revoked.
            Unavailable: it is a JWT, and the keys of its provider can't be had.
        """
        if shown.startswith(SESSION_PREFIX):
            raise unauthorised("a session makes no other: show the token that it was made with")
        return await self._checked_at(address, shown, digest_of(shown))

    async def _checked_at(self, address: str, shown: str, digest: str) -> tuple[Caller, datetime | None]:
        if known := self._tokens.known(digest):
            return known, None
        await self._rates.require_few_failures(address)
        try:
            return await self._checked(shown, digest)
        except Refused:
            await self._rates.count_failure(address)
            raise

    async def _checked(self, shown: str, digest: str) -> tuple[Caller, datetime | None]:
        if len(shown) > MOST_LENGTH:
            raise unauthorised(f"the token has {len(shown)} characters, of at most {MOST_LENGTH}")
        if shown.startswith((PREFIX, SESSION_PREFIX)):
            return await self._tokens.caller_with(digest), None
        if self._jwts is None:
            raise unauthorised(
                f"expected a token that begins with {PREFIX}; `threads-agent tokens create` makes one. JWTs are "
                "believed where THREADS_GATEWAY_JWKS_URL or THREADS_GATEWAY_JWT_KEY names an identity provider"
            )
        caller, ends_at = await self._jwts.caller_with(shown, digest)
        return caller, datetime.fromtimestamp(ends_at, UTC)
