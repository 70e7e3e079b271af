"""A worker whose native code crashes at events: `python -m tests.faults.crashing_role FILE`; it gets the others."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from streams.engine.batch import Batch, ColumnBatch
from streams.engine.stage import Effects, Rejection, Stage
from streams.engine.worker import keep_running
from streams.home import make_home
from streams.role import Role
from streams.settings import Settings

CRASHING = "crashes"
ROLE = "crashing"


class CrashingStage(Stage):
    """Append the ids of events to a file at each checkpoint; the process dies at those of one persona."""

    name: ClassVar[str] = "crash"
    topics: ClassVar[tuple[str, ...]] = ("engagement.events",)

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ids: list[str] = []

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        assert isinstance(batch, ColumnBatch)
        for persona, event_id in batch.frame.select("persona_id", "event_id").iter_rows():
            if persona == CRASHING:
                os.kill(os.getpid(), signal.SIGSEGV)
            self._ids.append(event_id)
        return ()

    async def flush(self) -> Effects:
        with self._path.open("a") as file:
            file.writelines(f"{each}\n" for each in self._ids)
        self._ids.clear()
        return Effects()


def main() -> int:
    settings = Settings()
    make_home(settings)
    path = Path(sys.argv[1])
    return asyncio.run(keep_running([Role(ROLE, lambda _: [CrashingStage(path)])], settings, "0"))


if __name__ == "__main__":
    sys.exit(main())
