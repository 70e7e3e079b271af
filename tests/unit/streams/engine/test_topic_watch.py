"""The watch over topics: what it takes for a reason to share out partitions anew, and how often."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping

import pytest

from streams.engine.batch import TopicPartition
from streams.kafka.topic_ids import TopicNow
from streams.transport.topic_watch import MOST_PATIENCE_S, ChangelogLost, TopicWatch

INTERVAL_S = 5.0


class GroupInMemory:
    """A group of one member and the topics of its broker; joining anew shares out what there is."""

    def __init__(self, **topics: int) -> None:
        self.topic_news = asyncio.Event()
        self.topics = {name: TopicNow(f"{name} 1", count) for name, count in topics.items()}
        self.ids = {name: topic.topic_id for name, topic in self.topics.items()}
        self.shared: set[TopicPartition] | None = self._all()
        self.rejoins = 0
        self.stubborn = False

    def _all(self) -> set[TopicPartition]:
        return {TopicPartition(name, number) for name, each in self.topics.items() for number in range(each.partitions)}

    async def topics_now(self, names: Iterable[str]) -> Mapping[str, TopicNow]:
        return {name: self.topics[name] for name in names if name in self.topics}

    def difference(self, topic: str, now: TopicNow) -> str | None:
        return None if self.ids.get(topic, now.topic_id) == now.topic_id else f"{topic} was made again"

    async def shared_out(self) -> set[TopicPartition] | None:
        return self.shared

    async def rejoin(self) -> None:
        self.rejoins += 1
        if not self.stubborn:
            self.shared = self._all()
            self.ids = {name: topic.topic_id for name, topic in self.topics.items()}


class Watched:
    """A watch over a group, with a clock that is set by hand."""

    def __init__(self, group: GroupInMemory, *topics: str) -> None:
        self.group = group
        self.now_s = 0.0
        self._watch = TopicWatch("kpis", topics, group, INTERVAL_S, lambda: self.now_s)

    async def look(self) -> int:
        """Look once, an interval later; return how often the group shared out by now."""
        self.now_s += INTERVAL_S
        await self._watch.look()
        return self.group.rejoins


async def test_nothing_is_shared_out_while_everything_is_read() -> None:
    watched = Watched(GroupInMemory(a=4, b=2), "a", "b")
    assert [await watched.look() for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (TopicNow("a 1", 6), "nobody reads a/4, a/5"),
        (TopicNow("a 1", 2), "there is no a/2, a/3 any more"),
        (TopicNow("a 2", 4), "a was made again"),
    ],
)
async def test_a_change_is_told_and_shares_out_once(
    change: TopicNow, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(GroupInMemory(a=4), "a")
    watched.group.topics["a"] = change
    with caplog.at_level(logging.WARNING):
        assert [await watched.look() for _ in range(3)] == [1, 1, 1]
    assert [said in line for line in caplog.messages] == [True]


async def test_a_group_that_is_sharing_out_is_left_alone() -> None:
    watched = Watched(GroupInMemory(a=4), "a")
    watched.group.shared = None
    assert await watched.look() == 0


async def test_where_sharing_out_changes_nothing_it_is_tried_ever_more_rarely() -> None:
    watched = Watched(GroupInMemory(a=4), "a")
    watched.group.stubborn = True
    watched.group.topics["a"] = TopicNow("a 1", 5)
    looks = [await watched.look() for _ in range(60)]
    assert looks[:8] == [1, 2, 2, 3, 3, 3, 3, 4]
    assert looks[-1] <= 4 + 60 * INTERVAL_S / MOST_PATIENCE_S


async def test_a_topic_that_is_missing_is_told_once_and_again_when_it_is_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(GroupInMemory(a=1, b=1), "a", "b")
    missing = watched.group.topics.pop("b")
    with caplog.at_level(logging.WARNING):
        assert [await watched.look() for _ in range(3)] == [1, 1, 1]  # b's partition is given up, once
        watched.group.topics["b"] = missing
        assert await watched.look() == 2
    told = [line for line in caplog.messages if "topic b" in line]
    assert ["is not there" in line for line in told] == [True, False]


@pytest.mark.parametrize("change", [None, TopicNow("log 2", 4)], ids=["deleted", "made again"])
async def test_a_changelog_that_is_not_the_one_written_to_ends_the_worker(change: TopicNow | None) -> None:
    group = GroupInMemory(a=4)
    group.topics["log"] = TopicNow("log 1", 4)
    watch = TopicWatch("kpis", ["a"], group, INTERVAL_S, changelogs=["log", "log of nothing yet"])
    await watch.look()
    group.topics.pop("log")
    if change is not None:
        group.topics["log"] = change
    with pytest.raises(ChangelogLost, match="the changelog log was deleted"):
        await watch.look()


async def test_a_changelog_may_grow() -> None:
    group = GroupInMemory(a=4)
    group.topics["log"] = TopicNow("log 1", 4)
    watch = TopicWatch("kpis", ["a"], group, INTERVAL_S, changelogs=["log"])
    await watch.look()
    group.topics["log"] = TopicNow("log 1", 6)
    await watch.look()
    assert group.rejoins == 0
