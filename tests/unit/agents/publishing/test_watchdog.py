"""The watchdog: what is late or stuck is found from outside, and looked at again after pauses that grow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.publishing.open_parts import ENDS, OPEN_STATES, UNDER_WAY, OpenParts, Patience, Trouble, heal_due
from agents.publishing.watchdog import TokenRounds, Watchdog, account_readings
from agents.publishing.watchdog_metrics import (
    ACCOUNT_STATE,
    ACCOUNT_TOKEN_EXPIRY,
    POSTS_HEALS,
    POSTS_OPEN,
    POSTS_OVERDUE,
    POSTS_OVERDUE_OLDEST,
    POSTS_STUCK,
)
from schemas.records import PostCommand, PostState, PublicationState
from streams.engine.stage import Output
from streams.errors import Unavailable
from tests.support.accounts import account_record
from tests.support.until import until

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
PATIENCE = Patience(timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1))


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def state(name: PublicationState, sequence: int = 3, minutes: float = 0.0, **besides: Any) -> PostState:
    return PostState(
        event_id=f"state-{besides.get('part', 0)}-{sequence}",
        occurred_at=at(minutes),
        persona_id="nova",
        sequence=sequence,
        state=name,
        **{"publication_id": "p", "platform": "threads", "text": "t", "content_digest": "0" * 64} | besides,
    )


def troubles(minutes: float, *states: PostState) -> list[tuple[str, int]]:
    parts = OpenParts()
    for each in states:
        parts.put(each)
    return [(each.kind, each.state.part) for each in parts.troubles(at(minutes), PATIENCE)]


class States:
    """States as a tail gives them: what was added since the last call."""

    def __init__(self, *states: PostState) -> None:
        self.coming = list(states)
        self.is_away = False

    async def news(self) -> Sequence[PostState]:
        if self.is_away:
            raise Unavailable("Kafka is away")
        news, self.coming = self.coming, []
        return news


class Log:
    """A log that keeps what is appended, as long as it is there."""

    def __init__(self) -> None:
        self.commands: list[PostCommand] = []
        self.is_away = False

    async def append_all(self, outputs: Iterable[Output]) -> None:
        if self.is_away:
            raise Unavailable("Kafka is away")
        for output in outputs:
            assert output.topic == "posts.commands"
            assert isinstance(output.record, PostCommand)
            self.commands.append(output.record)


class Clock:
    def __init__(self) -> None:
        self.minutes = 0.0

    def __call__(self) -> datetime:
        return at(self.minutes)


def watched(*states: PostState) -> tuple[Watchdog, States, Log, Clock]:
    coming, log, clock = States(*states), Log(), Clock()
    return Watchdog(coming, log, PATIENCE, clock), coming, log, clock


def test_a_post_is_overdue_when_it_is_late_and_not_before() -> None:
    scheduled = state("scheduled", due_at=at(10))
    assert troubles(14.9, scheduled) == []
    assert troubles(15, scheduled) == [("overdue", 0)]


@pytest.mark.parametrize("name", UNDER_WAY)
def test_a_post_that_does_not_get_on_is_stuck(name: PublicationState) -> None:
    assert troubles(14.9, state(name)) == []
    assert troubles(15, state(name)) == [("stuck", 0)]


def test_a_container_that_was_made_ahead_of_time_is_not_stuck_before_it_is_due() -> None:
    made = state("container_created", due_at=at(30))
    assert troubles(44.9, made) == []
    assert troubles(45, made) == [("stuck", 0)]


@pytest.mark.parametrize("name", [*sorted(ENDS), "proposed", "approved"])
def test_what_has_ended_or_waits_for_people_is_in_no_trouble(name: PublicationState) -> None:
    assert troubles(10_000, state(name, due_at=at(0))) == []


def test_of_a_thread_only_the_part_that_the_others_wait_for_is_in_trouble() -> None:
    parts = [state("scheduled", part=part, parts=3, due_at=at(0)) for part in range(3)]
    assert troubles(60, *parts) == [("overdue", 0)]
    there = state("published", sequence=4, minutes=58, parts=3)
    assert troubles(60, *parts, there) == []
    assert troubles(63, *parts, there) == [("overdue", 1)]
    assert troubles(63, *parts, replace(there, state="failed")) == []


def test_a_state_that_is_told_again_after_the_end_opens_nothing() -> None:
    publishing, there = state("publishing", 3), state("published", 4)
    assert troubles(10_000, publishing, there, publishing) == []


def test_a_post_that_is_tried_again_after_it_failed_is_watched_again() -> None:
    assert troubles(60, state("failed", 4, retryable=True), state("scheduled", 5, due_at=at(0))) == [("overdue", 0)]


STATES = st.builds(
    state,
    st.sampled_from([*OPEN_STATES, *sorted(ENDS)]),
    sequence=st.integers(1, 6),
    part=st.integers(0, 1),
    parts=st.just(2),
    due_at=st.sampled_from([None, at(0), at(20)]),
)


@given(st.lists(STATES, unique_by=lambda each: each.event_id, max_size=8), st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_states_gives_the_same_troubles(states: list[PostState], random: Any) -> None:
    shuffled = [*states, *random.sample(states, len(states) // 2)]
    random.shuffle(shuffled)
    assert troubles(90, *states) == troubles(90, *shuffled)


@given(st.integers(0, 10_000), st.integers(1, 500), st.integers(1, 500))
def test_pauses_between_heals_double_up_to_the_longest(late: int, first: int, longest: int) -> None:
    pauses, at_s, expected = min(first, longest), 0, 0
    while at_s + pauses <= late:
        at_s, expected = at_s + pauses, expected + 1
        pauses = min(2 * pauses, longest)
    assert heal_due(*(timedelta(seconds=each) for each in (late, first, longest))) == expected


async def test_a_heal_is_asked_for_at_once_and_again_after_pauses_that_grow() -> None:
    watchdog, _, log, clock = watched(state("unconfirmed"))
    asked_at = []
    for minute in range(24 * 60):
        clock.minutes = minute
        before = len(log.commands)
        await watchdog.look()
        asked_at += [minute] * (len(log.commands) - before)
    assert asked_at[:6] == [15, 30, 60, 120, 180, 240]
    assert len({command.event_id for command in log.commands}) == len(log.commands)
    [first, *_] = log.commands
    assert (first.kind, first.publication_id, first.persona_id) == ("heal", "p", "nova")
    assert first.reason == "in unconfirmed for 15 minutes: see what has become of it"
    assert first.requested_by == "posts-watchdog"
    assert first.causation_id == "state-0-3"


async def test_a_post_that_goes_on_and_gets_stuck_again_is_healed_at_once() -> None:
    watchdog, coming, log, clock = watched(state("publishing"))
    clock.minutes = 20
    await watchdog.look()
    coming.coming = [state("unconfirmed", sequence=4, minutes=20)]
    clock.minutes = 36
    await watchdog.look()
    assert [command.causation_id for command in log.commands] == ["state-0-3", "state-0-4"]


async def test_two_watchdogs_heal_once() -> None:
    late = state("scheduled", due_at=at(0))
    (one, _, log, clock), (two, _, other_log, other_clock) = watched(late), watched(late)
    for clock.minutes in (5, 7, 90):
        await one.look()
    for other_clock.minutes in (6, 95):  # began later, and looks at other times
        await two.look()
    ids = {command.event_id for command in log.commands}
    assert len(ids) == 2
    assert {command.event_id for command in other_log.commands} == ids


@pytest.mark.parametrize("what", ["states", "log"])
async def test_what_could_not_be_asked_for_is_asked_for_when_kafka_is_back(what: str) -> None:
    watchdog, coming, log, clock = watched(state("publishing"))
    clock.minutes = 20
    away: Any = {"states": coming, "log": log}[what]
    away.is_away = True
    with pytest.raises(Unavailable):
        await watchdog.look()
    away.is_away = False
    await watchdog.look()
    assert len(log.commands) == 1


async def test_it_tells_how_many_are_in_trouble_and_for_how_long() -> None:
    watchdog, _, _, clock = watched(
        state("scheduled", due_at=at(0)),
        state("scheduled", due_at=at(10), publication_id="later"),
        state("unconfirmed", publication_id="lost"),
    )
    clock.minutes = 30
    found = await watchdog.look()
    assert {each.key for each in found} == {("p", 0), ("later", 0), ("lost", 0)}
    told = {(each.metric, each.labels): each.value for each in watchdog.readings()}
    assert told[POSTS_OVERDUE, ()] == 2
    assert told[POSTS_OVERDUE_OLDEST, ()] == 1_800
    assert told[POSTS_STUCK, ("unconfirmed",)] == 1
    assert told[POSTS_STUCK, ("publishing",)] == 0
    assert told[POSTS_OPEN, ("scheduled",)] == 2
    assert (told[POSTS_HEALS, ("overdue",)], told[POSTS_HEALS, ("stuck",)]) == (2, 1)


def test_a_heal_says_in_words_what_is_wrong() -> None:
    late = Trouble("overdue", state("scheduled", due_at=at(0)), at(0), 0)
    assert late.reason(at(9)) == "due 2026-11-27 12:00:00 UTC and still scheduled: go on with it"


def test_accounts_tell_their_state_and_how_long_their_token_is_good_for() -> None:
    ends = NOON + timedelta(days=3)
    accounts = [
        account_record("acc_1", token_expires_at=ends),
        account_record("acc_2", state="restricted", reason="settle it"),
        account_record("acc_3", state="removed", token=None),
    ]
    told = {(each.metric, each.labels): each.value for each in account_readings(accounts, NOON)}
    assert {labels: value for (metric, labels), value in told.items() if metric is ACCOUNT_TOKEN_EXPIRY} == {
        ("acc_1", "threads"): 3 * 86_400
    }
    of = {labels for (metric, labels), value in told.items() if metric is ACCOUNT_STATE and value == 1}
    assert of == {("acc_1", "threads", "active"), ("acc_2", "threads", "restricted")}
    assert sum(metric is ACCOUNT_STATE for metric, _ in told) == 6


async def test_rounds_of_tokens_follow_the_wall_clock_one_at_a_time_and_outlive_what_goes_wrong() -> None:
    clock, began, go = Clock(), list[datetime](), asyncio.Event()

    async def round_(now: datetime) -> None:
        began.append(now)
        await go.wait()
        raise Unavailable("the platform is away") if len(began) == 1 else ZeroDivisionError

    rounds = TokenRounds(round_, clock)
    for clock.minutes in (0, 5, 11, 30):  # the first one takes long
        rounds.begin_if_due()
        await asyncio.sleep(0)
    assert began == [at(0)]
    go.set()
    for clock.minutes in (30, 35, 40, -60):  # at last the clock is set back
        await until(lambda: rounds.is_idle)
        rounds.begin_if_due()
    await until(lambda: rounds.is_idle)
    assert began == [at(0), at(30), at(40), at(-60)]
    await rounds.close()


async def test_a_round_of_tokens_that_hangs_is_broken_off_at_the_end() -> None:
    begun = asyncio.Event()

    async def hangs(_: datetime) -> None:
        begun.set()
        await asyncio.Event().wait()

    rounds = TokenRounds(hangs, Clock())
    rounds.begin_if_due()
    await begun.wait()
    await rounds.close()
    assert rounds.is_idle
