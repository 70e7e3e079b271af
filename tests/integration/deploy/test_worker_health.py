"""The health check of a worker's container, against the real broker."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer

from deploy.worker_health import check, fault_of, main
from streams.embedded.ports import free_port
from streams.metrics_server import MetricsServer, Page
from streams.running_workers import announced
from streams.settings import Settings

DEADLINE_S, POLL_S = 30.0, 0.1
HEALTHY = "healthy"


class Servers(Protocol):
    """The part of the session's stack that is used here."""

    bootstrap: str
    settings: Settings


async def awaited(role: str, settings: Settings, expected: str) -> None:
    """Check until the finding has the expected text in it."""
    until = time.monotonic() + DEADLINE_S
    while expected not in (found := await check(role, settings) or HEALTHY):
        assert time.monotonic() < until, found
        await asyncio.sleep(POLL_S)


async def test_a_worker_is_healthy_while_it_is_in_its_group(stack: Servers) -> None:
    role = f"role-{uuid4().hex}"
    await awaited(role, stack.settings, "no worker of this role")
    async with AIOKafkaConsumer("persona.requests", bootstrap_servers=stack.bootstrap, group_id=role):
        await awaited(role, stack.settings, HEALTHY)
    await awaited(role, stack.settings, "no worker of this role")


def test_a_member_at_another_address_does_not_make_this_one_healthy() -> None:
    member = ("kpis-1-x", "threads-agent", "/172.18.0.7", b"", b"")
    group = (0, "kpis", "Stable", "consumer", "range", [member])
    assert fault_of(group, "172.18.0.7") is None
    assert fault_of(group, "172.18.0.8") == "the group kpis has members at 172.18.0.7, none at 172.18.0.8"


async def test_a_broker_that_is_away_is_unhealthy_with_its_address() -> None:
    bootstrap = f"127.0.0.1:{free_port()}"
    assert f"Kafka at {bootstrap} can't tell about the group kpis" in str(
        await check("kpis", Settings(kafka=bootstrap))
    )


def test_a_role_has_to_be_named() -> None:
    assert main([]) == 1


@pytest.mark.parametrize(("status", "expected"), [(HTTPStatus.OK, HEALTHY), (HTTPStatus.SERVICE_UNAVAILABLE, "stuck")])
async def test_a_worker_that_says_of_itself_that_it_is_stuck_is_unhealthy(
    tmp_path: Path, status: HTTPStatus, expected: str
) -> None:
    pages: dict[str, Page] = {"/livez": lambda: (status, {"status": "stuck"})}
    server = MetricsServer(host="127.0.0.1", port=0, port_setting="none", pages=pages)
    settings = Settings(home=tmp_path, kafka=f"127.0.0.1:{free_port()}")
    try:
        assert "no worker in" in str(await check("gateway", settings))
        with announced(tmp_path, ["gateway"], server.url):
            assert expected in (await check("gateway", settings) or HEALTHY)
    finally:
        await asyncio.to_thread(server.close)
    with announced(tmp_path, ["gateway"], server.url):
        assert "does not answer at" in str(await check("gateway", settings))
