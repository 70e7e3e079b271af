"""Ports of the embedded servers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.embedded.port_book import PortBook
from streams.embedded.ports import LOWEST_PORT, fixed_port, free_port, is_free
from streams.errors import SettingsError
from streams.settings import Settings


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        yield server


def test_a_free_port_lies_below_the_ephemeral_range() -> None:
    start = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = {free_port() for _ in range(50)}
    assert all(LOWEST_PORT <= port < start for port in ports)


def test_the_last_port_is_kept_while_it_is_free(taken: socket.socket) -> None:
    last = free_port()
    assert free_port(last) == last
    in_use = taken.getsockname()[1]
    assert not is_free(in_use)
    assert free_port(in_use) != in_use


def test_a_fixed_port_in_use_is_refused_by_number_and_setting(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    with pytest.raises(SettingsError, match=f"Port {port} is in use.*THREADS_KAFKA_PORT"):
        fixed_port(port, "THREADS_KAFKA_PORT")


def test_a_home_keeps_its_ports_from_start_to_start(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = {name: PortBook(settings).port(name) for name in ("kafka", "kafka_controller", "postgres")}
    assert {name: PortBook(settings).port(name) for name in first} == first


def test_a_port_set_by_a_setting_is_taken(tmp_path: Path) -> None:
    port = free_port()
    assert PortBook(Settings(home=tmp_path, postgres_port=port)).port("postgres") == port


def test_servers_of_a_home_never_share_a_port(tmp_path: Path) -> None:
    book = PortBook(Settings(home=tmp_path))
    first = book.port("kafka")
    (tmp_path / "ports.json").write_text(f'{{"kafka": {first}, "postgres": {first}}}')
    again = PortBook(Settings(home=tmp_path))
    assert again.port("kafka") == first
    assert again.port("postgres") != first
