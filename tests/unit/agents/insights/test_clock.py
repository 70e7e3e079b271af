"""A clock that is set back leaves no post waiting for a time that is years away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agents.insights.stage import InsightsStage
from schemas.records import PostState
from streams.engine.batch import TopicPartition
from tests.support.insights import directory_of, published_state
from tests.support.settings import settings_with

SOURCE = TopicPartition("posts.states", 0)
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


def state_at(at: datetime) -> PostState:
    return replace(published_state("ada", "pub-1", "post-1", "Naps"), occurred_at=at)


async def test_polls_follow_a_clock_that_is_set_back(tmp_path: Path) -> None:
    settings, clock = settings_with(home=tmp_path), Clock(NOW + timedelta(days=3 * 365))
    stage = InsightsStage(settings, directory_of(settings), dict, clock=clock)
    await stage.open()
    part = await stage.take(SOURCE, ())
    part.take(state_at(clock.now), clock.now)
    stage.idle_flush_due([part])
    kept = list(part.flush().changes)
    clock.now = NOW
    stage.idle_flush_due([part])
    assert {each.key for each in part.pending()} == {None, "pub-1 0"}
    assert all(each.due_at <= NOW + timedelta(days=1) for each in part.pending())
    again = await stage.take(TopicPartition("posts.states", 1), [(key, value) for key, value in kept if value])
    assert all(each.due_at <= NOW + timedelta(days=1) for each in again.pending())
    await stage.close()
