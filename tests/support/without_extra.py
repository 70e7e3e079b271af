"""The program as a worker has it: in a process in which nothing can be imported that its lock does not hold."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120
BLOCK = """
import json, sys

class Blocker:
    absent = set(json.loads(sys.argv.pop(1)))

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""
COMMAND = "from streams.cli.main import main\nmain(sys.argv[1:], prog_name='threads-agent')\n"


def locked(name: str) -> set[str]:
    """Return the distributions that a lock file holds."""
    return set(re.findall(r"^([a-z0-9._-]+)==", (REPOSITORY / name).read_text(encoding="utf-8"), flags=re.MULTILINE))


def absent_modules() -> list[str]:
    """Return the modules of all distributions that the worker's lock leaves out of the checkout's."""
    left_out = locked("requirements.txt") - locked("requirements-worker.txt")
    return sorted(
        module
        for module, names in packages_distributions().items()
        if {re.sub(r"[._-]+", "-", name).lower() for name in names} <= left_out
    )


def run_without_extra(
    code: str, arguments: Sequence[str] = (), variables: Mapping[str, str] | None = None, lines: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run code with arguments where the extra `embedded` is not there; `lines` are its standard input."""
    command = [sys.executable, "-c", BLOCK + code, json.dumps(absent_modules()), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("THREADS_", "OPENAI_"))}
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        input=lines,
        timeout=TIMEOUT_S,
        env=environment | dict(variables or {}),
        cwd=REPOSITORY,
        check=False,
    )
