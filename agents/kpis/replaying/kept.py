"""The state of a replay under way, on this machine: what was folded, and up to where, in one step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from agents.kpis.replaying.folded import Changes, Clock, FoldedKpis, fingerprint
from streams.engine.batch import TopicPartition
from streams.errors import ThreadsError, Unavailable
from streams.state.local_store import RocksStore, StoreDamaged

PLACE = b"\xffplace"
DONE = "done"  # file beside the state of a replay that is done


class KeptFold:
    """A folder with the state of one run; it outlives a kill -9, and is removed when a later run begins."""

    def __init__(self, folder: Path, run_id: str) -> None:
        """Open it, or make it.

        Raises:
            ThreadsError: it can't be opened or read: another process has it, the disk is full, or it is damaged.
        """
        self._folder = folder / run_id
        _remove_done(folder, but=run_id)
        try:
            self._store = RocksStore(self._folder / "state")
        except Exception as error:
            raise ThreadsError(f"the state of the replay in {self._folder} can't be opened: {error}") from error
        self.nexts: dict[TopicPartition, int] = {}
        try:
            self.folded = self._restored()
        except StoreDamaged as damage:
            self._store.close()
            raise ThreadsError(f"{damage}; begin a new run with --again") from damage

    def _restored(self) -> FoldedKpis:
        told = self._store.get(PLACE)
        if told is None:
            return FoldedKpis()
        place = json.loads(told)
        self.nexts = _decoded(place["nexts"])
        items = [item for item in self._store.items() if item[0] != PLACE]
        return FoldedKpis(items, Clock(_decoded(place["hours"]), place["newest_ms"]), place["partials"])

    def keep(self, nexts: Mapping[TopicPartition, int]) -> None:
        """Make durable what was folded, and that its partitions go on there.

        Raises:
            Unavailable: the disk takes nothing, it is full; the same again once it is opened anew.
        """
        self.nexts |= {source: max(each, self.nexts.get(source, 0)) for source, each in nexts.items()}
        clock = self.folded.clock
        place = {
            "nexts": _encoded(self.nexts),
            "hours": _encoded(clock.hours),
            "newest_ms": clock.newest_ms,
            "partials": self.folded.partials,
        }
        changes: Changes = [*self.folded.flush(), (PLACE, json.dumps(place).encode())]
        try:
            self._store.apply(changes, self.folded.partials)
        except StoreDamaged as damage:
            raise Unavailable(str(damage)) from damage

    def fingerprint(self) -> str:
        """Return a SHA-256 of the counters."""
        return fingerprint(item for item in self._store.items() if item[0] != PLACE)

    def done(self) -> None:
        """Note that the run is done: the next one removes the folder."""
        (self._folder / DONE).touch()

    def close(self) -> None:
        self._store.close()


def _remove_done(folder: Path, but: str) -> None:
    for marker in folder.glob(f"*/{DONE}"):
        if marker.parent.name != but:
            with suppress(OSError):
                shutil.rmtree(marker.parent)


def _encoded(by_source: Mapping[TopicPartition, int]) -> list[tuple[str, int, int]]:
    return [(*source, number) for source, number in sorted(by_source.items())]


def _decoded(encoded: list[tuple[str, int, int]]) -> dict[TopicPartition, int]:
    return {TopicPartition(topic, partition): number for topic, partition, number in encoded}
