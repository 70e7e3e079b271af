"""The Batch API through the real openai client: from lines to replies and faults, and back after a crash."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agents.llm.answers.reply import Reply
from agents.llm.batches import MAX_LINES, PAGE, BatchClient, BatchLine, BatchState, input_file
from agents.llm.client import JsonSchema, Sampling
from agents.llm.provider import Provider
from streams.errors import RecordFault, SettingsError, ThreadsError, Unavailable
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai

FORM = JsonSchema("hook", {"type": "object", "properties": {"hook": {"type": "string"}}, "required": ["hook"]})
SAMPLING = Sampling(max_tokens=40, temperature=0.5, seed=7)


def line(custom_id: str, model: str = "gpt-4.1") -> BatchLine:
    return BatchLine(custom_id, model, "Write.", json.dumps({"brief": f"naps {custom_id}"}), FORM, SAMPLING)


LINES = [line(name) for name in "abcd"]


@asynccontextmanager
async def batches_of(server: LoopbackOpenAI) -> AsyncIterator[BatchClient]:
    async with (
        loopback_openai(server) as running,
        BatchClient(Provider(running.base_url, "sk-test", 8), timeout_s=10.0) as client,
    ):
        yield client


async def ended(client: BatchClient, batch_id: str) -> BatchState:
    for _ in range(10):
        state = await client.state(batch_id)
        if state.ended:
            return state
    raise AssertionError(state)


def kinds(outcomes: dict[str, Reply | ThreadsError]) -> dict[str, type]:
    return {name: type(each) for name, each in sorted(outcomes.items())}


async def test_every_line_comes_back_by_its_id_with_text_and_usage() -> None:
    async with batches_of(LoopbackOpenAI()) as client:
        batch_id = await client.submit(LINES, {"work": "w1"})
        assert (await client.state(batch_id)).status == "validating"
        state = await ended(client, batch_id)
        outcomes = await client.results(batch_id)
    assert (state.status, state.total, state.completed, state.failed) == ("completed", 4, 4, 0)
    assert sorted(outcomes) == ["a", "b", "c", "d"]
    for name, reply in outcomes.items():
        assert isinstance(reply, Reply)
        assert f"naps {name}" in json.loads(reply.text)["hook"]
        assert reply.usage.completion_tokens > 0
        assert reply.model == "gpt-4.1-2025-04-14"


async def test_a_line_that_failed_is_the_fault_its_call_would_have_raised() -> None:
    server = LoopbackOpenAI()
    server.batches.line_faults = {"a": "400", "b": "429", "c": "401"}
    async with batches_of(server) as client:
        batch_id = await client.submit(LINES, {})
        state = await ended(client, batch_id)
        outcomes = await client.results(batch_id)
    assert kinds(outcomes) == {"a": RecordFault, "b": Unavailable, "c": SettingsError, "d": Reply}
    assert (state.completed, state.failed) == (1, 3)


async def test_answers_within_a_batch_may_be_cut_off_refused_or_no_answer_at_all() -> None:
    server = LoopbackOpenAI()
    server.batches.line_faults = {"a": "cut-off", "b": "refusal", "c": "no-choices"}
    async with batches_of(server) as client:
        batch_id = await client.submit(LINES, {})
        await ended(client, batch_id)
        outcomes = await client.results(batch_id)
    a, b = outcomes["a"], outcomes["b"]
    assert isinstance(a, Reply)
    assert a.cut_off
    assert isinstance(b, Reply)
    assert b.refusal
    assert isinstance(outcomes["c"], Unavailable)


async def test_lines_that_expired_may_be_asked_again_and_the_others_are_answered() -> None:
    server = LoopbackOpenAI()
    server.batches.ending, server.batches.expired_lines = "expired", {"b", "c"}
    async with batches_of(server) as client:
        batch_id = await client.submit(LINES, {})
        await ended(client, batch_id)
        outcomes = await client.results(batch_id)
    assert kinds(outcomes) == {"a": Reply, "b": Unavailable, "c": Unavailable, "d": Reply}


async def test_a_batch_that_is_refused_as_a_whole_is_a_fault_of_each_line() -> None:
    server = LoopbackOpenAI()
    server.batches.ending = "failed"
    async with batches_of(server) as client:
        batch_id = await client.submit(LINES, {})
        state = await ended(client, batch_id)
        outcomes = await client.results(batch_id)
    assert state.reason == "invalid_json_line"
    assert set(kinds(outcomes).values()) == {RecordFault}
    assert len(outcomes) == 4


async def test_a_cancelled_batch_gives_every_line_back_to_be_asked_again() -> None:
    async with batches_of(LoopbackOpenAI()) as client:
        batch_id = await client.submit(LINES, {})
        await client.cancel(batch_id)
        assert (await ended(client, batch_id)).status == "cancelled"
        assert set(kinds(await client.results(batch_id)).values()) == {Unavailable}


async def test_a_batch_that_has_not_ended_says_when_to_look_again() -> None:
    async with batches_of(LoopbackOpenAI()) as client:
        batch_id = await client.submit(LINES, {})
        with pytest.raises(Unavailable, match="is validating") as caught:
            await client.results(batch_id)
    assert caught.value.retry_after_s == 60.0


async def test_a_batch_is_found_by_its_metadata_after_its_id_was_lost() -> None:
    async with batches_of(LoopbackOpenAI()) as client:
        cancelled = await client.submit(LINES, {"work": "w1", "worker": "7"})
        await client.cancel(cancelled)
        wanted = await client.submit(LINES, {"work": "w1", "worker": "7"})
        for number in range(PAGE + 5):  # it is not on the first page any more
            await client.submit(LINES[:1], {"work": f"other {number}"})
        assert await client.find({"work": "w1"}) == wanted
        assert await client.find({"work": "w1", "worker": "8"}) is None
        assert await client.find({"work": "w2"}) is None


async def test_a_batch_that_is_not_there_is_a_fault_of_the_set_up() -> None:
    async with batches_of(LoopbackOpenAI()) as client:
        with pytest.raises(SettingsError):
            await client.state("batch_999")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "expected 1 to 50,000 lines"),
        ([line("a")] * (MAX_LINES + 1), "expected 1 to 50,000 lines"),
        ([line("a"), line("b", "gpt-4.1-mini")], "one model"),
        ([line("a"), line("a")], "custom id of its own"),
    ],
    ids=["none", "too many", "two models", "one id twice"],
)
def test_lines_that_the_provider_would_refuse_as_a_batch_are_refused_here(lines: list[BatchLine], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        input_file(lines)


async def test_results_that_are_no_results_are_unavailable() -> None:
    server = LoopbackOpenAI()
    async with batches_of(server) as client:
        batch_id = await client.submit(LINES, {})
        await ended(client, batch_id)
        server.batches.files[server.batches.batches[batch_id]["output_file_id"]] = b'{"custom_id": "a", "resp'
        with pytest.raises(Unavailable, match="no answer of its API"):
            await client.results(batch_id)
