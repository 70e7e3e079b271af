"""Health check of a worker's container, `python worker_health.py ROLE`: status 0 when it does its work.

A role with stages is asked for in its consumer group. A process that hangs leaves its group: it no longer sends
heartbeats, or polls later than Kafka allows. So membership tells more than a process id. A member is this container's
when the broker sees it at this container's address. A service has no group: its worker says in the home that it is
ready. Of either a worker that has said so is asked at its /livez, and what that tells is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import urllib.error
import urllib.request
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from streams.errors import ThreadsError
from streams.kafka.cluster import CONNECT_ERRORS, Cluster
from streams.role import ServiceRole, load_role, role_names
from streams.running_workers import running_workers
from streams.settings import Settings, current_settings

TIMEOUT_S = 10.0
AT_WORK = frozenset({"Stable", "PreparingRebalance", "CompletingRebalance"})
HEALTHY, UNHEALTHY = 0, 1
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy


def own_address(bootstrap: str) -> str:
    """Return the address of this host that the first bootstrap server sees.

    Raises:
        OSError: it does not accept connections.
    """
    host, _, port = bootstrap.partition(",")[0].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
        return str(connection.getsockname()[0])


def fault_of(group: Any, address: str) -> str | None:  # noqa: ANN401 - aiokafka is untyped
    """Return what is wrong with a described group as seen from an address, None when it has a member there."""
    _, name, state, _, _, members, *_ = group
    if state not in AT_WORK:
        return f"the group {name} is {state or 'unknown'}: no worker of this role is running"
    hosts = [str(member[2]).removeprefix("/") for member in members]
    if address not in hosts:
        return f"the group {name} has members at {', '.join(hosts) or 'no address'}, none at {address}"
    return None


def worker_fault(role: str, settings: Settings, *, is_needed: bool) -> str | None:
    """Return what this home's workers of a role tell that is wrong; None when they live, or none is needed."""
    urls = [each.live_url for each in running_workers(settings.home) if role in each.roles]
    if not urls and is_needed:
        return f"no worker in {settings.home} says that {role} is ready"
    told = [why for url in urls if (why := _not_alive(url)) is not None]
    return f"the worker of {role} {'; '.join(told)}" if told else None


def _not_alive(url: str) -> str | None:
    """Return what a worker's /livez says of why it does not live, None where it does."""
    try:
        with _opener.open(url, timeout=TIMEOUT_S):
            return None
    except urllib.error.HTTPError as error:
        with error, contextlib.suppress(ValueError):
            return f"is {json.load(error)['status']}: see {url}"
        return f"answers {error.code} at {url}"
    except OSError:
        return f"does not answer at {url}"


async def check(role: str, settings: Settings) -> str | None:
    """Return what is wrong with this host's worker of a role, None when it does its work."""
    if role in role_names() and isinstance(load_role(role), ServiceRole):
        return await asyncio.to_thread(worker_fault, role, settings, is_needed=True)
    if (fault := await asyncio.to_thread(worker_fault, role, settings, is_needed=False)) is not None:
        return fault
    cluster = Cluster.of(settings)
    admin = AIOKafkaAdminClient(**cluster.client_options("threads-agent-health"))
    try:
        async with asyncio.timeout(TIMEOUT_S):
            address = await asyncio.to_thread(own_address, cluster.bootstrap)
            await admin.start()
            [described] = await admin.describe_consumer_groups([role])
    except CONNECT_ERRORS as error:
        return f"Kafka at {cluster.bootstrap} can't tell about the group {role}: {str(error) or type(error).__name__}"
    finally:
        await admin.close()
    return fault_of(described.groups[0], address)


def main(arguments: list[str]) -> int:
    """Check the role that is named; print what is wrong with it."""
    if len(arguments) != 1:
        sys.stderr.write("expected one role, for example: worker_health.py kpis\n")
        return UNHEALTHY
    try:
        fault = asyncio.run(check(arguments[0], current_settings()))
    except ThreadsError as error:
        fault = str(error)
    if fault:
        sys.stderr.write(fault + "\n")
    return UNHEALTHY if fault else HEALTHY


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
