"""The harness of Threads: the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from agents.platforms.contract import Account, Platform
from agents.platforms.settings import PlatformSettings
from agents.platforms.threads import ThreadsPlatform
from agents.platforms.threads_ids import simulated_user_id
from streams.settings import Settings
from tests.support.platforms.harness import IMPATIENT_S, PATIENT_S, Fault, On, TruePost
from tests.support.simulator import RunningSimulator, running_simulator

FAULTS: Mapping[Fault, str] = {
    "cut_before": "cut",
    "cut_after": "cut_after_publish",
    "silence_before": "timeout",
    "silence_after": "timeout_after_publish",
    "malformed_after": "malformed_json",
    "server_fault": "500",
    "throttled": "613_retry_after",
    "restricted": "4279013",
    "not_ready": "4279009",
}
OF_DELETE: Mapping[Fault, str] = {"silence_after": "timeout_after_delete", "malformed_after": "malformed_json"}
PUBLISHING = "threads_content_publish"


class ThreadsHarness:
    """Accounts, faults and truth of the simulator."""

    faults = frozenset(FAULTS)

    def __init__(self, simulator: RunningSimulator, platform: Platform, impatient: Platform) -> None:
        self.simulator = simulator
        self.platform = platform
        self.impatient = impatient

    async def account(self, name: str) -> Account:
        return Account(
            account_id=f"simulated-{name}",
            platform="threads",
            base_url=self.simulator.api,
            user_id=simulated_user_id(name),
            username=name,
            token=f"SIMULATED-{name}",
            simulated=True,
        )

    async def without_permission(self, name: str) -> tuple[Account, str] | None:
        account = await self.account(name)
        await self.platform.profile(account)
        scopes = ["threads_basic", "threads_read_replies"]
        self.simulator.control("tokens", {"user": name, "change": "scopes", "scopes": scopes})
        return account, PUBLISHING

    async def revoke(self, account: Account) -> None:
        self.simulator.control("tokens", {"user": account.username, "change": "revoke"})

    async def inject(self, account: Account, fault: Fault, on: On = "publish") -> None:
        name = OF_DELETE[fault] if on == "delete" else FAULTS[fault]
        self.simulator.faults({"fault": name, "on": on, "user": account.username})

    async def ready(self, account: Account, container_id: str) -> None:
        """Containers are ready at once here."""

    async def truth(self, account: Account) -> list[TruePost]:
        posts = self.simulator.posts(account.username)
        return [TruePost(each["id"], each["text"], each["reply_to"]) for each in posts]

    async def engage(self, account: Account, post_id: str, **totals: int) -> None:
        del account
        self.simulator.control(f"posts/{post_id}/engage", dict(totals))

    async def click(self, account: Account, post_id: str, url: str, times: int) -> None:
        del account
        self.simulator.control(f"posts/{post_id}/engage", {"clicks": {url: times}})

    async def totals(self, account: Account, post_id: str) -> Mapping[str, int]:
        [post] = [each for each in self.simulator.posts(account.username) if each["id"] == post_id]
        totals: dict[str, Any] = post["totals"]
        return totals

    async def remove(self, account: Account, post_id: str) -> None:
        del account
        self.simulator.control(f"posts/{post_id}/delete", {})


@contextmanager
def threads_server(home: Path) -> Iterator[Any]:
    """Run a simulator, and yield what opens harnesses of it."""
    with running_simulator(home) as simulator:

        @asynccontextmanager
        async def opened() -> AsyncIterator[ThreadsHarness]:
            patient, impatient = (
                ThreadsPlatform(Settings().having(PlatformSettings(platform_timeout_s=each)))
                for each in (PATIENT_S, IMPATIENT_S)
            )
            try:
                yield ThreadsHarness(simulator, patient, impatient)
            finally:
                await patient.close()
                await impatient.close()

        def harness() -> AbstractAsyncContextManager[ThreadsHarness]:
            return opened()

        yield harness
