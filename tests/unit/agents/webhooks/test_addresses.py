"""No delivery goes where it must not: whatever way an address is written, and whatever a name resolves to."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from agents.webhooks.addresses import AddressRefused, CheckingResolver, allows_private, check_address, checked_url
from tests.support.settings import settings_with

PRIVATE = ("127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.9.9", "::1", "fd00::1", "::ffff:127.0.0.1", "2002:7f00:1::")
NEVER = ("169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1",
         "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::")  # fmt: skip
PUBLIC = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34", "64:ff9b::5db8:d822")
ODD = ("2130706433", "127.1", "0177.0.0.1", "127.0.0.01", "10.0.0", "1.2.3.4.5", "00000000000000000000")


@pytest.mark.parametrize("text", PRIVATE)
def test_private_addresses_need_leave(text: str) -> None:
    with pytest.raises(AddressRefused, match="not public"):
        check_address(text, allow_private=False)
    check_address(text, allow_private=True)


@pytest.mark.parametrize("text", NEVER)
@pytest.mark.parametrize("allow_private", [True, False])
def test_link_local_multicast_and_reserved_addresses_are_never_delivered_to(text: str, *, allow_private: bool) -> None:
    with pytest.raises(AddressRefused):
        check_address(text, allow_private=allow_private)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_delivered_to(text: str) -> None:
    check_address(text, allow_private=False)


@pytest.mark.parametrize("text", ODD)
def test_an_address_in_an_odd_form_is_refused_before_anybody_reads_it_otherwise(text: str) -> None:
    with pytest.raises(AddressRefused, match="usual form"):
        checked_url(f"http://{text}/hook", allow_private=True)


@given(st.ip_addresses(v=4))
def test_an_address_within_another_is_judged_as_itself(address: IPv4Address) -> None:
    def is_refused(text: str) -> bool:
        try:
            check_address(text, allow_private=False)
        except AddressRefused:
            return True
        return False

    mapped = IPv6Address(0xFFFF << 32 | int(address))
    translated = IPv6Address(int(ip_address("64:ff9b::")) | int(address))
    assert is_refused(str(mapped)) == is_refused(str(translated)) == is_refused(str(address))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://tools.example/", "gopher://tools.example/", "//tools.example/", "tools.example",
        "http://", "http:///x", "http://user:password@tools.example/", "https://user@tools.example/", "",
        "http://[::1", "http://tools.example:99999/", "https://tools.example/" + "x" * 3_000, "javascript:alert(1)",
    ],
)  # fmt: skip
def test_a_url_that_is_none_for_webhooks_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        checked_url(url, allow_private=True)


class Names(AbstractResolver):
    """Names with the addresses that a test gives them."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0)
            for each in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("address", PRIVATE + NEVER)
async def test_a_name_is_refused_where_one_of_its_addresses_is(address: str) -> None:
    resolver = CheckingResolver(allow_private=False, inner=Names(PUBLIC[0], address))
    with pytest.raises(AddressRefused):
        await resolver.resolve("tools.example", 443)


async def test_a_name_of_public_addresses_is_resolved() -> None:
    resolver = CheckingResolver(allow_private=False, inner=Names(*PUBLIC))
    assert [each["host"] for each in await resolver.resolve("tools.example", 443)] == list(PUBLIC)


def test_private_addresses_are_for_the_embedded_stack_unless_a_setting_says_otherwise() -> None:
    assert allows_private(settings_with())
    assert not allows_private(settings_with(kafka="kafka.example:9092"))
    assert allows_private(settings_with(kafka="kafka.example:9092", webhooks_allow_private=True))
    assert not allows_private(settings_with(webhooks_allow_private=False))
