"""What the publisher and the insights poller ask of a platform, whichever it is.

A platform keeps nothing and retries nothing: who calls decides, by the kind of error, what follows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal, Protocol

from agents.platforms.capabilities import Capabilities
from streams.errors import ThreadsError

ContainerStatus = Literal["in_progress", "finished", "published", "error", "expired", "missing"]


@dataclass(frozen=True, slots=True)
class Account:
    """An account to call with. The token is a secret: it is in no repr, log or error."""

    account_id: str
    platform: str
    base_url: str
    user_id: str
    username: str
    token: str = field(repr=False)
    scopes: frozenset[str] = frozenset()
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One part of a publication. `key` is the same whenever this part is tried, and that of no other part.

    `reply_to` is the id of the post that it continues.
    """

    key: str
    text: str
    reply_to: str | None = None
    topic_tag: str | None = None
    reply_control: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """What is made before the post and published as a whole; `reason` is the platform's word on an error."""

    container_id: str
    status: ContainerStatus
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class LivePost:
    """A post as the platform has it; times in UTC."""

    post_id: str
    text: str | None
    published_at: datetime | None
    permalink: str | None = None
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """What may be published in a rolling window, as the platform says; None where it does not say."""

    used: int | None
    limit: int | None
    window_s: float
    replies_used: int | None = None
    replies_limit: int | None = None


@dataclass(frozen=True, slots=True)
class PostInsights:
    """Lifetime totals of a post; None for what the platform does not tell."""

    views: int | None = None
    likes: int | None = None
    replies: int | None = None
    reposts: int | None = None
    quotes: int | None = None
    shares: int | None = None


@dataclass(frozen=True, slots=True)
class AccountInsights:
    """Numbers of an account: `followers` as of now, `clicks` by address between the two times that were asked for."""

    followers: int | None = None
    clicks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """Who an account is on the platform."""

    user_id: str
    username: str


class PlatformError(ThreadsError):
    """A platform did not do what it was asked; the message says what to do. Subclasses say what follows."""


class Refused(PlatformError):
    """It will never take this post as it is: nothing was published, and asking again is no use."""


class NotReady(PlatformError):
    """The container is not there yet, or not any more: look at its status, wait, or make it again."""


class Throttled(PlatformError):
    """Too many calls, or the quota is used up: nothing was published; wait `retry_after_s` seconds where it says."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TokenRejected(PlatformError):
    """The token is expired or revoked: nothing was done, and no call with this account will be."""


class Restricted(PlatformError):
    """The platform restricted the account: nothing was done; never try by oneself."""


class PermissionMissing(PlatformError):
    """The account lacks the permission `permission`; nothing was done."""

    def __init__(self, message: str, permission: str) -> None:
        super().__init__(message)
        self.permission = permission


class NotThere(PlatformError):
    """The post or the account that was named is not on the platform (any more)."""


class PlatformAway(PlatformError):
    """It did not answer, or with a fault of its own, and surely did nothing: the same call may be made again."""


class Unlisted(PlatformAway):
    """It is published, as the platform says, but is not among the account's posts: not yet, or it was deleted."""


class OutcomeUnknown(PlatformError):
    """A call that can't be taken back got no clear answer: it may have been done. Read back; never just call again."""


class Platform(Protocol):
    """A platform. Every call raises a `PlatformError` where it does not succeed, within its time-out.

    Only `publish` and `delete` raise `OutcomeUnknown`. Clients are shared by tasks and open until `close`.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]

    async def create_container(self, account: Account, outgoing: Outgoing) -> str:
        """Make a container and return its id; one that is never published does no harm.

        Where the platform has none, return a key that makes `publish` repeatable.
        """
        ...

    async def container(self, account: Account, container_id: str) -> Container:
        """Return what has become of a container."""
        ...

    async def publish(self, account: Account, outgoing: Outgoing, container_id: str) -> str:
        """Publish a container and return the id of the post, which is not the container's."""
        ...

    async def find(
        self,
        account: Account,
        outgoing: Outgoing,
        container_id: str,
        since: datetime,
        known: Collection[str] = frozenset(),
    ) -> LivePost | None:
        """Read back whether this part is there, made since a time; None is proof that it is not (yet).

        `since` is when its first call began. `known` are ids of posts that are others: the same text may have been
        posted in the same second. Raises `NotReady` while the container is being made still, and `Unlisted`.
        """
        ...

    async def post(self, account: Account, post_id: str) -> LivePost:
        """Return a post; `NotThere` where it was deleted."""
        ...

    async def posts(self, account: Account, since: datetime) -> list[LivePost]:
        """Return the account's posts and replies since a time, the newest first."""
        ...

    async def delete(self, account: Account, post_id: str) -> None:
        """Delete a post; one that is not there is no error."""
        ...

    async def quota(self, account: Account) -> Quota:
        """Return what may be published still."""
        ...

    async def post_insights(self, account: Account, post_id: str) -> PostInsights:
        """Return the totals of a post."""
        ...

    async def account_insights(self, account: Account, since: datetime, until: datetime) -> AccountInsights:
        """Return the account's numbers."""
        ...

    async def profile(self, account: Account) -> Profile:
        """Return who the token belongs to."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
