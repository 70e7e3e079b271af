"""Running workers: each announces itself in the home, so that what watches a machine finds all of them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from streams.process_mark import ProcessMark, mark

FOLDER = "workers"


@dataclass(frozen=True, slots=True)
class RunningWorker:
    """A worker's process, the roles that it runs, the URL of its /metrics, and why it gave up roles, by role."""

    process: ProcessMark
    roles: tuple[str, ...]
    metrics_url: str
    failing: Mapping[str, str]


@contextlib.contextmanager
def announced(
    home: Path, roles: Sequence[str], metrics_url: str, failing: Mapping[str, str] = MappingProxyType({})
) -> Iterator[RunningWorker]:
    """Announce this process in the home while the context lasts, and remove what killed workers left there."""
    process = mark(os.getpid())
    assert process is not None
    worker = RunningWorker(process, tuple(roles), metrics_url, dict(failing))
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


def _read(path: Path) -> RunningWorker | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        process = found["process"]
        marked = ProcessMark(int(process["pid"]), float(process["started"]), tuple(process["command"]))
        return RunningWorker(marked, tuple(found["roles"]), str(found["metrics_url"]), dict(found["failing"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # gone meanwhile, or of another version
