"""OAuth of Threads: a login gives a code, the code a token for an hour, that one for 60 days, renewed from a day on.

Source: the documentation of the Threads API (authorization window, long-lived tokens, debug), as of 2026-11.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import ClassVar
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from agents.accounts.permissions import BLOCKED_WITHOUT
from agents.accounts.platform_http import Json, PlatformHttp
from agents.accounts.token_sources import AccountError, Clock, Grant, Renewal, text_in, texts_in, time_in
from agents.platforms.contract import PermissionMissing, Refused, TokenRejected

SCOPES = tuple(BLOCKED_WITHOUT["threads"])
AUTHORIZE_URL = "https://threads.net/oauth/authorize"
REAL_HOSTS = {"graph.threads.net", "graph.threads.com"}
SHORT_LIVED = timedelta(hours=2)  # a token for an hour, with room for clocks
LONGEST_LIFE_S = 10 * 366 * 86_400


class ThreadsOAuth:
    """Tokens of Threads, and of its simulator, which answers alike."""

    platform: ClassVar[str] = "threads"
    least_age: ClassVar[timedelta | None] = timedelta(hours=24)

    def __init__(self, http: PlatformHttp, app_id: str | None, app_secret: SecretStr | None, clock: Clock) -> None:
        self._http = http
        self._app_id = app_id
        self._app_secret = app_secret
        self._clock = clock

    def authorize_url(self, base_url: str, redirect_url: str, state: str) -> str:
        """Return the address at which a person grants the permissions.

        Raises:
            AccountError: the app is not set.
        """
        app_id, _ = self._app()
        is_real = urlsplit(base_url).hostname in REAL_HOSTS
        asked = {
            "client_id": app_id,
            "redirect_uri": redirect_url,
            "scope": ",".join(SCOPES),
            "response_type": "code",
            "state": state,
        }
        return f"{AUTHORIZE_URL if is_real else _origin(base_url) + '/oauth/authorize'}?{urlencode(asked)}"

    async def grant_for_code(self, base_url: str, redirect_url: str, code: str) -> Grant:
        """Exchange a code for a token of 60 days, and see whose it is.

        Raises:
            AccountError: the app is not set.
            PlatformError: the code is expired, used or another app's, or the platform does not answer.
        """
        app_id, secret = self._app()
        form = {
            "client_id": app_id,
            "client_secret": secret.get_secret_value(),
            "grant_type": "authorization_code",
            "redirect_uri": redirect_url,
            "code": code,
        }
        try:
            short = await self._http.post_form(f"{_origin(base_url)}/oauth/access_token", form)
        except (Refused, TokenRejected) as error:
            raise Refused(
                f"{error}. A code is good once and for an hour, for the redirect URL that it was asked with "
                f"({redirect_url}): run `threads-agent accounts add threads` again"
            ) from None
        return await self._long_lived(base_url, text_in(short, "access_token"), scopes=SCOPES)

    async def grant(self, base_url: str, token: str, username: str | None) -> Grant:  # noqa: ARG002
        """See whose a token is; one for an hour is exchanged for one of 60 days where the app's secret is set."""
        found = await self._described(base_url, Renewal(token, None), ())
        is_short = found.expires_at is not None and found.expires_at - self._clock() < SHORT_LIVED
        if is_short and self._app_id is not None and self._app_secret is not None:
            with contextlib.suppress(Refused):  # it is one of 60 days that ends soon
                return await self._long_lived(base_url, token, scopes=found.scopes)
        return found

    async def renewed(self, base_url: str, token: str) -> Renewal:
        """Refresh a token of 60 days that is at least 24 hours old; the old one stays good until its own end."""
        asked = {"grant_type": "th_refresh_token", "access_token": token}
        return self._renewal(await self._http.get(f"{_origin(base_url)}/refresh_access_token", asked))

    async def scopes(self, base_url: str, token: str) -> tuple[str, ...]:
        """Return the permissions that a token has; none where the platform does not tell."""
        return (await self._debugged(base_url, token))[0]

    async def _long_lived(self, base_url: str, short: str, *, scopes: tuple[str, ...]) -> Grant:
        _, secret = self._app()
        asked = {
            "grant_type": "th_exchange_token",
            "client_secret": secret.get_secret_value(),
            "access_token": short,
        }
        renewal = self._renewal(await self._http.get(f"{_origin(base_url)}/access_token", asked))
        return await self._described(base_url, renewal, scopes)

    async def _described(self, base_url: str, token: Renewal, asked: tuple[str, ...]) -> Grant:
        """See whose a token is; the permissions are those asked for where the platform does not tell."""
        profile = await self._http.get(f"{base_url}/me", {"fields": "id,username"}, bearer=token.token)
        scopes, told = await self._debugged(base_url, token.token)
        return Grant(
            token.token,
            user_id=text_in(profile, "id"),
            username=text_in(profile, "username"),
            scopes=scopes or asked,
            expires_at=token.expires_at or time_in(told, "expires_at"),
        )

    async def _debugged(self, base_url: str, token: str) -> tuple[tuple[str, ...], Json]:
        with contextlib.suppress(Refused, PermissionMissing):  # it answers testers of the app alone
            asked = {"access_token": token, "input_token": token}
            answer = await self._http.get(f"{base_url}/debug_token", asked)
            told = answer.get("data")
            if isinstance(told, dict):
                if told.get("is_valid") is False:
                    raise TokenRejected("the platform says that the token is not valid any more; add the account again")
                return texts_in(told, "scopes"), told
        return (), {}

    def _renewal(self, answer: Json) -> Renewal:
        seconds = answer.get("expires_in")
        is_known = isinstance(seconds, int) and not isinstance(seconds, bool) and 0 < seconds < LONGEST_LIFE_S
        ends = self._clock() + timedelta(seconds=seconds) if is_known and isinstance(seconds, int) else None
        return Renewal(text_in(answer, "access_token"), ends)

    def _app(self) -> tuple[str, SecretStr]:
        if self._app_id is None or self._app_secret is None:
            raise AccountError(
                "a login needs your Threads app: set THREADS_APP_ID, and THREADS_APP_SECRET or "
                "THREADS_APP_SECRET_FILE; or give a token that you have with --token-file"
            )
        return self._app_id, self._app_secret


def _origin(base_url: str) -> str:
    found = urlsplit(base_url)
    return f"{found.scheme}://{found.netloc}"
