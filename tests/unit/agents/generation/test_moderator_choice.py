"""Who moderates: OpenAI where it writes, else the word lists, unless the settings say otherwise."""

from __future__ import annotations

import pytest

from agents.generation.writing import moderator_of
from agents.guard.moderation import Moderator, OpenAIModerator, WordListModerator
from agents.llm.client import LanguageModelClient
from agents.llm.provider import EMBEDDED_MODEL, OPENAI_URL, Provider
from tests.support.settings import settings_with

COMPATIBLE = Provider("http://127.0.0.1:8080/v1", "none", 8)
OPENAI = Provider(f"{OPENAI_URL}/", "sk-x", 8)
EMBEDDED = Provider("http://127.0.0.1:8081/v1", EMBEDDED_MODEL, 2, embedded=True)


@pytest.mark.parametrize(
    ("wanted", "provider", "expected"),
    [
        ("auto", OPENAI, OpenAIModerator),
        ("auto", COMPATIBLE, WordListModerator),
        ("auto", EMBEDDED, WordListModerator),
        ("words", OPENAI, WordListModerator),
        ("provider", COMPATIBLE, OpenAIModerator),
        ("provider", EMBEDDED, WordListModerator),
    ],
)
async def test_the_moderator_suits_the_provider(wanted: str, provider: Provider, expected: type[Moderator]) -> None:
    settings = settings_with(moderation=wanted)
    async with LanguageModelClient(provider, timeout_s=1.0) as client:
        assert type(moderator_of(settings, client)) is expected
