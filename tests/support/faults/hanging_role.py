"""A worker whose loop hangs while a file is there: run as a module with a FOLDER, where it notes what it folded."""

from __future__ import annotations

import asyncio
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

ROLE = "hanging"
HOLD, ARRIVED, FOLDED = "hold", "arrived", "folded"
POLL_S = 0.02


class HangingPart(Part[ColumnBatch]):
    """Write down at each checkpoint how many records came; hang at the first while it is told to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._came: list[str] = []

    async def add(self, batch: ColumnBatch) -> Sequence[Rejection]:
        (self._folder / ARRIVED).touch()
        while (self._folder / HOLD).exists():
            await asyncio.sleep(POLL_S)
        self._came += batch.frame["event_id"].to_list()
        return ()

    def flush(self) -> Effects:
        with (self._folder / FOLDED).open("a") as file:
            file.writelines(f"{each}\n" for each in self._came)
        self._came.clear()
        return Effects()


class HangingStage(Stage[HangingPart]):
    """A stage of such parts."""

    name: ClassVar[str] = "hang"
    topics: ClassVar[tuple[str, ...]] = ("engagement.events",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> HangingPart:
        del source, state
        return HangingPart(self._folder)


def main() -> int:
    settings = Settings()
    make_home(settings)
    folder = Path(sys.argv[1])
    return asyncio.run(keep_running([Role(ROLE, lambda _: [HangingStage(folder)])], settings, "0"))


if __name__ == "__main__":
    sys.exit(main())
