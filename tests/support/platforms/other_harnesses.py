"""The harnesses of Bluesky and Mastodon: each with a server of its documented answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from agents.platforms.bluesky import BlueskyPlatform
from agents.platforms.contract import Account, Platform
from agents.platforms.mastodon import MastodonPlatform
from agents.platforms.settings import PlatformSettings
from streams.settings import Settings
from tests.support.platforms.bluesky_server import BlueskyServer, bluesky_server
from tests.support.platforms.harness import PATIENT_S, Fault, On, PlatformHarness, TruePost
from tests.support.platforms.mastodon_server import MastodonServer, mastodon_server

FAULTS = frozenset(
    {"cut_before", "cut_after", "silence_before", "silence_after", "malformed_after", "server_fault", "throttled"}
    | {"restricted"}
)
WRITE = "write:statuses"
IMPATIENT_S = 2.0


class BlueskyHarness:
    """Accounts, faults and truth of a server of Bluesky."""

    faults: frozenset[str] = FAULTS

    def __init__(self, server: BlueskyServer, url: str, platform: Platform, impatient: Platform) -> None:
        self.server, self.url = server, url
        self.platform, self.impatient = platform, impatient

    async def account(self, name: str) -> Account:
        user = self.server.add(name)
        return Account(f"acc_{name}", "bluesky", self.url, user.did, user.handle, user.password, simulated=True)

    async def without_permission(self, name: str) -> None:
        """There are no permissions here."""

    async def revoke(self, account: Account) -> None:
        self.server.revoke(account.user_id)

    async def inject(self, account: Account, fault: Fault, on: On = "publish") -> None:
        self.server.faults.inject(account.user_id, fault, on)

    async def ready(self, account: Account, container_id: str) -> None:
        """There are no containers here."""

    async def truth(self, account: Account) -> list[TruePost]:
        return self.server.truth(account.user_id)

    async def engage(self, account: Account, post_id: str, **totals: int) -> None:
        del account
        counts = self.server.record(post_id).counts
        for name, count in totals.items():
            counts[name] += count

    async def click(self, account: Account, post_id: str, url: str, times: int) -> None:
        raise NotImplementedError(f"nobody counts {times} clicks on {url} of {post_id} ({account.platform})")

    async def totals(self, account: Account, post_id: str) -> Mapping[str, int]:
        del account
        return self.server.record(post_id).counts

    async def remove(self, account: Account, post_id: str) -> None:
        del self.server.users[account.user_id].records[post_id.rpartition("/")[2]]


class MastodonHarness:
    """Accounts, faults and truth of a server of Mastodon."""

    faults: frozenset[str] = FAULTS

    def __init__(self, server: MastodonServer, url: str, platform: Platform, impatient: Platform) -> None:
        self.server, self.url = server, url
        self.platform, self.impatient = platform, impatient

    async def account(self, name: str, *scopes: str) -> Account:
        user = self.server.add(name, *scopes)
        return Account(f"acc_{name}", "mastodon", self.url, user.account_id, name, user.token, simulated=True)

    async def without_permission(self, name: str) -> tuple[Account, str] | None:
        return await self.account(name, "read"), WRITE

    async def revoke(self, account: Account) -> None:
        self.server.revoke(account.user_id)

    async def inject(self, account: Account, fault: Fault, on: On = "publish") -> None:
        self.server.faults.inject(account.user_id, fault, on)

    async def ready(self, account: Account, container_id: str) -> None:
        """There are no containers here."""

    async def truth(self, account: Account) -> list[TruePost]:
        return self.server.truth(account.user_id)

    async def engage(self, account: Account, post_id: str, **totals: int) -> None:
        del account
        counts = self.server.statuses[post_id].counts
        for name, count in totals.items():
            counts[name] += count

    async def click(self, account: Account, post_id: str, url: str, times: int) -> None:
        raise NotImplementedError(f"nobody counts {times} clicks on {url} of {post_id} ({account.platform})")

    async def totals(self, account: Account, post_id: str) -> Mapping[str, int]:
        del account
        return self.server.statuses[post_id].counts

    async def remove(self, account: Account, post_id: str) -> None:
        del account
        del self.server.statuses[post_id]


def _timeouts() -> Iterator[Settings]:
    return (Settings().having(PlatformSettings(platform_timeout_s=each)) for each in (PATIENT_S, IMPATIENT_S))


@contextmanager
def bluesky(home: Path) -> Iterator[Any]:
    """Run a server of Bluesky, and yield what opens harnesses of it."""
    del home
    with bluesky_server() as (server, url):

        @asynccontextmanager
        async def opened() -> AsyncIterator[PlatformHarness]:
            patient, impatient = (BlueskyPlatform(each) for each in _timeouts())
            try:
                yield BlueskyHarness(server, url, patient, impatient)
            finally:
                await patient.close()
                await impatient.close()

        def harness() -> AbstractAsyncContextManager[PlatformHarness]:
            return opened()

        yield harness


@contextmanager
def mastodon(home: Path) -> Iterator[Any]:
    """Run a server of Mastodon, and yield what opens harnesses of it."""
    del home
    with mastodon_server() as (server, url):

        @asynccontextmanager
        async def opened() -> AsyncIterator[PlatformHarness]:
            patient, impatient = (MastodonPlatform(each) for each in _timeouts())
            try:
                yield MastodonHarness(server, url, patient, impatient)
            finally:
                await patient.close()
                await impatient.close()

        def harness() -> AbstractAsyncContextManager[PlatformHarness]:
            return opened()

        yield harness
