"""The real openai client against a loopback server that behaves, and misbehaves, like the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from agents.llm.answers.reply import Reply
from agents.llm.caller import CallLimits, ModelCaller
from agents.llm.client import EMBED_TEXTS, MODERATE_TEXTS, JsonSchema, LanguageModelClient, Sampling
from agents.llm.faults.faults import ModelMissing
from agents.llm.provider import Provider
from streams.embedded.ports import free_port
from streams.engine.retry import Backoff
from streams.errors import RecordFault, SettingsError, ThreadsError, Unavailable
from tests.support.openai.loopback import Fault, LoopbackOpenAI, loopback_openai
from tests.support.openai.vectors import MARKER

FORM = JsonSchema("hook", {"type": "object", "properties": {"hook": {"type": "string"}}, "required": ["hook"]})


@asynccontextmanager
async def client_of(server: LoopbackOpenAI, timeout_s: float = 10.0) -> AsyncIterator[LanguageModelClient]:
    async with loopback_openai(server) as running:
        provider = Provider(running.base_url, "sk-test", 8)
        async with LanguageModelClient(provider, timeout_s=timeout_s) as client:
            yield client


async def ask(
    client: LanguageModelClient, system: str = "Write.", *, model: str = "gpt-4.1", stream: bool = False
) -> Reply:
    sampling = Sampling(max_tokens=40, temperature=0.5, seed=7)
    return await client.chat(
        model=model, system=system, user='{"brief": "naps"}', answer=FORM, sampling=sampling, stream=stream
    )


async def test_an_answer_comes_with_text_usage_and_the_model_as_reported() -> None:
    async with client_of(LoopbackOpenAI()) as client:
        long = "You write short posts. " * 300
        first, second = await ask(client, long), await ask(client, long)
    assert first.text.startswith('{"hook": "I counted ')
    assert first.model == "gpt-4.1-2025-04-14"
    assert first.usage.prompt_tokens > 1024
    assert first.usage.cached_tokens == 0
    assert 0 < second.usage.cached_tokens <= second.usage.prompt_tokens
    assert first.usage.completion_tokens > 0
    assert first.cut_off is False


async def test_a_call_carries_its_bounds_its_form_and_its_key() -> None:
    server = LoopbackOpenAI()
    async with client_of(server) as client:
        await ask(client)
    body = server.requests[0]
    assert (body["max_completion_tokens"], body["seed"], body["temperature"]) == (40, 7, 0.5)
    assert body["response_format"]["json_schema"]["strict"] is True
    assert server.keys == ["Bearer sk-test"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("429", Unavailable),
        ("500", Unavailable),
        ("malformed", Unavailable),
        ("no-choices", Unavailable),
        ("401", SettingsError),
        ("404", ModelMissing),
        ("400", RecordFault),
        ("reset", Unavailable),
    ],
)
async def test_a_fault_is_raised_at_once_and_never_retried_by_the_client(
    fault: Fault, kind: type[ThreadsError]
) -> None:
    server = LoopbackOpenAI(faults=[fault], retry_after="2")
    async with client_of(server) as client:
        with pytest.raises(kind) as caught:
            await ask(client)
    assert len(server.requests) == 1
    assert "sk-test" not in str(caught.value)
    if isinstance(caught.value, Unavailable):
        assert caught.value.retry_after_s == (2.0 if fault == "429" else None)


async def test_a_slow_answer_ends_at_the_time_out() -> None:
    async with client_of(LoopbackOpenAI(faults=["slow"]), timeout_s=0.2) as client:
        with pytest.raises(Unavailable, match="did not answer in time"):
            await ask(client)


async def test_an_empty_answer_is_empty_and_a_refusal_says_so() -> None:
    async with client_of(LoopbackOpenAI(faults=["empty", "refusal"])) as client:
        empty, refused = await ask(client), await ask(client)
    assert (empty.text, empty.refusal) == ("", None)
    assert (refused.text, refused.refusal) == ("", "I can't help with that.")


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    provider = Provider(f"http://127.0.0.1:{free_port()}/v1", "none", 8)
    async with LanguageModelClient(provider, timeout_s=5.0) as client:
        with pytest.raises(Unavailable, match="can't be reached"):
            await ask(client)


async def test_a_streamed_answer_is_the_whole_answer_with_its_usage() -> None:
    server = LoopbackOpenAI()
    async with client_of(server) as client:
        whole, streamed = await ask(client), await ask(client, stream=True)
    assert server.requests[1]["stream_options"] == {"include_usage": True}
    assert (streamed.text, streamed.model, streamed.usage) == (whole.text, whole.model, whole.usage)


@pytest.mark.parametrize("fault", ["429", "500", "malformed", "no-choices", "reset"])
async def test_a_stream_that_fails_is_unavailable(fault: Fault) -> None:
    async with client_of(LoopbackOpenAI(faults=[fault])) as client:
        with pytest.raises(Unavailable):
            await ask(client, stream=True)


async def test_an_answer_that_was_cut_off_says_so() -> None:
    async with client_of(LoopbackOpenAI(faults=["cut-off", "cut-off"])) as client:
        assert (await ask(client)).cut_off is True
        assert (await ask(client, stream=True)).cut_off is True


async def test_bytes_that_trickle_in_for_ever_end_at_the_time_out() -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while True:
            await response.write(b": still here\n\n")
            await asyncio.sleep(0.02)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", trickle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with LanguageModelClient(Provider(f"http://{host}:{port}/v1", "none", 8), timeout_s=0.3) as client:
            with pytest.raises(Unavailable, match="did not answer in time"):
                await ask(client, stream=True)
    finally:
        await runner.cleanup()


async def test_each_text_gets_its_embedding_in_order_over_several_calls() -> None:
    texts = [f"text number {number}" for number in range(EMBED_TEXTS + 3)]
    async with client_of(LoopbackOpenAI()) as client:
        found = await client.embed("text-embedding-3-small", texts)
        again = await client.embed("text-embedding-3-small", texts[-1:])
    assert found.vectors.shape[0] == len(texts)
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1.0, atol=1e-5)
    assert np.array_equal(found.vectors[-1], again.vectors[0])
    assert found.usage.prompt_tokens > len(texts)


async def test_no_texts_cost_no_call() -> None:
    server = LoopbackOpenAI(faults_at={"embeddings": ["500"], "moderations": ["500"]})
    async with client_of(server) as client:
        assert len((await client.embed("text-embedding-3-small", [])).vectors) == 0
        assert await client.moderate([]) == []
    assert server.injected == []


async def test_moderation_says_of_each_text_whether_and_why_it_is_flagged() -> None:
    texts = ["Bread rises overnight."] * MODERATE_TEXTS + [f"Look: {MARKER}", "I will murder you"]
    async with client_of(LoopbackOpenAI()) as client:
        found = await client.moderate(texts)
    assert [each.flagged for each in found] == [False] * MODERATE_TEXTS + [True, True]
    assert found[-1].categories == ("violence",)
    assert found[0].categories == ()


async def test_the_models_that_are_offered_are_listed() -> None:
    async with client_of(LoopbackOpenAI(models=("gpt-4.1", "own-model"))) as client:
        assert await client.models() == {"gpt-4.1", "own-model"}


ENDPOINTS: list[tuple[str, Callable[[LanguageModelClient], Awaitable[object]]]] = [
    ("embeddings", lambda client: client.embed("text-embedding-3-small", ["a"])),
    ("moderations", lambda client: client.moderate(["a"])),
    ("models", lambda client: client.models()),
]


@pytest.mark.parametrize(("endpoint", "ask_it"), ENDPOINTS, ids=[name for name, _ in ENDPOINTS])
@pytest.mark.parametrize(
    ("fault", "kind"), [("429", Unavailable), ("500", Unavailable), ("malformed", Unavailable), ("401", SettingsError)]
)
async def test_every_endpoint_tells_its_faults_as_ours(
    endpoint: Any,
    ask_it: Callable[[LanguageModelClient], Awaitable[object]],
    fault: Fault,
    kind: type[ThreadsError],
) -> None:
    async with client_of(LoopbackOpenAI(faults_at={endpoint: [fault]})) as client:
        with pytest.raises(kind):
            await ask_it(client)


async def test_calls_go_on_with_the_next_tier_when_a_model_is_down_or_gone() -> None:
    server = LoopbackOpenAI(down={"gpt-4.1"}, missing={"gpt-3.5-turbo"})
    caller = ModelCaller(CallLimits(backoff=Backoff(first_s=0.01, max_s=0.02)))
    async with client_of(server) as client:
        reply = await caller.call(["gpt-3.5-turbo", "gpt-4.1", "gpt-4.1-mini"], lambda model: ask(client, model=model))
    assert reply.model == "gpt-4.1-mini-2025-04-14"
    assert [each["model"] for each in server.requests] == ["gpt-3.5-turbo", *["gpt-4.1"] * 3, "gpt-4.1-mini"]


async def test_every_call_is_answered_while_a_tenth_of_the_requests_fail() -> None:
    server = LoopbackOpenAI(fault_rate=0.1, fault_seed=11, fault_kinds=("429", "500", "malformed", "reset"))
    caller = ModelCaller(CallLimits(backoff=Backoff(first_s=0.01, max_s=0.05)))
    async with client_of(server, timeout_s=60.0) as client:
        replies = await asyncio.gather(
            *[caller.call(["gpt-4.1", "gpt-4.1-mini"], lambda model: ask(client, model=model)) for _ in range(80)]
        )
    assert len(server.injected) >= 4
    assert len(replies) == 80 == len(server.requests) - len(server.injected)
