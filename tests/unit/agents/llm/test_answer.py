"""Answers: what is read of a chat completion, whatever else a server says or leaves out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.llm.answers.answer import ChatBody, ProviderAnswer
from agents.llm.answers.reply import Usage, usage_of


def said(**parts: Any) -> bytes:
    message = {"role": "assistant", "content": "Tea.", "refusal": None}
    whole = {"id": "c1", "model": "m-1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return json.dumps({**whole, **parts}).encode()


def answer(body: bytes) -> ProviderAnswer:
    return ChatBody.model_validate_json(body).answer()


def test_text_model_and_reason_are_read() -> None:
    found = answer(said())
    assert (found.text, found.model, found.finish_reason, found.refusal) == ("Tea.", "m-1", "stop", None)
    assert usage_of(found.usage) == Usage()


def test_a_reason_or_part_that_the_api_does_not_know_is_no_fault() -> None:
    other = {"message": {"content": None, "refusal": "no", "thoughts": [1]}, "finish_reason": "eos"}
    found = answer(said(choices=[other], service_tier="fast", object="text"))
    assert (found.text, found.finish_reason, found.refusal) == (None, "eos", "no")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 3}, Usage(7, 0, 3, 0)),
        ({"prompt_tokens": 7, "completion_tokens": None}, Usage(7, 0, 0, 0)),
        (
            {
                "prompt_tokens": 7,
                "completion_tokens": 3,
                "total_tokens": 10,
                "prompt_tokens_details": {"cached_tokens": 5, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            Usage(7, 5, 3, 2),
        ),
        (None, Usage()),
    ],
)
def test_tokens_that_a_server_leaves_out_are_0(usage: dict[str, object] | None, expected: Usage) -> None:
    assert usage_of(answer(said(usage=usage)).usage) == expected


@pytest.mark.parametrize(
    "body", [b"", b"<html>busy</html>", b"[]", said(choices=[]), said(choices=[{}]), said(usage="many")]
)
def test_what_is_no_chat_completion_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="validation error"):
        answer(body)
