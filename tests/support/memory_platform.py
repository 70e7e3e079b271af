"""A platform in memory with containers as Threads has them, whose calls go wrong as the test says."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from agents.platforms.capabilities import Capabilities, capabilities_of
from agents.platforms.contract import (
    Account,
    AccountInsights,
    Container,
    ContainerStatus,
    LivePost,
    NotReady,
    NotThere,
    OutcomeUnknown,
    Outgoing,
    PermissionMissing,
    PlatformAway,
    PostInsights,
    Profile,
    Quota,
    Refused,
    Restricted,
    Throttled,
    TokenRejected,
    Unlisted,
)

Fault = Literal[
    "refused",
    "not_ready",
    "throttled",
    "token",
    "restricted",
    "permission",
    "not_there",
    "away",
    "lost_before",
    "lost_after",
    "broken",
    "hang",
    "hang_after",
    "hold",
]
"""What befalls a call: the classes of the contract; lost_before and lost_after are calls without an answer, before or
after it was done; broken is what no client may raise; hang and hang_after never return, and are done in the latter;
hold is done
when it is released."""

ERRORS: dict[Fault, Callable[[], Exception]] = {
    "refused": lambda: Refused("the text is refused: write another"),
    "not_ready": lambda: NotReady("the container is not ready: wait"),
    "throttled": lambda: Throttled("too many calls: wait", 3.0),
    "token": lambda: TokenRejected("the token is revoked: log in again"),
    "restricted": lambda: Restricted("the account is restricted: ask the platform"),
    "permission": lambda: PermissionMissing("not permitted: grant it", "threads_content_publish"),
    "not_there": lambda: NotThere("there is no such thing"),
    "away": lambda: PlatformAway("the platform is away: wait"),
    "lost_before": lambda: OutcomeUnknown("no answer"),
    "lost_after": lambda: OutcomeUnknown("no answer"),
    "broken": lambda: KeyError("id"),
}


@dataclass(slots=True)
class Made:
    """A container; `ready_at` is when it can be published."""

    container_id: str
    account_id: str
    outgoing: Outgoing
    made_at: datetime
    ready_at: datetime
    status: ContainerStatus | None = None
    post_id: str | None = None
    reason: str | None = None


@dataclass
class MemoryPlatform:
    """Publishes each container at most once, as the real one does; `live` is what there is, `calls` what was asked."""

    name: ClassVar[str] = "threads"
    capabilities: ClassVar[Capabilities] = capabilities_of("threads")

    clock: Callable[[], datetime]
    ready_s: float = 0.0
    lasts_s: float = 86_400.0
    faults: dict[str, deque[Fault]] = field(default_factory=dict)
    made: int = 0
    containers: dict[str, Made] = field(default_factory=dict)
    live: dict[str, LivePost] = field(default_factory=dict)
    ever: list[tuple[str, Outgoing]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    used: int | None = None
    limit: int | None = 250
    is_unlisted: bool = False
    revoked: set[str] = field(default_factory=set)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def fault(self, call: str, *faults: Fault) -> None:
        """Let the next calls of a kind go wrong."""
        self.faults.setdefault(call, deque()).extend(faults)

    def texts(self) -> list[str]:
        """Return the texts that are there, in the order in which they came."""
        return [each.text or "" for each in self.live.values()]

    async def _called(self, call: str, account: Account) -> Fault | None:
        self.calls[call] += 1
        await asyncio.sleep(0)
        if account.token in self.revoked:
            raise TokenRejected("the token is revoked: log in again")
        waiting = self.faults.get(call)
        fault = waiting.popleft() if waiting else None
        if fault == "hang":
            await asyncio.Event().wait()
        if fault == "hold":
            await self.released.wait()
            return None
        if fault in {None, "lost_after", "hang_after"}:
            return fault
        assert fault is not None
        raise ERRORS[fault]()  # noqa: RSE102 - it makes the error

    async def create_container(self, account: Account, outgoing: Outgoing) -> str:
        await self._called("create_container", account)
        if outgoing.reply_to is not None and outgoing.reply_to not in self.live:
            raise NotThere(f"there is no post {outgoing.reply_to} to reply to")
        key, now = f"c{self.made}", self.clock()
        self.made += 1
        self.containers[key] = Made(key, account.account_id, outgoing, now, now + timedelta(seconds=self.ready_s))
        return key

    def status(self, container_id: str) -> ContainerStatus:
        made = self.containers.get(container_id)
        if made is None:
            return "missing"
        if made.status is not None:
            return made.status
        if self.clock() - made.made_at > timedelta(seconds=self.lasts_s):
            return "expired"
        return "finished" if self.clock() >= made.ready_at else "in_progress"

    async def container(self, account: Account, container_id: str) -> Container:
        await self._called("container", account)
        made = self.containers.get(container_id)
        return Container(container_id, self.status(container_id), made.reason if made else None)

    async def publish(self, account: Account, outgoing: Outgoing, container_id: str) -> str:  # noqa: ARG002 - as in the contract
        fault = await self._called("publish", account)
        status = self.status(container_id)
        if status == "published":
            raise OutcomeUnknown("it seems to be published already: read back")
        if status != "finished":
            raise NotReady(f"the container is {status}: look again")
        made = self.containers[container_id]
        made.status, made.post_id = "published", f"p{len(self.ever)}"
        self.ever.append((made.post_id, made.outgoing))
        self.live[made.post_id] = LivePost(
            made.post_id,
            made.outgoing.text,
            self.clock().replace(microsecond=0),
            f"https://threads.example/{made.post_id}",
            made.outgoing.reply_to,
        )
        if fault == "lost_after":
            raise ERRORS[fault]()  # noqa: RSE102 - it makes the error
        if fault == "hang_after":
            await asyncio.Event().wait()
        return made.post_id

    async def find(
        self,
        account: Account,
        outgoing: Outgoing,
        container_id: str,
        since: datetime,
        known: Collection[str] = frozenset(),
    ) -> LivePost | None:
        await self._called("find", account)
        if self.status(container_id) == "in_progress":
            raise NotReady("it is being made still")
        found = [
            each
            for each in self.live.values()
            if each.text == outgoing.text
            and each.reply_to == outgoing.reply_to
            and each.post_id not in known
            and (each.published_at is None or each.published_at >= since.replace(microsecond=0))
        ]
        if found and not self.is_unlisted:
            return found[0]
        if self.status(container_id) == "published":
            raise Unlisted("it is published and not listed")
        return None

    async def post(self, account: Account, post_id: str) -> LivePost:
        await self._called("post", account)
        if post_id not in self.live:
            raise NotThere("the post is not there")
        return self.live[post_id]

    async def posts(self, account: Account, since: datetime) -> list[LivePost]:
        await self._called("posts", account)
        return [each for each in self.live.values() if each.published_at is None or each.published_at >= since]

    async def delete(self, account: Account, post_id: str) -> None:
        fault = await self._called("delete", account)
        self.live.pop(post_id, None)
        if fault == "lost_after":
            raise ERRORS[fault]()  # noqa: RSE102 - it makes the error

    async def quota(self, account: Account) -> Quota:
        await self._called("quota", account)
        used = len(self.ever) if self.used is None else self.used
        return Quota(used, self.limit, 86_400.0)

    async def post_insights(self, account: Account, post_id: str) -> PostInsights:
        del account, post_id
        return PostInsights()

    async def account_insights(self, account: Account, since: datetime, until: datetime) -> AccountInsights:
        del account, since, until
        return AccountInsights()

    async def profile(self, account: Account) -> Profile:
        return Profile(account.user_id, account.username)

    async def close(self) -> None:
        """Nothing is open."""

    def set_status(self, container_id: str, status: ContainerStatus, reason: str | None = None) -> None:
        """Let a container come to an end by itself."""
        self.containers[container_id] = replace(self.containers[container_id], status=status, reason=reason)

    def lose(self, container_id: str) -> None:
        """Forget a container."""
        del self.containers[container_id]
