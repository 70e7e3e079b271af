"""The offline model: how many accepted posts the embedded model brings, with a worker of its own on this machine."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, cycle, takewhile
from pathlib import Path

import yaml

from schemas.records import PersonaRequest
from streams.embedded.llm import ModelServer
from streams.embedded.ports import free_port
from streams.embedded.process import stop
from streams.embedded.server import run_server
from streams.endpoints import update_endpoints
from streams.identity import derived_id
from streams.settings import current_settings
from streams.wall_clock import utc_now
from tests.benchmarks.generation.appending import append_requests, make_ready
from tests.benchmarks.generation.decisions import Decision, DecisionLog, Tokens
from tests.benchmarks.generation.posts import sample_posts
from tests.benchmarks.generation.stack_run import ROLE
from tests.benchmarks.running.group_progress import GroupProgress
from tests.benchmarks.running.own_broker import Broker, broker
from tests.benchmarks.running.process_usage import cpu_seconds
from tests.benchmarks.running.worker_process import WorkerProcess, workers

SLOWEST_DRAFT_S = 60.0
START_TIMEOUT_S = 120.0
TOPICS = Path(__file__).with_name("offline_topics.yaml")
LANGUAGE = "en"
JOINED_BY = {"en": " and ", "de": " und ", "es": " y ", "uk": " і "}
UNIT_S = 5.0


@dataclass(frozen=True, slots=True)
class OfflineRun:
    """What became of the requests in `seconds`, from the first one's append to the last decision.

    `refused` requests went to the dead letters without a draft; `why` counts the reasons of these and of rejected
    drafts. `tokens` are those of every call.
    """

    model: str
    language: str
    accepted: int
    rejected: int
    refused: int
    revised: int
    why: Mapping[str, int]
    tokens: Tokens
    seconds: float
    worker_cpu_s: float
    model_cpu_s: float

    @property
    def accepted_per_5_s(self) -> float:
        """Return the accepted posts in five seconds."""
        return round(self.accepted * UNIT_S / self.seconds, 2)

    @property
    def seconds_per_draft(self) -> float | None:
        """Return the seconds of a decided draft; None where there is none."""
        decided = self.accepted + self.rejected
        return round(self.seconds / decided, 2) if decided else None


def offline_run(requests: int, model: str, language: str) -> OfflineRun:
    """Let an offline model write so many posts of the samples, on a broker and with a worker of their own.

    The same model and language get the same requests each time; in English they are of eight samples, in another
    language of those that write it first.

    Raises:
        ServerFailed: the model is not installed.
        ThreadsError: the worker ended, or it took too long.
    """
    topics = topics_in(language)
    personas = [each for each in sample_posts().personas if each.persona_id in topics]
    with broker(requests) as running:
        server = ModelServer(running.folder / "llm", free_port(), model, model_cache())
        process = run_server(server, running.folder / "logs")
        try:
            asyncio.run(make_ready(running, personas))
            update_endpoints(running.home, llm=server.address)
            with workers(running, 1, {"THREADS_OFFLINE_MODEL": model}, role=ROLE) as (worker,):
                asked = topical_requests(topics, requests, language)
                found = asyncio.run(_measured(running, asked, worker, process.pid))
        finally:
            stop(process, server.launch().stop_signal)
    return found(model, language)


def model_cache() -> Path:
    """Return where models that come in parts are put together."""
    return current_settings().cache.expanduser() / "models"


def topics_in(language: str) -> Mapping[str, Sequence[str]]:
    """Return the topics of the samples that write a language, by persona: in English those of offline_topics.yaml."""
    if language == LANGUAGE:
        return read_topics()
    return {each.persona_id: each.topics for each in sample_posts().personas if each.languages[0] == language}


def read_topics() -> Mapping[str, Sequence[str]]:
    """Return the topics by persona."""
    topics: dict[str, list[str]] = yaml.safe_load(TOPICS.read_text(encoding="utf-8"))
    return topics


def topical_requests(topics: Mapping[str, Sequence[str]], count: int, language: str = LANGUAGE) -> list[PersonaRequest]:
    """Return requests of the personas in turn, each about two of their topics; a pair comes again when all were used.

    The ids follow from the numbers, so that the embedded model writes the same each time.
    """
    turns = cycle([(persona_id, cycle(combinations(named, 2))) for persona_id, named in topics.items()])
    found = []
    for number, (persona_id, pairs) in zip(range(count), turns, strict=False):
        one, other = next(pairs)
        found.append(
            PersonaRequest(
                event_id=derived_id("bench-offline", str(number)),
                occurred_at=utc_now(),
                persona_id=persona_id,
                brief=f"{one}{JOINED_BY[language]}{other}",
                language=language,
            )
        )
    return found


def reasons_counted(decisions: Iterable[Decision], refusals: Iterable[str]) -> Mapping[str, int]:
    """Return how often a draft was rejected, or a request refused, by the class of its first reason."""
    rejected = (f"rejected: {_class_of(each.reasons[0])}" for each in decisions if not each.is_accepted)
    refused = (f"refused: {_class_of(reason.partition('draft 1: ')[2] or reason)}" for reason in refusals)
    return dict(Counter([*rejected, *refused]).most_common())


def _class_of(reason: str) -> str:
    """Return the beginning of a reason, up to its first figure, quotation or id."""
    return " ".join(takewhile(str.isalpha, reason.replace(":", "").split()))


async def _measured(
    running: Broker, requests: Sequence[PersonaRequest], worker: WorkerProcess, model_pid: int
) -> Callable[[str, str], OfflineRun]:
    async with GroupProgress(running.cluster(), ROLE) as group:
        await group.until_members(1, START_TIMEOUT_S, worker.check)
    began, worker_cpu, model_cpu = time.time(), worker.usage().cpu_seconds, cpu_seconds(model_pid)
    await append_requests(running, requests)
    async with DecisionLog(running) as log:
        timeout_s = START_TIMEOUT_S + SLOWEST_DRAFT_S * len(requests)
        await log.until(len(requests), timeout_s, worker.check, may_be_refused=True)
        seconds = time.time() - began
        decisions, refusals, tokens = await log.decisions(), await log.refusals(), await log.tokens()
    accepted = sum(each.is_accepted for each in decisions)
    return partial(
        OfflineRun,
        accepted=accepted,
        rejected=len(decisions) - accepted,
        refused=len(refusals),
        revised=sum(each.revisions > 0 for each in decisions),
        why=reasons_counted(decisions, refusals),
        tokens=tokens,
        seconds=round(seconds, 2),
        worker_cpu_s=round(worker.usage().cpu_seconds - worker_cpu, 2),
        model_cpu_s=round(cpu_seconds(model_pid) - model_cpu, 2),
    )
