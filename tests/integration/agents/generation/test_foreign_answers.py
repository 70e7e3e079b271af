"""The generate stage before foreign dialects: answers are read, asked again or set aside, and booked in any case."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.drafting import REQUESTS, finished_effects, request, rows
from tests.support.generate_stage import costs_of, drafts_of, faults_of, generating, some_requests, state_of
from tests.support.openai.loopback import LoopbackOpenAI
from tests.support.provider_fuzz import (
    Named,
    Response,
    as_parts,
    cut,
    in_text,
    ok,
    patched,
    raw,
    streamed,
    text_around,
    zipped,
)

Completion = dict[str, Any]


class Always:
    """Answers every call with the good completion, changed in one way."""

    def __init__(self, change: Callable[[Completion], Response]) -> None:
        self._change = change

    def __call__(self, body: dict[str, Any], completion: Completion) -> Response:
        del body
        return self._change(completion)


READ = [
    as_parts(["thinking"]),
    text_around('<think>Maybe {"x": 1} or {"answers": [{"hooks": ["No."]}]}?</think>', ""),
    text_around("Sure! ```json\n", '\n``` I hope {this} helps: {"note": 1}'),
    in_text("\\ud83d"),
    in_text("\\u0000"),
    patched(("choices", 0, "message", "reasoning_content"), "I think {"),
    patched(("model",), "\ud83d"),
    patched(("model",), None),
    patched(("choices", 0, "finish_reason"), "eos\ud83d"),
    streamed(),
    zipped(broken=False),
    patched(("usage", "prompt_tokens_details", "cached_tokens"), 2_495),
    patched(("usage", "completion_tokens_details", "reasoning_tokens"), 900),
]


@pytest.mark.parametrize("change", READ, ids=repr)
async def test_an_answer_of_another_dialect_is_read_with_two_calls_and_booked(change: Named) -> None:
    server = LoopbackOpenAI(instead=Always(change))
    async with generating(server) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        effects = await finished_effects(stage)
    (draft,) = drafts_of(effects)
    costs = costs_of(effects)
    assert len(server.requests) == len(costs) == 2
    assert sum(cost.prompt_tokens for cost in costs) >= server.prompt_tokens
    assert all(cost.cached_tokens <= cost.prompt_tokens for cost in costs)
    assert all(cost.reasoning_tokens <= cost.completion_tokens for cost in costs)
    json.dumps([draft.text, draft.model], ensure_ascii=False).encode()
    assert "\x00" not in draft.text


UNKNOWN: list[object] = [None, {}, "many", [], {"prompt_tokens": 12}, {"prompt_tokens": "some", "completion_tokens": 7}]


@pytest.mark.parametrize("usage", UNKNOWN, ids=str)
async def test_a_usage_that_is_not_told_is_booked_as_unknown_and_never_as_nothing(usage: object) -> None:
    async with generating(LoopbackOpenAI(instead=Always(patched(("usage",), usage)))) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        effects = await finished_effects(stage)
    assert [cost.cost_micros for cost in costs_of(effects)] == [None, None]
    assert [draft.cost_micros for draft in drafts_of(effects)] == [None]


SAYING_NOTHING = [
    patched(("choices",), []),
    patched(("choices",), None),
    patched(("choices", 0, "message"), None),
    patched(("choices", 0, "message", "content"), None),
    patched(("choices", 0, "message", "content"), [{"type": "thinking", "thinking": "Hm."}]),
]


@pytest.mark.parametrize("change", SAYING_NOTHING, ids=repr)
async def test_an_answer_that_says_nothing_is_asked_for_three_times_and_each_is_booked(change: Named) -> None:
    server = LoopbackOpenAI(instead=Always(change))
    async with generating(server) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        effects = await finished_effects(stage)
    assert "no usable answer in 3 attempts" in faults_of(effects)[0]
    costs = costs_of(effects)
    assert len(server.requests) == len(costs) == 3
    assert sum(cost.prompt_tokens for cost in costs) == server.prompt_tokens


NO_ANSWERS = [
    cut(0.5),
    zipped(broken=True),
    raw(200, {}, b""),
    raw(204, {}, b""),
    raw(200, {"Content-Type": "text/html"}, b"<html>busy</html>"),
    raw(200, {}, b"[" * 100_000),
    raw(200, {}, b"{}"),
]


@pytest.mark.parametrize("change", NO_ANSWERS, ids=repr)
async def test_what_is_no_answer_is_asked_for_nine_times_and_booked_as_unknown(change: Named) -> None:
    server = LoopbackOpenAI(instead=Always(change))
    async with generating(server) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        effects = await finished_effects(stage, deadline_s=60.0)
    assert "no usable answer in 3 attempts" in faults_of(effects)[0]
    assert len(server.requests) <= 9
    assert [cost.cost_micros for cost in costs_of(effects)] == [None] * 3


async def test_the_filter_that_ended_an_answer_is_named_in_the_dead_letter() -> None:
    def filtered(completion: Completion) -> Response:
        completion["choices"][0] |= {"finish_reason": "PROHIBITED_CONTENT", "message": {"content": None}}
        return ok(completion)

    async with generating(LoopbackOpenAI(instead=Always(filtered))) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        effects = await finished_effects(stage)
    assert "content filter ended the answer (prohibited_content)" in faults_of(effects)[0]


async def test_an_answer_of_megabytes_is_cut_before_it_is_kept() -> None:
    def long(completion: Completion) -> Response:
        message = completion["choices"][0]["message"]
        message["content"] = message["content"].replace(". ", ". " + "I nap and nap and nap. " * 100_000, 1)
        return ok(completion)

    async with generating(LoopbackOpenAI(instead=Always(long))) as stage:
        await stage.add(rows(REQUESTS, some_requests(2)))
        effects = await finished_effects(stage)
    assert len(drafts_of(effects)) + len(faults_of(effects)) == 2
    assert all(len(value) < 100_000 for _, value in state_of(effects))
