"""Errors by what they mean: whose fault one is, what waits and why, and that neighbours keep what they paid for."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from agents.generation.stage import GenerateStage
from streams.errors import SettingsError
from tests.support.drafting import REQUESTS, finished_effects, request, rows
from tests.support.generate_stage import CHEAP, STRONG, State, costs_of, drafts_of, faults_of, generating, some_requests
from tests.support.openai.loopback import LoopbackOpenAI
from tests.support.stage_driver import DrivenStage, Emitted

Body = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]

FLAGGED = {
    "error": {
        "message": 'gpt requires moderation. Your input was flagged for "violence". No credits were charged.',
        "code": 403,
        "metadata": {"reasons": ["violence"], "flagged_input": "napping", "provider_name": "OpenAI"},
    }
}
REFUSED = {"error": {"message": "You may not.", "code": 403}}


def error(status: int, body: object) -> Response:
    return status, {}, json.dumps(body).encode()


def asks_for(body: Body, brief: str) -> bool:
    return brief in body["messages"][-1]["content"]


def at_brief(brief: str, response: Response) -> Callable[[Body, Body], Response | None]:
    return lambda body, _: response if asks_for(body, brief) else None


def calls_by_brief(server: LoopbackOpenAI) -> Counter[str]:
    found: Counter[str] = Counter()
    for body in server.requests:
        briefs = json.loads(body["messages"][-1]["content"])["briefs"]
        found.update(str(each["brief"]) for each in briefs)
    return found


@pytest.mark.parametrize("burst_size", [1, 4])
async def test_one_flagged_prompt_is_that_request_s_fault_and_its_neighbours_are_paid_once(burst_size: int) -> None:
    server = LoopbackOpenAI(instead=at_brief("number 1", error(403, FLAGGED)))
    async with generating(server, burst_size=burst_size) as stage:
        await stage.add(rows(REQUESTS, some_requests(3)))
        effects = await finished_effects(stage)
    assert {draft.request_id for draft in drafts_of(effects)} == {"r0", "r2"}
    assert list(faults_of(effects)) == [1]
    assert "content filter refused the prompt with status 403 (violence)" in faults_of(effects)[1]
    assert len(costs_of(effects)) == 4
    assert max(calls_by_brief(server).values()) <= 2 + (burst_size > 1)


async def effects_until_refused(server: LoopbackOpenAI, state: State, count: int) -> Emitted:
    """Flush until the stage ends with a fault of the set-up; return what was made durable before."""
    together = Emitted()
    async with generating(server, state=state) as stage:
        await stage.add(rows(REQUESTS, some_requests(count)))
        with pytest.raises(SettingsError, match="the key may not use this model"):
            await flushed_for_good(stage, together)
    return together


async def flushed_for_good(stage: DrivenStage[GenerateStage], together: Emitted) -> None:
    async with asyncio.timeout(20):
        while True:
            effects = await stage.flush()
            together.state += effects.state
            together.outputs += effects.outputs
            await asyncio.sleep(0.005)


async def test_what_neighbours_were_answered_is_kept_however_often_a_refused_key_ends_the_worker() -> None:
    server = LoopbackOpenAI(instead=at_brief("number 1", error(403, REFUSED)), latency_s=0.02)
    kept: dict[bytes, bytes] = {}
    costs = set[str]()
    for _ in range(4):
        effects = await effects_until_refused(server, list(kept.items()), 3)
        for change in effects.state:
            kept |= {change.key: change.value} if change.value is not None else {}
            if change.value is None:
                kept.pop(change.key, None)
        costs |= {cost.event_id for cost in costs_of(effects)}
    calls = calls_by_brief(server)
    innocent = sum(count for brief, count in calls.items() if not brief.endswith("number 1"))
    assert innocent == 4, "two calls for each of two drafts, whatever the third one meets"
    assert len(costs) == 4


async def test_a_refused_key_lets_the_calls_under_way_end_and_begins_no_other() -> None:
    begun = asyncio.Event()

    def first_refused(body: Body, completion: Body) -> Response | None:
        del completion
        if asks_for(body, "number 0"):
            begun.set()
            return error(401, {"error": {"message": "no", "code": "invalid_api_key"}})
        return None

    server = LoopbackOpenAI(instead=first_refused)
    async with generating(server) as stage:
        await stage.add(rows(REQUESTS, some_requests(3)))
        await begun.wait()
        news = await stage.drain(5.0)
        effects = await stage.flush() if news else Emitted()
    answered = len(server.bills) - 1
    assert sum(change.key.startswith(b"c") for change in effects.state) == answered


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (402, {"error": {"message": "Insufficient Balance", "code": "invalid_request_error"}}),
        (402, {}),
        (
            400,
            {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low"}},
        ),
        (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}),
    ],
)
async def test_an_account_without_credit_is_a_wait_with_its_reason_shown(
    status: int, body: object, caplog: pytest.LogCaptureFixture
) -> None:
    server = LoopbackOpenAI(instead=lambda _body, _completion: error(status, body))
    with caplog.at_level(logging.WARNING):
        async with generating(server) as stage:
            await stage.add(rows(REQUESTS, [request()]))
            async with asyncio.timeout(10):
                while len(server.requests) < 2 or not waits(stage.readings()):
                    await asyncio.sleep(0.005)
            assert waits(stage.readings()) == {(STRONG, "no credit"), (CHEAP, "no credit")}
            assert (await stage.flush()).rejections == {}
            assert stage.unfinished(REQUESTS) == 0
    assert "add credit" in caplog.text
    assert len(server.requests) == 2


def waits(readings: Any) -> set[tuple[str, ...]]:
    found = {each.labels for each in readings if each.metric.name == "llm_waits" and each.value}
    return found if len(found) == 2 else set()


UNSUPPORTED = {
    "error": {
        "message": "Unsupported value: 'temperature' does not support 0.7 with this model.",
        "type": "invalid_request_error",
        "param": "temperature",
        "code": "unsupported_value",
    }
}


def without(*names: str, body: object = UNSUPPORTED) -> Callable[[Body, Body], Response | None]:
    """A provider that refuses calls with one of these parameters."""
    return lambda asked, _: error(400, body) if any(name in asked for name in names) else None


async def test_a_parameter_that_a_model_does_not_take_is_left_out_from_then_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = LoopbackOpenAI(instead=without("temperature"))
    with caplog.at_level(logging.WARNING):
        async with generating(server, llm_concurrency=1) as stage:
            await stage.add(rows(REQUESTS, some_requests(3)))
            effects = await finished_effects(stage)
    assert len(drafts_of(effects)) == 3
    assert sum("temperature" in body for body in server.requests) == 2, "once for each model"
    assert len(costs_of(effects)) == 6
    assert f"Model {STRONG} does not take temperature" in caplog.text


@pytest.mark.parametrize("name", ["temperature", "seed", "response_format"])
async def test_a_parameter_that_the_settings_omit_is_sent_to_no_model(name: str) -> None:
    server = LoopbackOpenAI(answer=lambda part, body: {"answers": [told(part) for _ in briefs(body)]})
    server.instead = lambda body, _: error(500, {}) if name in body else None
    async with generating(server, llm_omit=name) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        effects = await finished_effects(stage)
    assert len(drafts_of(effects)) == 1
    assert all(name not in body for body in server.requests)


def briefs(body: Body) -> list[Any]:
    return list(json.loads(body["messages"][-1]["content"])["briefs"])


def told(part: str) -> Body:
    body = "I lie down at six, without the phone, for twenty minutes. Napping makes the first hour half as long."
    return {"hooks": ["I was wrong about napping before a night shift."]} if part == "hooks" else {"body": body}


async def test_a_parameter_that_can_not_be_left_out_is_a_fault_of_the_set_up_that_names_the_setting() -> None:
    too_large = {"error": {"message": "max_tokens is too large: 260.", "param": "max_tokens", "code": "invalid_value"}}
    server = LoopbackOpenAI(instead=lambda _body, _completion: error(400, too_large))
    async with generating(server) as stage:
        await stage.add(rows(REQUESTS, [request()]))
        with pytest.raises(SettingsError, match=r"max_tokens.*THREADS_BURST_SIZE.*THREADS_LLM_OMIT"):
            await finished_effects(stage)
    assert len(server.requests) <= 3
