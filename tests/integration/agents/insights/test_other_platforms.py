"""Insights of Bluesky and Mastodon: what they tell becomes events under their name, what they do not tell nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from agents.accounts.vault import Vault
from agents.insights.stage import InsightsStage
from agents.platforms.contract import Outgoing
from schemas.records import EngagementEvent, InsightsSnapshot, PostCommand
from tests.support.accounts import KEY, listed, record_of
from tests.support.insights import QUICK, SOURCE, Insights, published_state
from tests.support.platforms.harness import PlatformHarness
from tests.support.platforms.harnesses import SERVERS, Harnesses
from tests.support.settings import settings_with
from tests.support.stage_driver import DrivenStage

PERSONA = "ada"


@pytest.fixture(scope="module", params=["bluesky", "mastodon"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harnesses]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as harnesses:
        yield harnesses


@pytest.fixture
async def harness(opened: Harnesses) -> AsyncIterator[PlatformHarness]:
    async with opened() as of_this_test:
        yield of_this_test


async def test_totals_become_events_under_the_platforms_name_and_what_is_not_told_is_null(
    harness: PlatformHarness,
) -> None:
    account, platform = await harness.account("insights"), harness.platform
    directory = listed([record_of(account, Vault(KEY), PERSONA)])
    stage = DrivenStage(InsightsStage(settings_with(**QUICK), directory, lambda: {platform.name: platform}))
    await stage.open()
    await stage.restore(SOURCE, [])
    insights = Insights(stage, platform, directory)
    try:
        outgoing = Outgoing(key="k", text="Count me.")
        post_id = await platform.publish(account, outgoing, await platform.create_container(account, outgoing))
        state = published_state(PERSONA, "p1", post_id, outgoing.text, account_id=account.account_id)
        insights.hand(replace(state, platform=platform.name, simulated=False))
        await harness.engage(account, post_id, likes=3, reposts=2)
        await insights.until(
            lambda: (
                insights.sums().get((post_id, "reposts")) == 2
                and any(each.followers is not None for each in insights.of(InsightsSnapshot))
            ),
            "the totals are told",
        )
        await harness.engage(account, post_id, likes=-1)
        await insights.until(lambda: insights.sums()[post_id, "likes"] == 2, "the fall is told")
        await harness.remove(account, post_id)
        await insights.until(lambda: bool(insights.of(PostCommand)), "that it is gone is told")
    finally:
        await stage.close()
    assert {each.source for each in insights.of(EngagementEvent)} == {platform.name}
    of_post = [each for each in insights.of(InsightsSnapshot) if each.post_id == post_id]
    assert {each.views for each in of_post} == {None}
    assert {each.clicks for each in insights.of(InsightsSnapshot)} == {None}
