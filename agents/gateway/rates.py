"""Rates: how often a token and an address may ask, and how often an address may fail to sign in."""

from __future__ import annotations

import ipaddress
import math
import time
from functools import lru_cache
from http import HTTPStatus

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from agents.gateway.problems import Refused
from agents.gateway.settings import GatewaySettings


class Rates:
    """Count requests in windows; what is over the rate is refused until the next window."""

    def __init__(self, wanted: GatewaySettings) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._by_token = parse(wanted.gateway_token_rate)
        self._by_address = parse(wanted.gateway_address_rate)
        self._failures = parse(wanted.gateway_failure_rate)
        self._notices = parse(wanted.gateway_notice_rate)

    async def count_token(self, name: str) -> None:
        """Count a request of a token, or of the subject of a JWT.

        Raises:
            Refused: it asks too often.
        """
        await self._count(self._by_token, "token", name, "this token")

    async def count_address(self, address: str) -> None:
        """Count a request from an address.

        Raises:
            Refused: it asks too often.
        """
        await self._count(self._by_address, "address", network_of(address), "this address")

    async def count_notice(self, address: str) -> None:
        """Count a webhook of a platform, which shows no token.

        Raises:
            Refused: its address sends too many.
        """
        await self._count(self._notices, "notice", network_of(address), "this address")

    async def count_failure(self, address: str) -> None:
        """Count a token that was no good."""
        await self._limiter.hit(self._failures, "failure", network_of(address))

    async def require_few_failures(self, address: str) -> None:
        """See that an address did not guess too often.

        Raises:
            Refused: it did.
        """
        if not await self._limiter.test(self._failures, "failure", network_of(address)):
            raise await self._refusal(
                self._failures, "failure", network_of(address), "sign-ins that fail, this address"
            )

    async def _count(self, item: RateLimitItem, kind: str, name: str, who: str) -> None:
        if not await self._limiter.hit(item, kind, name):
            raise await self._refusal(item, kind, name, who)

    async def _refusal(self, item: RateLimitItem, kind: str, name: str, who: str) -> Refused:
        stats = await self._limiter.get_window_stats(item, kind, name)
        wait_s = max(1, math.ceil(stats.reset_time - time.time()))
        return Refused(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"{who} may make {item}; wait {wait_s} s, as Retry-After says, and send less at a time",
            headers={"Retry-After": str(wait_s)},
        )


@lru_cache(maxsize=10_000)
def network_of(address: str) -> str:
    """Return what is counted as one address: an IPv6 client has a whole /64."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped is not None:  # a socket of both versions shows every IPv4 client so: all would be one
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
