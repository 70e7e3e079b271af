"""The target `kpis` goes on with what it kept: what was not told counts once, and lost files are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from agents.kpis.replaying.kept import KeptFold
from agents.kpis.replaying.target import IntoKpis
from schemas.records import LogPosition
from streams.engine.batch import Batch, TopicPartition
from streams.engine.stage import Output
from streams.errors import ThreadsError, Unavailable
from streams.operations.runs import ToldRun, new_run
from streams.replaying.writing import Chunk, moved
from streams.settings import Settings
from streams.state.local_store import RocksStore, StoreDamaged
from tests.support.kpis.kpi_folds import batch, logged
from tests.support.kpis.kpi_sends import Engagement, Send
from tests.support.loop_in_memory import DECODER

LOG = logged([(Send(Engagement("ada", "view", 10**number)), 0) for number in range(4)])
SOURCE = TopicPartition("engagement.events", 0)


class Nowhere:
    """Takes steps of runs, and keeps none."""

    async def append_all(self, outputs: Iterable[Output]) -> None:
        del outputs


def told_from(next_offset: int) -> ToldRun:
    position = LogPosition(topic=SOURCE.topic, partition=0, start=0, next=next_offset, end=len(LOG))
    run = new_run("replay", selection="all", target="kpis", run_id="run", positions=(position,))
    return ToldRun(run, Nowhere())


def chunk(start: int, end: int) -> Chunk[Batch]:
    return Chunk([batch(LOG[start:end])], nexts={SOURCE: end})


def into(home: Path) -> IntoKpis:
    settings = Settings(home=home, kafka="localhost:1", duplicate_horizon=0)
    return IntoKpis(DECODER, settings)


async def test_what_was_kept_but_not_told_is_passed_over_by_the_next_process(tmp_path: Path) -> None:
    first, told = into(tmp_path), told_from(0)
    await first.begin(told)
    await first.write(chunk(0, 2), told)
    first.close()
    second, told = into(tmp_path), told_from(0)
    await second.begin(told)
    await second.write(chunk(0, 1), told)
    assert moved(told.run.positions, {})[0].next == 1
    await second.write(chunk(1, 4), told)
    second.close()
    [views] = [each["views"] for each in json.loads(told.run.detail or "")["kpis"] if each["window"] == "lifetime"]
    assert views == 1_111


async def test_a_run_whose_state_is_gone_is_not_counted_half(tmp_path: Path) -> None:
    first, told = into(tmp_path), told_from(0)
    await first.begin(told)
    await first.write(chunk(0, 2), told)
    first.close()
    shutil.rmtree(tmp_path / "replays")
    lost = into(tmp_path)
    with pytest.raises(ThreadsError, match="begin a new run with --again"):
        await lost.begin(told)
    lost.close()


async def test_a_full_disk_is_waited_for_and_nothing_counts_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, told = into(tmp_path), told_from(0)
    await writer.begin(told)
    with monkeypatch.context() as patch:
        patch.setattr(RocksStore, "apply", _full)
        with pytest.raises(Unavailable, match="no space"):
            await writer.write(chunk(0, 4), told)
    await writer.begin(told)
    await writer.write(chunk(0, 4), told)
    writer.close()
    kept = KeptFold(tmp_path / "replays" / "kpis", "run")
    assert {each["views"] for each in kept.folded.figures()} == {1_111}
    kept.close()


def _full(store: RocksStore, changes: object, position: int) -> None:
    del store, changes, position
    raise StoreDamaged("no space left on device")
