"""Who takes part: the platform with and without bursts, the floor that it is built on, and how the original did it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from streams.embedded.ports import free_port
from streams.embedded.process import stop
from streams.embedded.server import run_server
from tests.benchmarks.generation.posts import PostBook
from tests.benchmarks.generation.redis_server import INSTALL, PROGRAM, RedisServer, redis_program
from tests.benchmarks.generation.script import Task, read_report
from tests.benchmarks.generation.stack_run import Load, run_stack
from tests.benchmarks.generation.standing import Run
from tests.benchmarks.roster import modules_missing
from tests.benchmarks.running.module_process import PROJECT, ModuleRun

PACKAGE = "tests.benchmarks.generation"
BURST_SIZE = 4
LONGEST_BLOCKING_S = 60.0  # for which a contestant is run that waits for the model in each of its processes
CALLS_PER_DRAFT = 2


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every contestant is given: the interpreter of scripts, the posts, the model's base URL, a folder."""

    python: Path
    posts: PostBook
    base_url: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Contestant:
    """How one is run once; `absent` says what is missing to run it, None where nothing is."""

    name: str
    what: str
    run: Callable[[Surroundings, Load], Run]
    absent: Callable[[Path], str | None] = lambda _: None


def _stack(around: Surroundings, load: Load) -> Run:
    return run_stack(around.posts, load, around.base_url, burst_size=1)


def _stack_in_bursts(around: Surroundings, load: Load) -> Run:
    return run_stack(around.posts, load, around.base_url, burst_size=BURST_SIZE)


def _bare_graph(around: Surroundings, load: Load) -> Run:
    return _script(around, load, "bare_graph", load.requests, server="none", server_pid=0)


def _celery_redis(around: Surroundings, load: Load) -> Run:
    with ExitStack() as cleanup:
        redis = RedisServer(around.folder / "redis", free_port())
        process = run_server(redis, around.folder / "logs")
        cleanup.callback(stop, process, redis.launch().stop_signal)
        requests = blocking_requests(load)
        return _script(around, load, "celery_redis", requests, server=redis.address, server_pid=process.pid)


def blocking_requests(load: Load) -> int:
    """Return how many requests a contestant gets whose processes wait for the model: no more than it can do in time."""
    if not load.latency_s:
        return load.requests
    possible = LONGEST_BLOCKING_S * load.processes / (CALLS_PER_DRAFT * load.latency_s)
    return min(load.requests, max(ceil(possible), CALLS_PER_DRAFT))


def _script(around: Surroundings, load: Load, name: str, requests: int, *, server: str, server_pid: int) -> Run:
    folder = around.folder / f"{name}-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    task = Task(around.base_url, requests, load.concurrency, load.processes, server, server_pid, folder / "report.json")
    environment = {
        "OPENAI_BASE_URL": around.base_url,
        "OPENAI_API_KEY": "none",
        "CELERY_BROKER_URL": server,
        "CELERY_RESULT_BACKEND": server,
    }
    module = f"{PACKAGE}.{name}"
    ModuleRun(around.python, module, task.options(), folder / "run.log", load.timeout_s, environment).run()
    return read_report(task.out)


def _celery_absent(python: Path) -> str | None:
    modules = modules_missing(python, ["celery", "redis"], PROJECT)
    if modules:
        return f"{python} has no {' and '.join(modules)}: install requirements-bench.txt"
    return None if redis_program() else f"{PROGRAM} is not on PATH: {INSTALL}"


ROSTER: Sequence[Contestant] = (
    Contestant("threads-agent-stack", "this platform, every guarantee on, one draft a call", _stack),
    Contestant("threads-agent-stack-bursts", f"the same, up to {BURST_SIZE} drafts a call", _stack_in_bursts),
    Contestant("bare-graph", "LangGraph and the openai client alone: the floor", _bare_graph),
    Contestant("celery-redis", "Celery prefork and Redis, as many processes", _celery_redis, _celery_absent),
)
