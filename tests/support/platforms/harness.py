"""What the contract suite of platforms needs of each: a server on loopback, faults on demand, and its truth.

How one is started stands in harnesses.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from agents.platforms.contract import Account, Platform

Fault = Literal[
    "cut_before",  # the connection breaks, nothing was done
    "cut_after",  # it breaks, all was done
    "silence_before",  # no answer comes, nothing was done
    "silence_after",  # no answer comes, all was done
    "malformed_after",  # the answer is no JSON, all was done
    "server_fault",  # 5xx, nothing was done
    "throttled",  # with a Retry-After of RETRY_AFTER_S
    "restricted",  # the account may not publish
    "not_ready",  # of platforms with containers only
]
On = Literal["publish", "delete", "insights"]
RETRY_AFTER_S = 7.0
PATIENT_S = 60.0
IMPATIENT_S = 3.0
"""Time-outs of the two clients."""


@dataclass(frozen=True, slots=True)
class TruePost:
    """A post as the server itself knows it."""

    post_id: str
    text: str
    reply_to: str | None = None


class PlatformHarness(Protocol):
    """One platform with a server of its own; tests share it, each with accounts of its own.

    `impatient` is the same client with a time-out of seconds: only for calls that no answer comes to. `faults` and
    `on` are those that the server can do.
    """

    platform: Platform
    impatient: Platform
    faults: frozenset[str]

    async def account(self, name: str) -> Account:
        """Make an account, with all permissions, of a name that no other test has."""
        ...

    async def without_permission(self, name: str) -> tuple[Account, str] | None:
        """Make an account that may not publish, and name the permission that it lacks; None where there is no such."""
        ...

    async def revoke(self, account: Account) -> None:
        """Let the platform take the account's token for no longer valid."""
        ...

    async def inject(self, account: Account, fault: Fault, on: On = "publish") -> None:
        """Let a fault befall the account's next call of a kind, and only that."""
        ...

    async def ready(self, account: Account, container_id: str) -> None:
        """Return when a container can be published; at once where there are none."""
        ...

    async def truth(self, account: Account) -> list[TruePost]:
        """Return the account's posts that are there, the oldest first."""
        ...

    async def engage(self, account: Account, post_id: str, **totals: int) -> None:
        """Add to the totals of a post, by the names of `PostInsights`."""
        ...

    async def click(self, account: Account, post_id: str, url: str, times: int) -> None:
        """Let a link of a post be clicked; only where the platform `has_clicks`."""
        ...

    async def totals(self, account: Account, post_id: str) -> Mapping[str, int]:
        """Return the totals of a post as the server itself knows them."""
        ...

    async def remove(self, account: Account, post_id: str) -> None:
        """Delete a post as if by hand on the platform."""
        ...
