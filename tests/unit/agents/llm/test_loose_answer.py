"""Answers in other forms than OpenAI's: what can be read is used, and of the rest comes nothing but a ValueError."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm.answers.answer import ProviderAnswer, answer_in, reply_of
from agents.llm.answers.loose_answer import ErrorAnswered
from tests.support.json_values import json_values

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def chat(message: object, **others: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c", "model": "m-1", "choices": [choice], "usage": USAGE, **others}


def said(content: object, **others: Any) -> dict[str, Any]:
    return chat({"role": "assistant", "content": content, **others})


def read(body: object) -> ProviderAnswer:
    return answer_in(body if isinstance(body, bytes) else json.dumps(body).encode())


def event(value: object) -> str:
    return f"data: {json.dumps(value)}\n\n"


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Coffee? No."}]}
TEA = {"type": "text", "text": "Tea."}
CHUNKS = "".join(
    event({"model": "m-1", "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
    for piece in ("Te", "a.")
)
READABLE: dict[str, object] = {
    "parts": said([THOUGHT, TEA]),
    "parts in pieces": said([{"type": "text", "text": "Te"}, {"type": "output_text", "text": "a."}]),
    "a part alone": said(TEA),
    "texts in a list": said(["Te", "a."]),
    "nested parts": said([{"type": "text", "text": {"value": "Tea."}}]),
    "reasoning beside": said("Tea.", reasoning_content="Coffee?", reasoning=[1]),
    "the second choice": {**said(""), "choices": [*said(None)["choices"], *said("Tea.")["choices"]]},
    "a choice that is none": {**said(""), "choices": [None, 7, *said("Tea.")["choices"]]},
    "a completion": {"model": "m-1", "choices": [{"text": "Tea.", "finish_reason": "stop"}], "usage": USAGE},
    "a delta": {"model": "m-1", "choices": [{"delta": {"content": "Tea."}, "finish_reason": "stop"}], "usage": USAGE},
    "a list around": [said("Tea.")],
    "an error beside a text": said("Tea.") | {"error": {"code": 502}},
    "Anthropic's": {"type": "message", "model": "m-1", "content": [TEA], "stop_reason": "end_turn", "usage": USAGE},
    "Gemini's": {
        "modelVersion": "m-1",
        "candidates": [
            {"content": {"parts": [{"text": "No", "thought": True}, {"text": "Tea."}]}, "finishReason": "STOP"}
        ],
        "usageMetadata": USAGE,
    },
    "Responses": {
        "model": "m-1",
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "content": [{"type": "output_text", "text": "Tea."}]},
        ],
        "usage": USAGE,
    },
    "Ollama's": {
        "model": "m-1",
        "message": {"role": "assistant", "content": "Tea."},
        "done_reason": "stop",
        "usage": USAGE,
    },
    "a stream": (CHUNKS + event({"choices": [], "usage": USAGE}) + "data: [DONE]\n\n").encode(),
    "a stream after a comment": (": OPENROUTER PROCESSING\n\n" + CHUNKS + event({"usage": USAGE})).encode(),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(said("Tea.")).encode(),
}


@pytest.mark.parametrize("body", READABLE.values(), ids=READABLE.keys())
def test_a_text_is_read_wherever_it_stands_and_thoughts_are_none(body: object) -> None:
    reply = reply_of(read(body), "asked", 5)
    assert (reply.text, reply.model, reply.refusal) == ("Tea.", "m-1", None)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.is_unknown) == (7, 3, False)


SAYING_NOTHING: dict[str, object] = {
    "no choice": {**said(""), "choices": []},
    "choices null": {**said(""), "choices": None},
    "choices missing": {"model": "m-1", "usage": USAGE},
    "a choice without a message": {**said(""), "choices": [{"index": 0}]},
    "message null": chat(None),
    "content null": said(None),
    "thoughts alone": said(None, reasoning_content="Coffee? No, tea."),
    "thoughts in parts": said([THOUGHT]),
    "content of numbers": said([1, 2.5, None, True]),
    "a blocked prompt": {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": USAGE,
        "model": "m-1",
    },
}


@pytest.mark.parametrize("body", SAYING_NOTHING.values(), ids=SAYING_NOTHING.keys())
def test_an_answer_that_says_nothing_is_an_answer_with_its_usage(body: object) -> None:
    reply = reply_of(read(body), "asked", 5)
    assert (reply.text, reply.usage.prompt_tokens) == ("", 7)


NO_ANSWERS = (
    *(b"", b"<html>busy</html>", b"null", b"7", b"[]", b"{}", b'{"choices": [', b'{"object": "list", "data": []}'),
    *(
        b"\xff\x00",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"data: [DONE]\n\n",
        b"data: {",
        b'{"n": ' + b"9" * 5_000 + b"}",
    ),
)


@pytest.mark.parametrize("body", NO_ANSWERS)
def test_what_is_no_answer_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read(body)


ERRORS: tuple[object, ...] = (
    *({"error": {"code": 429, "message": "slow"}}, {"error": "no"}, {"choices": [{"error": {"code": 502}}]}),
    *({"object": "error", "message": "too long", "code": 400}, [{"error": {"code": 400}}]),
    event({"error": {"code": 502}}).encode(),
)


@pytest.mark.parametrize("body", ERRORS)
def test_an_error_with_a_status_of_success_is_no_answer(body: object) -> None:
    with pytest.raises(ErrorAnswered):
        read(body)


def test_a_text_that_can_not_be_kept_is_cleaned() -> None:
    reply = reply_of(read(said("Tea \ud83d\x00for \ud83d\ude00.")), "asked", 5)
    assert reply.text == "Tea for \U0001f600."


@pytest.mark.parametrize("name", [None, "", " \n", 7.5, True, [], {}, "\ud83d", "m\x00" * 900])
def test_a_model_without_a_name_is_the_one_that_was_asked(name: object) -> None:
    reply = reply_of(read({**said("Tea."), "model": name}), "asked", 5)
    assert reply.model.strip()
    assert len(reply.model.encode()) <= 200


@pytest.mark.parametrize(
    "reason", ["content_filter", "SAFETY", "PROHIBITED_CONTENT", "refusal", "content_filter: RECITATION", "blocked"]
)
def test_a_filter_that_ends_an_answer_is_named(reason: str) -> None:
    body = said(None)
    body["choices"][0]["finish_reason"] = reason
    reply = reply_of(read(body), "asked", 5)
    assert reply.refusal == f"the provider's content filter ended the answer ({reason.casefold()})"


@pytest.mark.parametrize(
    ("reason", "cut_off"), [("length", True), ("MAX_TOKENS", True), ("stop", False), (None, False)]
)
def test_an_answer_that_was_cut_off_says_so_in_any_dialect(reason: str | None, cut_off: bool) -> None:
    body = said("Te")
    body["choices"][0]["finish_reason"] = reason
    assert reply_of(read(body), "asked", 5).cut_off is cut_off


@pytest.mark.parametrize("refusal", [[{"type": "refusal", "refusal": "I can't."}], [[{"refusal": "I can't."}]]])
def test_a_refusal_in_parts_is_a_refusal(refusal: object) -> None:
    assert reply_of(read(said(refusal)), "asked", 5).refusal == "I can't."


@given(content=json_values(), usage=json_values(), reason=json_values(), model=json_values())
def test_whatever_an_answer_holds_it_can_be_written_down(content: Any, usage: Any, reason: Any, model: Any) -> None:
    body = said(content)
    body["choices"][0]["finish_reason"] = reason
    reply = reply_of(read({**body, "usage": usage, "model": model}), "asked", 5)
    for text in (reply.text, reply.model, reply.refusal or ""):
        text.encode()
        assert "\x00" not in text
    assert reply.model


@given(json_values())
def test_any_json_is_an_answer_or_none(body: Any) -> None:
    try:
        reply = reply_of(read(body), "asked", 5)
    except ValueError:
        return
    reply.text.encode()


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_none(body: bytes) -> None:
    try:
        read(body)
    except ValueError:
        return
