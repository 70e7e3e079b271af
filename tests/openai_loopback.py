"""A loopback server that behaves like the OpenAI API: usage figures, structured answers, and its usual faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

CONTEXT_CHARS = 40_000
CACHE_FROM_TOKENS = 1024
CACHE_BLOCK_TOKENS = 128

Fault = Literal[
    "429", "500", "slow", "malformed", "empty", "401", "404", "400", "garbage", "refusal", "quota", "no-choices"
]


@dataclass(slots=True)
class LoopbackOpenAI:
    """Answers chat completions. `faults` are taken one a request, in order; None and an empty list mean a good answer.

    `answer` writes the field asked for; `requests` are the bodies that came, `keys` the authorisation headers,
    `called` is set by the first.
    """

    faults: list[Fault | None] = field(default_factory=list)
    answer: Callable[[str, dict[str, Any]], str] | None = None
    latency_s: float = 0.0
    retry_after: str = "0.05"
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: int = 0
    most_in_flight: int = 0
    base_url: str = ""
    _seen_prefixes: set[str] = field(default_factory=set)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.in_flight += 1
        self.called.set()
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            body = await request.json()
            self.requests.append(body)
            self.keys.append(request.headers.get("Authorization", ""))
            fault = self.faults.pop(0) if self.faults else None
            await asyncio.sleep(self.latency_s)
            return await self._answer(body, fault)
        finally:
            self.in_flight -= 1

    async def _answer(self, body: dict[str, Any], fault: Fault | None) -> web.StreamResponse:
        if fault is None and sum(len(each["content"]) for each in body["messages"]) > CONTEXT_CHARS:
            fault = "400"
        if fault == "slow":
            await asyncio.sleep(30.0)
        elif fault == "malformed":
            return web.Response(text='{"id": "chatcmpl-1", "choices": [', content_type="application/json")
        elif fault in _ERRORS:
            status, code, kind = _ERRORS[fault]
            headers = {"Retry-After": self.retry_after} if status == 429 else {}
            return web.json_response(
                {"error": {"message": "no", "type": kind, "code": code}}, status=status, headers=headers
            )
        return web.json_response(self._completion(body, fault))

    def _completion(self, body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        part = body["response_format"]["json_schema"]["name"]
        text = self.answer(part, body) if self.answer else _post_part(part, body)
        content = {"empty": "", "garbage": "}{ no json at all", "refusal": None}.get(
            str(fault), json.dumps({part: text})
        )
        message = {
            "role": "assistant",
            "content": content,
            "refusal": "I can't help with that." if fault == "refusal" else None,
        }
        choices = (
            []
            if fault == "no-choices"
            else [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}]
        )
        return {
            "id": f"chatcmpl-{len(self.requests)}",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": f"{body['model']}-2025-04-14",
            "choices": choices,
            "usage": self._usage(body, content or ""),
        }

    def _usage(self, body: dict[str, Any], content: str) -> dict[str, Any]:
        system = body["messages"][0]["content"]
        prompt = sum(_tokens(each["content"]) for each in body["messages"])
        known = system in self._seen_prefixes
        self._seen_prefixes.add(system)
        cached = (
            _tokens(system) // CACHE_BLOCK_TOKENS * CACHE_BLOCK_TOKENS if known and prompt >= CACHE_FROM_TOKENS else 0
        )
        completion = _tokens(content)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }


_ERRORS: dict[str, tuple[int, str | None, str]] = {
    "429": (429, "rate_limit_exceeded", "requests"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "500": (500, None, "server_error"),
    "401": (401, "invalid_api_key", "invalid_request_error"),
    "404": (404, "model_not_found", "invalid_request_error"),
    "400": (400, "context_length_exceeded", "invalid_request_error"),
}


def _tokens(text: str) -> int:
    return (len(text) + 3) // 4


def _post_part(part: str, body: dict[str, Any]) -> str:
    """Write a plausible part that differs with the brief and the seed."""
    brief = str(json.loads(body["messages"][1]["content"])["brief"])[:60]
    number = body["seed"] % 89 + 11
    if part == "hook":
        return f"I counted {number} mistakes with {brief}, and nobody noticed."
    return f"The first cost me {number % 7 + 2} evenings and one good pan. Now I write {brief} on paper before I start."


@asynccontextmanager
async def loopback_openai(server: LoopbackOpenAI) -> AsyncIterator[LoopbackOpenAI]:
    """Run the server on a free loopback port; `server.base_url` ends in /v1."""
    app = web.Application(client_max_size=16 * 2**20)
    app.router.add_post("/v1/chat/completions", server.chat)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.base_url = f"http://{host}:{port}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
