"""Running workers: each announces itself in the home, so that what watches a machine finds all of them."""

from __future__ import annotations

import contextlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urljoin

from streams.process_mark import ProcessMark, mark

FOLDER = "workers"
ANSWER_TIMEOUT_S = 2.0
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RunningWorker:
    """A worker's process and the URL of its /metrics.

    By role: why it gave one up (`failing`), and where one that serves is to be found (`addresses`).
    """

    process: ProcessMark
    roles: tuple[str, ...]
    metrics_url: str
    failing: Mapping[str, str]
    addresses: Mapping[str, str]

    @property
    def live_url(self) -> str:
        """Return where it tells whether it lives."""
        return urljoin(self.metrics_url, "/livez")

    @property
    def ready_url(self) -> str:
        """Return where it tells whether its roles work, and why not."""
        return urljoin(self.metrics_url, "/readyz")


@contextlib.contextmanager
def announced(
    home: Path,
    roles: Sequence[str],
    metrics_url: str,
    failing: Mapping[str, str] = NOTHING,
    addresses: Mapping[str, str] = NOTHING,
) -> Iterator[RunningWorker]:
    """Announce this process in the home while the context lasts, and remove what killed workers left there."""
    process = mark(os.getpid())
    assert process is not None
    worker = RunningWorker(process, tuple(roles), metrics_url, dict(failing), dict(addresses))
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.json"):
        found = _read(stale)
        if found is None or found.process.find() is None:
            stale.unlink(missing_ok=True)
    path = folder / f"{process.pid}.json"
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(worker)), encoding="utf-8")
    fresh.replace(path)
    try:
        yield worker
    finally:
        path.unlink(missing_ok=True)


def running_workers(home: Path) -> list[RunningWorker]:
    """Return the workers of a home that still run, by pid."""
    found = [_read(path) for path in (home / FOLDER).glob("*.json")]
    running = [each for each in found if each is not None and each.process.find() is not None]
    return sorted(running, key=lambda each: each.process.pid)


def stopped_roles(workers: Iterable[RunningWorker]) -> dict[str, str]:
    """Return the roles of which partitions do not go past a record, each with where, why and what to do.

    A worker that does not answer within `ANSWER_TIMEOUT_S` tells of none.
    """
    found: dict[str, str] = {}
    for worker in workers:
        for stage in _stages(worker):
            if stage.get("state") == "stopped":
                found[str(stage["role"])] = str(stage["reason"])
    return found


def _stages(worker: RunningWorker) -> list[dict[str, object]]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(worker.ready_url, timeout=ANSWER_TIMEOUT_S) as answer:
            told = answer.read()
    except urllib.error.HTTPError as not_ready:
        told = not_ready.read()
    except (OSError, ValueError):
        return []
    try:
        return list(json.loads(told)["stages"])
    except (ValueError, KeyError, TypeError):
        return []


def _read(path: Path) -> RunningWorker | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        process = found["process"]
        marked = ProcessMark(int(process["pid"]), float(process["started"]), tuple(process["command"]))
        by_role = dict(found["failing"]), dict(found["addresses"])
        return RunningWorker(marked, tuple(found["roles"]), str(found["metrics_url"]), *by_role)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # gone meanwhile, or of another version
