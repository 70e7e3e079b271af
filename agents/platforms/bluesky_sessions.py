"""Sessions of Bluesky: opened with an account's app password, kept in memory alone, and renewed when they end.

At rest there is the app password, no session: a refresh token is good once, so that two workers with the same one would
lose it to each other. Each worker has a session of its own of an account. Opening one is limited to 300 a day by
account, renewing is not; so a session is renewed where that can be, and opened anew where not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from agents.platforms.answers import documented, text_of
from agents.platforms.bluesky_faults import STALE, error_name, fault_of
from agents.platforms.calls import Answer, Call, HttpCalls, checked_token
from agents.platforms.contract import Account, Restricted, TokenRejected

SERVER = "/xrpc/com.atproto.server"


@dataclass(frozen=True, slots=True)
class Session:
    """An open session; both tokens are secrets."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)


Key = tuple[str, str, str]


class Sessions:
    """The sessions of accounts; tasks share one, and the one call that opens it, or its failure."""

    def __init__(self, calls: HttpCalls, now: Callable[[], datetime]) -> None:
        self._calls = calls
        self._now = now
        self._open: dict[Key, Session] = {}
        self._opening: dict[Key, asyncio.Task[Session]] = {}

    async def of(self, account: Account, stale: Session | None = None) -> Session:
        """Return the session of an account, another one than `stale`.

        Raises:
            TokenRejected: the platform does not take the app password, or it is another account's.
            Restricted: the platform took the account down, or it is deactivated.
            PlatformError: as its kind says; nothing was done.
        """
        key = (account.base_url, account.user_id, checked_token(account.token))
        known = self._open.get(key)
        if known is not None and known is not stale:
            return known
        opening = self._opening.get(key)
        if opening is None:
            opening = self._opening[key] = asyncio.create_task(self._another(account, key))
            opening.add_done_callback(lambda task: self._settled(key, task))
        return await asyncio.shield(opening)

    def _settled(self, key: Key, task: asyncio.Task[Session]) -> None:
        del self._opening[key]
        if not task.cancelled():
            task.exception()  # those who waited for it were told

    async def close(self) -> None:
        """Forget all sessions, and end what opens one."""
        opening = [*self._opening.values()]
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        self._open.clear()

    async def _another(self, account: Account, key: Key) -> Session:
        ended = self._open.pop(key, None)
        found = None if ended is None else await self._renewed(account, ended)
        self._open[key] = found = found or await self._opened(account)
        return found

    async def _opened(self, account: Account) -> Session:
        asked = {"identifier": account.user_id, "password": account.token}
        call = Call("POST", f"{SERVER}.createSession", json=asked, is_open=True)
        return self._session(account, call, await self._calls.make(account, call))

    async def _renewed(self, account: Account, ended: Session) -> Session | None:
        """Return the session that follows one; None where it can't be renewed any more."""
        call = Call("POST", f"{SERVER}.refreshSession")
        answer = await self._calls.make(account, call, token=ended.refresh)
        return None if error_name(answer) in STALE else self._session(account, call, answer)

    def _session(self, account: Account, call: Call, answer: Answer) -> Session:
        fault = fault_of(account, call, answer, self._now())
        if fault is not None:
            raise fault
        found = documented(call, answer)
        access, refresh = text_of(found.get("accessJwt")), text_of(found.get("refreshJwt"))
        if access is None or refresh is None:
            raise call.unclear("the answer has no session")
        if found.get("did") != account.user_id:
            raise TokenRejected(f"the app password is not one of {account.user_id}: add the account again")
        if found.get("active") is False:
            why = str(found.get("status") or "not active")[:80]
            raise Restricted(f"the account {account.account_id!r} is {why} on the platform: activate it there")
        return Session(access, refresh)
