"""A worker whose native code crashes at events: run as a module with a FILE, which gets the others."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from streams.endpoints import make_home
from streams.engine.batch import ColumnBatch, TopicPartition
from streams.engine.stage import Effects, Part, Rejection, Stage
from streams.engine.worker import keep_running
from streams.role import Role
from streams.settings import Settings

CRASHING = "crashes"
ROLE = "crashing"


class CrashingPart(Part[ColumnBatch]):
    """Append the ids of events to a file at each checkpoint; the process dies at those of one persona."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ids: list[str] = []

    async def add(self, batch: ColumnBatch) -> Sequence[Rejection]:
        for persona, event_id in batch.frame.select("persona_id", "event_id").iter_rows():
            if persona == CRASHING:
                os.kill(os.getpid(), signal.SIGSEGV)
            self._ids.append(event_id)
        return ()

    def flush(self) -> Effects:
        with self._path.open("a") as file:
            file.writelines(f"{each}\n" for each in self._ids)
        self._ids.clear()
        return Effects()


class CrashingStage(Stage[CrashingPart]):
    """A stage of such parts."""

    name: ClassVar[str] = "crash"
    topics: ClassVar[tuple[str, ...]] = ("engagement.events",)

    def __init__(self, path: Path) -> None:
        self._path = path

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> CrashingPart:
        del source, state
        return CrashingPart(self._path)


def main() -> int:
    settings = Settings()
    make_home(settings)
    path = Path(sys.argv[1])
    return asyncio.run(keep_running([Role(ROLE, lambda _: [CrashingStage(path)])], settings, "0"))


if __name__ == "__main__":
    sys.exit(main())
