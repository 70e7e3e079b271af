"""Questions and answers of a model, for the tests of what keeps them."""

from __future__ import annotations

from agents.caching.response_cache import Question
from agents.llm.answers.reply import Reply, Usage


def question(
    text: str = '{"brief": "naps"}',
    *,
    model: str = "gpt-4.1",
    system: str = "You write.",
    persona_version: str = "v1",
    variation: str = "0/0",
    **parameters: object,
) -> Question:
    """Return a question; its parameters are a temperature and what is given."""
    messages = ({"role": "system", "content": system}, {"role": "user", "content": text})
    return Question(model, messages, {"temperature": 0.7, **parameters}, persona_version, variation)


def reply(text: str = "I counted 12 naps. Був сон.", *, cut_off: bool = False, refusal: str | None = None) -> Reply:
    """Return an answer with some usage."""
    return Reply(text, "gpt-4.1-2025-04-14", Usage(900, 512, 40, 3), 812, cut_off, refusal)
