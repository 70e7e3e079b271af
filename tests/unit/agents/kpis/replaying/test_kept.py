"""The state of a replay under way: kept with its place, taken over by the next process, removed by a later run."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.kpis.replaying.folded import fingerprint
from agents.kpis.replaying.kept import KeptFold
from streams.engine.batch import TopicPartition
from streams.errors import ThreadsError
from tests.support.kpis.kpi_folds import batch, folded, logged
from tests.support.kpis.kpi_sends import Engagement, Send

LOG = logged([(Send(Engagement("ada", "view", number)), 60_000) for number in range(1, 9)])
SOURCE = TopicPartition("engagement.events", 0)


async def test_a_later_process_goes_on_where_the_first_kept_its_place(tmp_path: Path) -> None:
    first = KeptFold(tmp_path, "run")
    await first.folded.add(batch(LOG[:5]))
    first.keep({SOURCE: 5})
    await first.folded.add(batch(LOG[5:7]))  # not kept: the process dies here
    first.close()
    second = KeptFold(tmp_path, "run")
    assert second.nexts == {SOURCE: 5}
    await second.folded.add(batch(LOG[5:]))
    second.keep({SOURCE: 8})
    assert second.folded.clock.newest_ms == LOG[-1].earliest_ms
    assert second.fingerprint() == fingerprint((await folded(LOG, 8, restarts=False))[1].items())
    second.close()


def test_what_another_process_holds_is_not_folded_into(tmp_path: Path) -> None:
    held = KeptFold(tmp_path, "run")
    with pytest.raises(ThreadsError, match="can't be opened"):
        KeptFold(tmp_path, "run")
    held.close()


def test_the_state_of_a_run_that_is_done_goes_when_another_begins(tmp_path: Path) -> None:
    for run_id, is_done in (("done", True), ("broken off", False), ("next", False)):
        kept = KeptFold(tmp_path, run_id)
        if is_done:
            kept.done()
        kept.close()
    assert {each.name for each in tmp_path.iterdir()} == {"broken off", "next"}
