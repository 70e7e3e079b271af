"""The provider's moderation through the real client: whatever is not clearly harmless does not pass."""

from __future__ import annotations

import pytest

from agents.guard.moderation import OpenAIModerator
from agents.llm.client import LanguageModelClient
from agents.llm.provider import Provider
from streams.errors import Unavailable
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai


async def test_texts_are_flagged_by_category_and_a_provider_that_is_away_lets_nothing_through() -> None:
    async with loopback_openai(LoopbackOpenAI()) as server:
        provider = Provider(server.base_url, "none", 4)
        async with LanguageModelClient(provider, timeout_s=5.0) as client:
            moderator = OpenAIModerator(client)
            harmless, harmful = await moderator.reasons(["Rye bread at 4 a.m.", "I will kill you, he said."])
            assert harmless == ()
            assert harmful
            assert all(reason.startswith("moderation: ") for reason in harmful)
            assert await moderator.reasons([]) == []
            server.faults_at["moderations"] = ["500"]
            with pytest.raises(Unavailable):
                await moderator.reasons(["Rye bread at 4 a.m."])
