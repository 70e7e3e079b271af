"""From the log to rewards and arms: the same whatever the batches, the order, the repetitions and the crashes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.learning.bandit.arms_record import record_of
from agents.learning.rewards import learn, observe, persona_rewards
from agents.learning.rewards.learn import LearnPart, LearnStage
from agents.learning.rewards.observe import DRAFTS, ENGAGEMENT, POSTS, ObservePart, ObserveStage
from agents.learning.rewards.persona_rewards import AGES, GRACE_MS, HOUR_MS, MOST_POSTS, MOST_UNKNOWN
from schemas.engagement import ENGAGING_KINDS
from schemas.records import (
    DraftGenerated,
    EngagementEvent,
    HookArms,
    HookChoice,
    HookPartial,
    HookReward,
    PostPublished,
)
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.engine.stage import Output, Part, Stage
from streams.kafka.hidden import Hidden
from tests.support.drafts import plain_draft
from tests.support.learned_log import Event, batch_of, naive
from tests.support.single_outputs import single

NOON = datetime(2026, 3, 1, 12, 2, 30, tzinfo=UTC)
NOON_MS = round(NOON.timestamp() * 1000)
LATER_MS = NOON_MS + 60 * 24 * HOUR_MS
PERSONAS = ("nova", "ada", "zoë")
STYLES = ("failure report", "question ☕", 'dry "wit"')
KINDS = ("view", "view", "view", *ENGAGING_KINDS, "click", "follow")
TARGETS = 2


def draft(name: str, persona_id: str, style: str | None) -> DraftGenerated:
    choice = HookChoice(style=style, propensity=0.5, arms_version=None, experiment_id=None) if style else None
    return plain_draft(event_id=name, draft_id=name, persona_id=persona_id, occurred_at=NOON, hook_choice=choice)


def post(name: str, persona_id: str, draft_id: str | None, at: datetime = NOON) -> PostPublished:
    return PostPublished(
        event_id=f"post {name}", occurred_at=at, persona_id=persona_id, post_id=name, draft_id=draft_id, text="t"
    )


def engaged(
    post_id: str | None, persona_id: str, kind: Any, count: int, minutes: float, **more: Any
) -> EngagementEvent:
    at = NOON + timedelta(minutes=minutes)
    name = f"{post_id} {kind} {count} {minutes}"
    return EngagementEvent(
        event_id=name, occurred_at=at, persona_id=persona_id, post_id=post_id, kind=kind, count=count, **more
    )


class Life:
    """A worker of both stages over logs in memory, which dies where the test says and starts again."""

    def __init__(self, logs: Mapping[TopicPartition, Sequence[Event]], now_ms: int = LATER_MS) -> None:
        self.logs = logs
        self.now_ms = now_ms
        self.partials: dict[int, list[HookPartial]] = {number: [] for number in range(TARGETS)}
        self.told: list[HookReward] = []
        self.arms: list[HookArms] = []
        self._state: dict[TopicPartition, dict[bytes, bytes]] = {}
        self._committed: dict[TopicPartition, int] = {}
        self.start()

    def start(self) -> None:
        """Begin where the last commit was, with the state that is durable."""
        self._observing = ObserveStage(TARGETS, lambda: self.now_ms)
        self.learning = LearnStage(lambda: self.now_ms)
        self._at = dict(self._committed)
        self._parts: dict[TopicPartition, Any] = {}

    def take(self, stage: Stage[Any], source: TopicPartition) -> Any:
        if source not in self._parts:
            state = self._state.get(source, {}).items()
            self._parts[source] = asyncio.run(stage.take(source, list(state)))
        return self._parts[source]

    def read(self, source: TopicPartition, most: int) -> None:
        """Add the next records of a source."""
        start = self._at.get(source, 0)
        records = self.logs[source][start : start + most]
        if records:
            assert asyncio.run(self.take(self._observing, source).add(batch_of(source, start, records))) == ()
            self._at[source] = start + len(records)

    def learn(self, target: int, most: int) -> None:
        """Add the next partials of a partition."""
        source = TopicPartition("hooks.partials", target)
        start = self._at.get(source, 0)
        partials = self.partials[target][start : start + most]
        part = self.take(self.learning, source)
        rows = [Row(start + number, each) for number, each in enumerate(partials)]
        assert asyncio.run(part.add(RowBatch(source, rows))) == []
        self._at[source] = start + len(partials)

    def checkpoint(self, dies: str = "", written: int = 0, of: type[Part[Any]] = Part) -> None:
        """Make all of a stage durable, or die before, or after some (`written`) or all of the state, or the outputs."""
        for source, part in list(self._parts.items()):
            if not isinstance(part, of):
                continue
            effects = part.flush()
            if dies == "before":
                break
            state = self._state.setdefault(source, {})
            for key, value in effects.changes[: written if dies == "amid state" else None]:
                if value is None:
                    state.pop(key, None)
                else:
                    state[key] = value
            if dies in ("after state", "amid state"):
                break
            self._emit(list(single(effects.outputs)))
            if dies == "after outputs":
                break
            self._committed[source] = self._at.get(source, 0)
        if dies:
            self.start()

    def dies_as_it_learns(self, dies: str, written: int = 0) -> int:
        """Die in a checkpoint of the part that has something to tell; return how many rewards went out."""
        self._parts = {
            source: part for source, part in self._parts.items() if isinstance(part, LearnPart) and part.posts()
        }
        self.checkpoint(dies, written)
        return len(self.told)

    def _emit(self, outputs: Sequence[Output]) -> None:
        for each in outputs:
            if isinstance(each.record, HookPartial):
                assert each.partition is not None
                self.partials[each.partition].append(each.record)
            elif isinstance(each.record, HookReward):
                self.told.append(each.record)
            elif isinstance(each.record, HookArms):
                self.arms.append(each.record)

    def finish(self) -> None:
        """Read all there is."""
        self.start()
        for source in self.logs:
            self.read(source, 10**6)
        self.checkpoint()
        for target in self.partials:
            self.learn(target, 10**6)
        self.checkpoint()
        while self.learning.idle_flush_due([each for each in self._parts.values() if isinstance(each, LearnPart)]):
            self.checkpoint()

    @property
    def rewards(self) -> dict[tuple[str, int], HookReward]:
        """Return the greatest revision of each post and age."""
        newest: dict[tuple[str, int], HookReward] = {}
        for each in self.told:
            key = (each.post_id, each.age_hours)
            if key not in newest or newest[key].revision <= each.revision:
                newest[key] = each
        return newest


def drawn_history(chance: Random) -> dict[TopicPartition, list[Event]]:
    """Draw drafts, with and without a choice, their posts and engagement, each on any of two partitions."""
    logs: dict[TopicPartition, list[Event]] = {
        TopicPartition(topic, number): [] for topic in (DRAFTS, POSTS, ENGAGEMENT) for number in range(2)
    }
    for number in range(chance.randint(1, 8)):
        persona, name = chance.choice(PERSONAS), f"p{number}"
        style = chance.choice((*STYLES, None))
        if chance.random() < 0.9:
            logs[TopicPartition(DRAFTS, chance.randrange(2))].append(draft(f"d {name}", persona, style))
        if chance.random() < 0.9:
            at = NOON + timedelta(minutes=chance.randint(0, 600))
            logs[TopicPartition(POSTS, chance.randrange(2))].append(post(name, persona, f"d {name}", at))
        for _ in range(chance.randint(0, 12)):
            minutes, count = chance.uniform(-60, 14 * 24 * 60), chance.randint(0, 50)
            event = engaged(name, persona, chance.choice(KINDS), count, minutes)
            logs[TopicPartition(ENGAGEMENT, chance.randrange(2))].append(event)
    return logs


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_rewards_and_arms_are_those_of_a_naive_count_whatever_happens_on_the_way(seed: int) -> None:
    chance = Random(seed)
    logs = drawn_history(chance)
    events = [each for log in logs.values() for each in log]
    life = Life(logs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(observe, "MAX_PARTIAL_BYTES", chance.choice((500, 2**20)))
        for _ in range(chance.randint(0, 25)):
            match chance.randrange(4):
                case 0 | 1:
                    life.read(chance.choice(list(logs)), chance.randint(1, 6))
                case 2:
                    life.learn(chance.randrange(TARGETS), chance.randint(1, 4))
                case _:
                    dies = chance.choice(("", "", "before", "amid state", "after state", "after outputs"))
                    life.checkpoint(dies, chance.randrange(9), chance.choice((ObservePart, LearnPart)))
        life.finish()
    found = {key: (each.choice.style, each.views, each.engagements) for key, each in life.rewards.items()}
    assert found == naive(events)
    assert_one_content_an_id(life)
    once = Life(logs)
    once.finish()
    newest = {each.persona_id: each for each in life.arms}
    assert newest == {each.persona_id: each for each in once.arms}, "bit for bit, however it was read"
    for persona_id, arms in newest.items():
        assert arms == record_of(persona_id, [each for each in life.rewards.values() if each.persona_id == persona_id])


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_a_learner_that_dies_again_and_again_amid_its_state_adds_each_range_once(seed: int) -> None:
    chance = Random(seed)
    logs = drawn_history(chance)
    life = Life(logs)
    for _ in range(chance.randint(1, 4)):
        for source in logs:
            life.read(source, chance.randint(0, 8))
        life.checkpoint(of=ObservePart)
    for _ in range(chance.randint(1, 12)):
        for target in life.partials:
            life.learn(target, chance.randint(0, 5))
        life.checkpoint(chance.choice(("", "amid state", "amid state")), chance.randrange(12), LearnPart)
    life.finish()
    found = {key: (each.choice.style, each.views, each.engagements) for key, each in life.rewards.items()}
    assert found == naive([each for log in logs.values() for each in log])
    assert_one_content_an_id(life)
    for persona_id, arms in {each.persona_id: each for each in life.arms}.items():
        assert arms == record_of(persona_id, [each for each in life.rewards.values() if each.persona_id == persona_id])


def assert_one_content_an_id(life: Life) -> None:
    contents: dict[str, HookReward] = {}
    for each in life.told:
        assert contents.setdefault(each.event_id, each) == each, "a reward told again is the same"


def history(*events: Event) -> dict[TopicPartition, list[Event]]:
    topics = {DraftGenerated: DRAFTS, PostPublished: POSTS, EngagementEvent: ENGAGEMENT}
    logs: dict[TopicPartition, list[Event]] = {TopicPartition(topic, 0): [] for topic in topics.values()}
    for each in events:
        logs[TopicPartition(topics[type(each)], 0)].append(each)
    return logs


def lived(*events: Event, now_ms: int = LATER_MS) -> Life:
    life = Life(history(*events), now_ms)
    life.finish()
    return life


def test_a_reward_comes_when_its_age_and_the_grace_are_over_and_not_before() -> None:
    logs = history(draft("d", "nova", "q"), post("p", "nova", "d"), engaged("p", "nova", "view", 9, 10))
    life = Life(logs, NOON_MS + HOUR_MS + GRACE_MS - 1)
    life.finish()
    assert life.told == []
    assert not life.learning.idle_flush_due([part for part in life._parts.values() if isinstance(part, LearnPart)])
    life.now_ms += 1
    assert life.learning.idle_flush_due([part for part in life._parts.values() if isinstance(part, LearnPart)])
    life.checkpoint()
    assert [(each.age_hours, each.views) for each in life.told] == [(1, 9)]
    life.now_ms += 200 * HOUR_MS
    life.checkpoint()
    assert [(each.age_hours, each.views) for each in life.told] == [(1, 9), (24, 9), (168, 9)]
    assert [each.rewards for each in life.arms] == [1, 1], "of one post its greatest age counts"


@pytest.mark.parametrize("dies", ["before", "after state", "after outputs"])
def test_what_was_told_as_the_worker_died_is_told_by_the_next_one(dies: str) -> None:
    logs = history(draft("d", "nova", "q"), post("p", "nova", "d"), engaged("p", "nova", "view", 9, 10))
    life = Life(logs)
    for source in logs:
        life.read(source, 9)
    life.checkpoint()
    for target in life.partials:
        life.learn(target, 9)
    told = life.dies_as_it_learns(dies)
    assert told == (len(AGES) if dies == "after outputs" else 0)
    life.finish()
    assert {key: each.views for key, each in life.rewards.items()} == {("p", hours): 9 for hours in AGES}
    assert {each.revision for each in life.told} == {1}
    assert len({each.checksum for each in life.arms}) == 1


@pytest.mark.parametrize("written", range(12))
@pytest.mark.parametrize("post_is_first", [False, True])
@pytest.mark.parametrize("likes", [0, 2])
def test_whatever_part_of_the_state_was_written_as_the_worker_died_nothing_counts_twice_or_is_lost(
    written: int, likes: int, *, post_is_first: bool
) -> None:
    """A changelog takes much state as several batches: a kill leaves the first of them."""
    drafts = [draft(f"d{each}", "nova", "q") for each in "ab"]
    posts = [post(f"p{each}", "nova", f"d{each}") for each in "ab"]
    early = [engaged(f"p{each}", "nova", "view", 9, 10) for each in "ab"]
    logs = history(*drafts, *posts, *early)
    life = Life(logs)
    for topic in (POSTS, ENGAGEMENT, DRAFTS) if post_is_first else (ENGAGEMENT, DRAFTS, POSTS):
        life.read(TopicPartition(topic, 0), 9)
        life.checkpoint(of=ObservePart)
    for target in life.partials:
        life.learn(target, 1)
    life.checkpoint(of=LearnPart)
    for target in life.partials:
        life.learn(target, 9)
    life.dies_as_it_learns("amid state", written)
    late = [engaged(f"p{each}", "nova", "like", likes, 20) for each in "ab" if likes]
    logs[TopicPartition(ENGAGEMENT, 0)] += late
    life.finish()
    found = {key: (each.choice.style, each.views, each.engagements) for key, each in life.rewards.items()}
    assert found == naive([*drafts, *posts, *early, *late])
    assert_one_content_an_id(life)
    assert life.arms[-1] == record_of("nova", list(life.rewards.values()))


def test_what_comes_late_or_is_corrected_makes_another_revision() -> None:
    logs = history(draft("d", "nova", "q"), post("p", "nova", "d"), engaged("p", "nova", "view", 9, 10))
    life = Life(logs)
    life.finish()
    logs[TopicPartition(ENGAGEMENT, 0)] += [
        engaged("p", "nova", "view", -4, 20, basis="correction"),
        engaged("p", "nova", "like", 2, 60 * 30),
    ]
    life.finish()
    assert {key: (each.revision, each.views, each.engagements) for key, each in life.rewards.items()} == {
        ("p", 1): (2, 5, 0),
        ("p", 24): (2, 5, 0),
        ("p", 168): (2, 5, 2),
    }


def test_simulated_engagement_marks_the_reward() -> None:
    plain = lived(draft("d", "nova", "q"), post("p", "nova", "d"), engaged("p", "nova", "view", 9, 10))
    marked = lived(draft("d", "nova", "q"), post("p", "nova", "d"), engaged("p", "nova", "view", 9, 10, simulated=True))
    assert not any(each.simulated for each in plain.told)
    assert all(each.simulated for each in marked.told)


def test_without_choice_draft_or_post_there_is_no_reward() -> None:
    assert lived(draft("d", "nova", None), post("p", "nova", "d"), engaged("p", "nova", "view", 9, 1)).told == []
    assert lived(post("p", "nova", "unknown"), engaged("p", "nova", "view", 9, 1)).told == []
    assert lived(draft("d", "nova", "q"), engaged("p", "nova", "view", 9, 1)).told == []
    assert lived(draft("d", "nova", "q"), post("p", "nova", None), engaged("p", "nova", "view", 9, 1)).told == []


def test_a_post_nobody_saw_is_a_reward_of_nothing() -> None:
    unseen = lived(draft("d", "a", "q"), post("p", "a", "d"))
    assert {(each.views, each.engagements) for each in unseen.told} == {(0, 0)}


@pytest.mark.parametrize("dies", ["", "after state", "after outputs"])
def test_news_of_very_many_posts_goes_out_over_several_checkpoints_and_none_is_lost(
    dies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "MOST_TOLD", 3)
    names = [f"p{number}" for number in range(10)]
    events: list[Event] = [draft(f"d{each}", "nova", "q") for each in names]
    events += [post(each, "nova", f"d{each}") for each in names]
    logs = history(*events)
    life = Life(logs)
    life.finish()
    logs[TopicPartition(ENGAGEMENT, 0)] += [engaged(each, "nova", "view", 5, 1) for each in names]
    life.read(TopicPartition(ENGAGEMENT, 0), 99)
    life.checkpoint()
    for target in life.partials:
        life.learn(target, 99)
    life.checkpoint(dies)
    life.finish()
    assert {key: each.views for key, each in life.rewards.items()} == {(each, h): 5 for each in names for h in AGES}
    assert {each.revision for each in life.rewards.values()} == {2}
    assert life.arms[-1].arms[0].views == 50


def test_what_an_account_got_is_of_no_post() -> None:
    life = lived(draft("d", "a", "q"), post("p", "a", "d"), engaged(None, "a", "follower_change", 5, 1))
    assert {each.engagements for each in life.told} == {0}


def test_what_is_kept_of_a_persona_is_bounded() -> None:
    """The newest posts stay; of posts that are not ours, those engaged with last."""
    count = MOST_POSTS * 5 // 4 + 1
    events: list[Event] = [draft(f"d{n}", "nova", "q") for n in range(count)]
    events += [post(f"p{n}", "nova", f"d{n}", NOON + timedelta(minutes=n)) for n in range(count)]
    events += [engaged(f"other{n}", "nova", "view", 1, n) for n in range(MOST_UNKNOWN * 5 // 4 + 1)]
    life = Life(history(*events))
    life.finish()
    assert life.arms[-1].rewards == MOST_POSTS
    assert "p0" not in {each.post_id for each in life.told}
    kept = [key for state in life._state.values() for key in state]
    assert sum(key[:1] == b"p" for key in kept) == MOST_POSTS
    assert sum(key[:1] == b"u" for key in kept) == MOST_UNKNOWN


def test_posts_asked_in_no_style_push_none_out_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persona_rewards, "MOST_POSTS", 4)
    monkeypatch.setattr(persona_rewards, "MOST_UNCHOSEN", 4)
    logs = history(draft("d", "nova", "q"), post("p", "nova", "d"), engaged("p", "nova", "view", 9, 1))
    life = Life(logs)
    life.finish()
    others = [post(f"p{n}", "nova", f"of no style {n}", NOON + timedelta(minutes=1 + n)) for n in range(20)]
    logs[TopicPartition(POSTS, 0)] += others
    life.finish()
    replay = Life(logs)
    replay.finish()
    assert replay.arms[-1] == life.arms[-1]
    assert replay.arms[-1].rewards == 1
    assert sum(key[:1] == b"p" for state in life._state.values() for key in state) <= 4 + 1 + 1


def test_a_post_keeps_the_choice_of_its_draft_though_that_be_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persona_rewards, "MOST_DRAFTS", 4)
    logs = history(draft("d", "nova", "q"), post("p", "nova", "d"), engaged("p", "nova", "view", 9, 1))
    life = Life(logs)
    life.finish()
    later = [replace(draft(f"d{n}", "nova", "q"), occurred_at=NOON + timedelta(minutes=1 + n)) for n in range(20)]
    logs[TopicPartition(DRAFTS, 0)] += later
    life.finish()
    logs[TopicPartition(ENGAGEMENT, 0)].append(engaged("p", "nova", "like", 2, 5))
    life.finish()
    assert [(arm.posts, arm.views, arm.engagements) for arm in life.arms[-1].arms] == [(1, 9, 2)]


def test_a_hidden_persona_is_left_out_and_its_state_is_its_own() -> None:
    stage = LearnStage(lambda: LATER_MS)
    stage.hide(Hidden({b"nova": LATER_MS + 1}))
    life = lived(*(event for p in ("nova", "ada") for event in (draft(f"d {p}", p, "q"), post(p, p, f"d {p}"))))
    part = asyncio.run(stage.take(TopicPartition("hooks.partials", 0), ()))
    partials = [each for log in life.partials.values() for each in log]
    rows = [Row(number, replace(each, source_partition=number)) for number, each in enumerate(partials)]
    asyncio.run(part.add(RowBatch(TopicPartition("hooks.partials", 0), rows)))
    changes = dict(part.flush().changes)
    owners = {(key[:1], stage.owner_of(key, value)) for key, value in changes.items() if value is not None}
    assert owners == {(b"s", None), (b"d", "ada"), (b"p", "ada"), (b"o", "ada")}, "what went out is its own, too"


def test_a_partial_of_another_form_is_refused_and_the_others_count() -> None:
    life = lived(draft("d", "nova", "q"), post("p", "nova", "d"))
    good = [each for log in life.partials.values() for each in log]
    bad = replace(good[0], posts=b"no arrow", last_offset=10**6)
    part = asyncio.run(LearnStage(lambda: LATER_MS).take(TopicPartition("hooks.partials", 0), ()))
    rows = [Row(number, each) for number, each in enumerate([bad, *good])]
    [refused] = asyncio.run(part.add(RowBatch(TopicPartition("hooks.partials", 0), rows)))
    assert refused.offset == 0
    assert "another version" in str(refused.fault)
    assert len(part.flush().outputs) == len(AGES) + 1


def test_nothing_observed_makes_no_partial() -> None:
    life = Life(history(draft("d", "nova", None), engaged(None, "nova", "follow", 1, 1)))
    life.finish()
    assert life.partials == {number: [] for number in range(TARGETS)}
