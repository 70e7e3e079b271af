"""Health check of a worker's container, `python worker_health.py ROLE`: status 0 when it is in its consumer group.

A process that hangs leaves its group: it no longer sends heartbeats, or polls later than Kafka allows. So membership
tells more than a process id. A member is this container's when the broker sees it at this container's address.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from streams.endpoints import require_kafka
from streams.errors import ThreadsError
from streams.kafka.connection import CONNECT_ERRORS, client_options
from streams.settings import Settings, current_settings

TIMEOUT_S = 10.0
AT_WORK = frozenset({"Stable", "PreparingRebalance", "CompletingRebalance"})
HEALTHY, UNHEALTHY = 0, 1


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


async def check(role: str, settings: Settings) -> str | None:
    """Return what is wrong with this host's worker of a role, None when it is in its group."""
    bootstrap = require_kafka(settings)
    admin = AIOKafkaAdminClient(**client_options(settings, bootstrap, "threads-agent-health"))
    try:
        async with asyncio.timeout(TIMEOUT_S):
            address = await asyncio.to_thread(own_address, bootstrap)
            await admin.start()
            [described] = await admin.describe_consumer_groups([role])
    except CONNECT_ERRORS as error:
        return f"Kafka at {bootstrap} can't tell about the group {role}: {str(error) or type(error).__name__}"
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
