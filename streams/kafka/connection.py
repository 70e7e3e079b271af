"""Connection options that all Kafka clients share, and the check that a broker is there."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.client import AIOKafkaClient

from streams.errors import Unavailable
from streams.kafka.faults import CLIENT_ERRORS, reason_of
from streams.settings import Settings

CHECK_TIMEOUT_S = 8.0
RETRY_BACKOFF_MS = 100
CONNECT_ERRORS: tuple[type[Exception], ...] = (*CLIENT_ERRORS, ValueError)  # ValueError: an address without a port


def client_options(settings: Settings, bootstrap: str, client_id: str = "threads-agent") -> dict[str, Any]:
    """Return the keyword arguments for any aiokafka client: addresses, name and time-outs."""
    return {
        "bootstrap_servers": bootstrap,
        "client_id": client_id,
        "request_timeout_ms": int(settings.io_timeout_s * 1000),
        "retry_backoff_ms": RETRY_BACKOFF_MS,
    }


async def check_broker(bootstrap: str, settings: Settings, timeout_s: float = CHECK_TIMEOUT_S) -> None:
    """Ask a broker for its metadata.

    Raises:
        Unavailable: none of the bootstrap servers answered within `timeout_s`.
    """
    options = {**client_options(settings, bootstrap), "request_timeout_ms": int(timeout_s * 1000)}
    client = AIOKafkaClient(**options)
    try:
        async with asyncio.timeout(timeout_s):
            await client.bootstrap()
    except CONNECT_ERRORS as error:
        reason = f"no answer within {timeout_s:g} s" if isinstance(error, TimeoutError) else reason_of(error)
        raise Unavailable(
            f"Kafka at {bootstrap} does not answer: {reason}. Start the embedded stack with `threads-agent up`, "
            "or set THREADS_KAFKA=host:port to a broker that is up"
        ) from error
    finally:
        await client.close()
