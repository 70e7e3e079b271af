"""The real openai client against a loopback server that behaves, and misbehaves, like the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agents.llm.client import JsonSchema, LanguageModelClient, Sampling
from agents.llm.provider import Provider
from agents.llm.reply import Reply
from streams.embedded.ports import free_port
from streams.errors import RecordFault, SettingsError, ThreadsError, Unavailable
from tests.openai_loopback import Fault, LoopbackOpenAI, loopback_openai

FORM = JsonSchema("hook", {"type": "object", "properties": {"hook": {"type": "string"}}, "required": ["hook"]})


@asynccontextmanager
async def client_of(server: LoopbackOpenAI, timeout_s: float = 10.0) -> AsyncIterator[LanguageModelClient]:
    async with loopback_openai(server) as running:
        provider = Provider(running.base_url, "sk-test", 8)
        async with LanguageModelClient(provider, timeout_s=timeout_s) as client:
            yield client


async def ask(client: LanguageModelClient, system: str = "Write.") -> Reply:
    sampling = Sampling(max_tokens=40, temperature=0.5, seed=7)
    return await client.chat(model="gpt-4.1", system=system, user='{"brief": "naps"}', answer=FORM, sampling=sampling)


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
        ("404", SettingsError),
        ("400", RecordFault),
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
