"""Addresses that deliveries may go to: the public ones, and private ones where the settings allow them.

A name is judged by what it resolves to at the moment of connecting, so that no name can be pointed elsewhere later.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from agents.webhooks.settings import WebhookSettings
from streams.errors import ThreadsError
from streams.settings import Settings

Address = IPv4Address | IPv6Address
NAT64 = IPv6Network("64:ff9b::/96")
MAX_URL_CHARS = 2_000
ALLOW = "THREADS_WEBHOOKS_ALLOW_PRIVATE=true allows private ones"


class AddressRefused(ThreadsError):
    """A delivery may not go there, now or later."""


def allows_private(settings: Settings) -> bool:
    """Tell whether private and loopback addresses may be delivered to: by setting, else on the embedded stack."""
    wanted = settings.of(WebhookSettings).webhooks_allow_private
    return settings.kafka is None if wanted is None else wanted


def checked_url(text: str, *, allow_private: bool) -> URL:
    """Return the address of a receiver.

    Raises:
        AddressRefused: it is no http(s) address, holds a password, is too long, or names an address that is refused.
    """
    if len(text) > MAX_URL_CHARS:
        raise AddressRefused(f"a webhook's url may have {MAX_URL_CHARS:,} characters, this has {len(text):,}")
    try:
        url = URL(text)
        host = url.host
    except ValueError as error:
        raise AddressRefused(f"expected a url such as https://tools.example/hook, got {text!r}: {error}") from error
    if url.scheme not in ("http", "https") or not host:
        raise AddressRefused(f"expected a url such as https://tools.example/hook, got {text!r}")
    if url.user is not None or url.password is not None:
        raise AddressRefused("a webhook's url may hold no user or password; deliveries are signed, check that instead")
    if ":" in host or host.replace(".", "").isdigit():  # what the client takes for an address, and does not resolve
        check_address(host, allow_private=allow_private)
    return url


def check_address(text: str, *, allow_private: bool) -> None:
    """Check an IP address.

    Raises:
        AddressRefused: it is none in the usual form, or not public and not allowed. Link-local ones, where clouds
            hand out credentials, and multicast are never allowed.
    """
    try:
        found = ip_address(text)
    except ValueError as error:
        raise AddressRefused(f"expected an IP address in its usual form, got {text!r}") from error
    for address in meant(found):
        is_reserved = address.is_reserved and not address.is_loopback  # ::1 lies in a range that is
        if address.is_link_local or address.is_multicast or address.is_unspecified or is_reserved:
            raise AddressRefused(
                f"webhooks are not delivered to {text}: link-local, multicast and reserved are refused"
            )
        if not address.is_global and not (allow_private and (address.is_private or address.is_loopback)):
            raise AddressRefused(f"webhooks are not delivered to {text}, which is not public; {ALLOW}")


def meant(address: Address) -> Iterator[Address]:
    """Yield the address itself, or those IPv4 addresses that it stands for."""
    if isinstance(address, IPv4Address):
        yield address
        return
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64:
        inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
    embedded = [each for each in inner if each is not None]
    yield from embedded or [address]


class CheckingResolver(AbstractResolver):
    """Resolve names, and refuse those that stand for any address that is refused."""

    def __init__(self, *, allow_private: bool, inner: AbstractResolver | None = None) -> None:
        self._allow_private = allow_private
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for each in found:
            check_address(each["host"].partition("%")[0], allow_private=self._allow_private)
        return found

    async def close(self) -> None:
        await self._inner.close()
