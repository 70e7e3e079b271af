"""The offline model: how many accepted posts the embedded model brings, with a worker of its own on this machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, cycle

from agents.bench.generation.appending import append_requests, make_ready
from agents.bench.generation.decisions import DecisionLog
from agents.bench.generation.posts import sample_posts
from agents.bench.generation.stack_run import ROLE
from agents.bench.group_progress import GroupProgress
from agents.bench.own_broker import Broker, broker
from agents.bench.process_usage import cpu_seconds
from agents.bench.worker_process import WorkerProcess, workers
from agents.llm.provider import EMBEDDED_LANGUAGES
from agents.personas.persona import Persona
from schemas.records import PersonaRequest
from streams.embedded.llm import ModelServer
from streams.embedded.ports import free_port
from streams.embedded.process import stop
from streams.embedded.server import run_server
from streams.endpoints import update_endpoints
from streams.identity import derived_id
from streams.wall_clock import utc_now

SLOWEST_DRAFT_S = 60.0
START_TIMEOUT_S = 120.0
UNIT_S = 5.0


@dataclass(frozen=True, slots=True)
class OfflineRun:
    """What became of the requests in `seconds`, from the first one's append to the last decision."""

    accepted: int
    decided: int
    refused: int
    seconds: float
    worker_cpu_s: float
    model_cpu_s: float

    @property
    def accepted_per_5_s(self) -> float:
        """Return the accepted posts in five seconds."""
        return round(self.accepted * UNIT_S / self.seconds, 2)


def offline_run(requests: int) -> OfflineRun:
    """Let the embedded model write so many posts of the English samples, on a broker and with a worker of their own.

    Raises:
        ServerFailed: the model is not installed.
        ThreadsError: the worker ended, or it took too long.
    """
    personas = [each for each in sample_posts().personas if each.languages[0] in EMBEDDED_LANGUAGES]
    with broker(requests) as running:
        model = ModelServer(running.folder / "llm", free_port())
        process = run_server(model, running.folder / "logs")
        try:
            asyncio.run(make_ready(running, personas))
            update_endpoints(running.home, llm=model.address)
            with workers(running, 1, role=ROLE) as (worker,):
                return asyncio.run(_measured(running, topical_requests(personas, requests), worker, process.pid))
        finally:
            stop(process, model.launch().stop_signal)


def topical_requests(personas: Sequence[Persona], count: int) -> list[PersonaRequest]:
    """Return requests of the personas in turn, each about two of their topics; a pair comes again when all were used.

    The ids follow from the numbers, so that the embedded model writes the same each time.
    """
    pairs = [cycle(combinations(persona.topics, 2)) for persona in personas]
    found = []
    for number in range(count):
        persona = personas[number % len(personas)]
        one, other = next(pairs[number % len(personas)])
        found.append(
            PersonaRequest(
                event_id=derived_id("bench-offline", str(number)),
                occurred_at=utc_now(),
                persona_id=persona.persona_id,
                brief=f"{one} and {other}",
            )
        )
    return found


async def _measured(
    running: Broker, requests: Sequence[PersonaRequest], worker: WorkerProcess, model_pid: int
) -> OfflineRun:
    async with GroupProgress(running.settings(), running.bootstrap, ROLE) as group:
        await group.until_members(1, START_TIMEOUT_S, worker.check)
    began, worker_cpu, model_cpu = time.time(), worker.usage().cpu_seconds, cpu_seconds(model_pid)
    await append_requests(running, requests)
    async with DecisionLog(running) as log:
        timeout_s = START_TIMEOUT_S + SLOWEST_DRAFT_S * len(requests)
        counts = await log.until(len(requests), timeout_s, worker.check, may_be_refused=True)
        decisions = await log.decisions()
    return OfflineRun(
        accepted=sum(each.is_accepted for each in decisions),
        decided=counts.decided,
        refused=counts.refused,
        seconds=round(time.time() - began, 2),
        worker_cpu_s=round(worker.usage().cpu_seconds - worker_cpu, 2),
        model_cpu_s=round(cpu_seconds(model_pid) - model_cpu, 2),
    )
