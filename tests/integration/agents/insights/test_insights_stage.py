"""Numbers of the simulator come back as events that add up to its truth, whatever goes wrong on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.insights.links import tracked
from schemas.records import EngagementEvent, InsightsSnapshot, PostCommand
from tests.support.insights import Insights, differences, insights
from tests.support.simulator import RunningSimulator, running_simulator


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[RunningSimulator]:
    """A simulator whose posts get all that they ever get in a second, where nobody engages by hand."""
    with running_simulator(tmp_path, simulator_audience_speed=10**6) as running:
        yield running


async def until_equal(made: Insights, simulator: RunningSimulator, *post_ids: str) -> None:
    await made.until(lambda: not differences(simulator, set(post_ids), made.sums()), "the simulator's totals")


async def test_events_add_up_to_the_totals_of_the_simulator_upward_and_downward(simulator: RunningSimulator) -> None:
    async with insights(simulator) as made:
        link = tracked("https://shop.example/nap?x=1", "pub-1")
        first = await made.follow("ada", f"Naps, at last: {link}", "pub-1")
        second = await made.follow("ada", "No link here", "pub-2")
        assert first.post_id
        assert second.post_id
        await until_equal(made, simulator, first.post_id, second.post_id)
        simulator.control(
            f"posts/{first.post_id}/engage", {"views": 500, "likes": 40, "shares": 3, "clicks": {link: 7}}
        )
        simulator.control("users/ada/follow", {"followers": 12})
        await until_equal(made, simulator, first.post_id, second.post_id)
        simulator.control(f"posts/{first.post_id}/engage", {"likes": -5})
        await until_equal(made, simulator, first.post_id, second.post_id)
        corrections = [each for each in made.of(EngagementEvent) if each.basis == "correction"]
        assert [(each.kind, each.count) for each in corrections] == [("like", -5)]
        assert made.sums()[first.post_id, "clicks"] >= 7
        assert all(each.simulated for each in made.records if isinstance(each, (EngagementEvent, InsightsSnapshot)))
        events = made.of(EngagementEvent)
        assert len({each.event_id for each in events}) == len(events)
        growth = sum(each.count for each in events if each.kind == "follower_change")
        follows = [each for each in events if each.kind == "follow"]
        assert sum(each.count for each in follows) <= growth
        assert {each.source for each in follows} <= {"threads:allocated"}
        snapshots = [each for each in made.of(InsightsSnapshot) if each.post_id == first.post_id]
        assert [each.sequence for each in snapshots] == list(range(1, len(snapshots) + 1))
        assert made.reading("insights_polls_total")["threads", "post"] >= len(snapshots)


async def test_a_stage_that_takes_over_goes_on_where_the_last_one_was(simulator: RunningSimulator) -> None:
    async with insights(simulator) as made:
        state = await made.follow("ada", "Naps", "pub-1")
        assert state.post_id
        await until_equal(made, simulator, state.post_id)
        kept, events = dict(made.state), made.of(EngagementEvent)
    simulator.control(f"posts/{state.post_id}/engage", {"views": 10})
    async with insights(simulator, state=kept) as next_one:
        next_one.hand(state)  # its offset may be read again
        next_one.records += events
        await until_equal(next_one, simulator, state.post_id)


async def test_a_revoked_token_pauses_its_account_alone_until_it_is_good_again(simulator: RunningSimulator) -> None:
    async with insights(simulator) as made:
        states = [await made.follow(persona, f"{persona} naps", f"pub-{persona}") for persona in ("ada", "eve")]
        ada, eve = (str(each.post_id) for each in states)
        await until_equal(made, simulator, ada, eve)
        simulator.control("tokens", {"user": "ada", "change": "revoke"})
        await made.until(lambda: made.reading("insights_paused_accounts")[("token_rejected",)] == 1, "a pause")
        for post_id in (ada, eve):
            simulator.control(f"posts/{post_id}/engage", {"views": 100})
        await until_equal(made, simulator, eve)
        assert differences(simulator, {ada}, made.sums())
        simulator.control("tokens", {"user": "ada", "change": "restore"})
        await until_equal(made, simulator, ada, eve)
        assert made.reading("insights_paused_accounts")[("token_rejected",)] == 0
        assert made.reading("insights_failures_total")["threads", "token_rejected"] >= 1


async def test_a_missing_permission_is_told_by_its_name(
    simulator: RunningSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    async with insights(simulator) as made:
        await made.follow("ada", "Naps", "pub-1")
        simulator.control("tokens", {"user": "ada", "change": "scopes", "scopes": ["threads_basic"]})
        await made.until(lambda: made.reading("insights_paused_accounts")[("permission_missing",)] == 1, "a pause")
    assert "threads_manage_insights" in caplog.text


async def test_a_post_deleted_on_the_platform_ends_with_a_command_to_look_at_it(simulator: RunningSimulator) -> None:
    async with insights(simulator) as made:
        state = await made.follow("ada", "Naps", "pub-1")
        await made.until(lambda: bool(made.of(InsightsSnapshot)), "a snapshot")
        simulator.control(f"posts/{state.post_id}/delete", {})
        await made.until(lambda: bool(made.of(PostCommand)), "a command")
        (command,) = made.of(PostCommand)
        assert (command.kind, command.publication_id, command.post_id) == ("heal", "pub-1", state.post_id)
        assert made.reading("insights_posts") == {(): 0}


async def test_faults_of_the_platform_hold_up_an_account_and_lose_nothing(simulator: RunningSimulator) -> None:
    async with insights(simulator) as made:
        states = [await made.follow("ada", f"Nap {number}", f"pub-{number}") for number in range(5)]
        simulator.faults(_500=0.2, _4=0.1, cut=0.1, half_answer=0.1, malformed_json=0.1)
        posts = [str(each.post_id) for each in states]
        for post_id in posts:
            simulator.control(f"posts/{post_id}/engage", {"likes": 9})
        failures = "insights_failures_total"
        await made.until(lambda: sum(made.reading(failures).values()) >= 5, "failures")
        simulator.no_faults()
        await until_equal(made, simulator, *posts)
        assert {reason for _, reason in made.reading(failures)} <= {"away", "throttled"}
