"""The two servers: the gateway as a worker in its role, and the one by hand; both ready, with a way in."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.gateway.auth.tokens import made_token, new_secret
from agents.personas.persona import DEFAULT_TENANT
from agents.personas.persona_file import SAMPLES, read_personas
from agents.personas.persona_topic import apply_personas
from streams.embedded.ports import LOOPBACK, free_port
from streams.embedded.process import Launch, spawn, stop
from streams.embedded.server import answers, log_tail
from streams.endpoints import read_endpoints
from streams.engine.stage import Output
from streams.errors import ThreadsError
from streams.kafka.producer import EventProducer
from streams.wall_clock import utc_now
from tests.benchmarks.running.module_process import PROJECT
from tests.benchmarks.running.own_broker import Broker
from tests.benchmarks.running.process_usage import cpu_seconds, peak_rss_mb
from tests.benchmarks.running.worker_process import workers

READY_TIMEOUT_S = 60.0
POLL_S = 0.1
UNLIMITED = {"THREADS_GATEWAY_TOKEN_RATE": "1000000/second", "THREADS_GATEWAY_ADDRESS_RATE": "1000000/second"}


@dataclass(frozen=True, slots=True)
class Door:
    """A server that takes requests; `usage` gives its CPU seconds and peak MB so far."""

    url: str
    token: str
    usage: Callable[[], tuple[float, float]]


Contestant = Callable[[Broker], AbstractContextManager[Door]]


@contextmanager
def gateway(broker: Broker) -> Iterator[Door]:
    """Run the gateway, with every check on; the rate limits alone are out of reach."""
    token = asyncio.run(prepared(broker))
    with workers(broker, 1, UNLIMITED, role="gateway") as (worker,):
        address = _until(lambda: read_endpoints(broker.home).gateway, worker.check)

        def usage() -> tuple[float, float]:
            used = worker.usage()
            return used.cpu_seconds, used.peak_rss_mb

        yield Door(f"{address}/v1/requests", token, usage)


async def prepared(broker: Broker) -> str:
    """Put the sample personas in force and make a token; return its secret."""
    cluster, secret = broker.cluster(), new_secret()
    await apply_personas(cluster.settings, read_personas(SAMPLES), utc_now())
    async with EventProducer(cluster, cluster.open_registry()) as producer:
        token = made_token(
            secret, utc_now(), name="bench", role="operator", tenant=DEFAULT_TENANT, created_by="bench gateway"
        )
        await producer.append_all([Output("gateway.tokens", token)])
    return secret


@contextmanager
def bare(broker: Broker) -> Iterator[Door]:
    """Run FastAPI and aiokafka by hand."""
    port, log = free_port(), Path(broker.folder) / "logs" / "bare.log"
    command = (sys.executable, "-m", "tests.benchmarks.gateway.bare", "--bootstrap", broker.bootstrap)
    process = spawn(Launch((*command, "--port", str(port)), PROJECT, inherit=True), log)

    def check() -> None:
        if process.poll() is not None:
            raise ThreadsError(f"the server by hand ended. It last said: {log_tail(log)}")

    try:
        url = f"http://{LOOPBACK}:{port}"
        _until(lambda: url if answers(f"{url}/openapi.json") else None, check)
        yield Door(f"{url}/v1/requests", "", lambda: (cpu_seconds(process.pid), peak_rss_mb(process.pid)))
    finally:
        stop(process, signal.SIGTERM)


def _until(found: Callable[[], str | None], check: Callable[[], None]) -> str:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while (value := found()) is None:
        check()
        if time.monotonic() > deadline:
            raise ThreadsError(f"a server was not ready within {READY_TIMEOUT_S:.0f} s")
        time.sleep(POLL_S)
    return value
