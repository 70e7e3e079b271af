"""A loopback server that behaves like the OpenAI API: usage figures, structured answers, and its usual faults.

Run by itself: `python tests/support/openai/loopback.py --port 0 --instant` prints its base URL, and serves until
it is ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiohttp import web

if __name__ == "__main__":  # as a program it finds its parts by the repository's folder
    sys.path[0] = str(Path(__file__).resolve().parents[3])

from tests.support.openai.batches import BatchDesk
from tests.support.openai.completions import Bill, Completions, InstantCompletions, content_of, form_of, stream_events
from tests.support.openai.faults import RATE_FAULTS, Fault, FaultRate, failed_response
from tests.support.openai.vectors import embeddings, moderations

__all__ = ["Fault", "LoopbackOpenAI", "loopback_openai"]

CONTEXT_CHARS = 40_000
MODELS = ("gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small", "omni-moderation-latest")

Endpoint = Literal["chat", "embeddings", "moderations", "models"]


@dataclass(slots=True)
class LoopbackOpenAI:
    """Answers like the API. `faults` are taken one a chat request, in order; None and an empty list: a good answer.

    `faults_at` are such lists of other endpoints; `fault_rate` adds faults of `fault_kinds` drawn with `fault_seed` to
    chat, embeddings and moderations; models in `down` answer 500, those in `missing` 404.
    `instead` may answer a chat otherwise: it gets the request's body and the good completion, and returns status,
    headers and body, or None for the good one. `answer` writes the field that the form is named after, or as a dict
    the whole answer; without it every string of
    the schema is about the brief. `requests` are the chat bodies that came, `keys` the authorisation headers, `called`
    is set by the first. `instant` answers chats from bytes made once (see InstantCompletions), records no bodies and
    knows no faults. `without_batches` has no such endpoints, as most vendors have none; `embedded` changes the answers
    of embeddings.
    """

    faults: list[Fault | None] = field(default_factory=list)
    answer: Callable[[str, dict[str, Any]], object] | None = None
    instead: Callable[[dict[str, Any], dict[str, Any]], tuple[int, dict[str, str], bytes] | None] | None = None
    latency_s: float = 0.0
    retry_after: str = "0.05"
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: int = 0
    most_in_flight: int = 0
    base_url: str = ""
    faults_at: dict[Endpoint, list[Fault | None]] = field(default_factory=dict)
    fault_rate: float = 0.0
    fault_kinds: tuple[Fault, ...] = RATE_FAULTS
    fault_seed: int = 0
    slow_s: float = 30.0
    down: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    models: tuple[str, ...] = MODELS
    instant: bool = False
    without_batches: bool = False
    embedded: Callable[[dict[str, Any]], object] | None = None
    injected: list[Fault] = field(default_factory=list)
    batches: BatchDesk = field(init=False)
    _rate: FaultRate = field(init=False)
    _completions: Completions = field(default_factory=Completions)
    _ready: InstantCompletions = field(default_factory=InstantCompletions)

    def __post_init__(self) -> None:
        self._rate = FaultRate(self.fault_rate, self.fault_kinds, self.fault_seed)
        self.batches = BatchDesk(self._completion)

    @property
    def bills(self) -> list[Bill]:
        """Return what the provider would bill, completion by completion."""
        return self._completions.bills

    @property
    def prompt_tokens(self) -> int:
        """Return the prompt tokens that the provider would bill."""
        return sum(bill.prompt_tokens for bill in self.bills)

    @property
    def completion_tokens(self) -> int:
        """Return the completion tokens that the provider would bill."""
        return sum(bill.completion_tokens for bill in self.bills)

    def app(self) -> web.Application:
        """Return the application of all endpoints."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self.instant_chat if self.instant else self.chat)
        app.router.add_post("/v1/embeddings", self.embed)
        app.router.add_post("/v1/moderations", self.moderate)
        app.router.add_get("/v1/models", self.list_models)
        if not self.without_batches:
            self.batches.add_routes(app.router)
        return app

    async def instant_chat(self, request: web.Request) -> web.Response:
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        return web.Response(body=self._ready.answer(await request.read()), content_type="application/json")

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.in_flight += 1
        self.called.set()
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            body = await request.json()
            self.requests.append(body)
            self.keys.append(request.headers.get("Authorization", ""))
            fault = self._fault_of_chat(body)
            await asyncio.sleep(self.latency_s)
            return await self._answer(request, body, fault)
        finally:
            self.in_flight -= 1

    async def embed(self, request: web.Request) -> web.Response:
        fault = self._next_fault("embeddings")
        body = await request.json()
        answer = embeddings(body)
        said = self.embedded(answer) if self.embedded else answer
        return await self._failure(request, fault) or web.json_response(said)

    async def moderate(self, request: web.Request) -> web.Response:
        fault = self._next_fault("moderations")
        body = await request.json()
        return await self._failure(request, fault) or web.json_response(moderations(body))

    async def list_models(self, request: web.Request) -> web.Response:
        listed = self.faults_at.get("models")
        data = [{"id": each, "object": "model", "created": 1, "owned_by": "system"} for each in self.models]
        failure = await self._failure(request, listed.pop(0) if listed else None)
        return failure or web.json_response({"object": "list", "data": data})

    async def _answer(self, request: web.Request, body: dict[str, Any], fault: Fault | None) -> web.StreamResponse:
        failure = await self._failure(request, fault)
        if failure is not None:
            return failure
        completion = self._completion(body, fault)
        other = self.instead(body, completion) if self.instead else None
        if other is not None:
            status, headers, content = other
            return web.Response(status=status, headers={"Content-Type": "application/json"} | headers, body=content)
        if not body.get("stream"):
            return web.json_response(completion)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        usage = bool(body.get("stream_options", {}).get("include_usage"))
        for event in stream_events(completion, include_usage=usage):
            await response.write(event)
        return response

    async def _failure(self, request: web.Request, fault: Fault | None) -> web.Response | None:
        if fault is not None:
            self.injected.append(fault)
        if fault == "slow":
            await asyncio.sleep(self.slow_s)
        return failed_response(request, fault, self.retry_after)

    def _fault_of_chat(self, body: dict[str, Any]) -> Fault | None:
        if body["model"] in self.missing:
            return "404"
        if body["model"] in self.down:
            return "500"
        fault = self._next_fault("chat")
        if fault is None and sum(len(each["content"]) for each in body["messages"]) > CONTEXT_CHARS:
            return "400"
        return fault

    def _next_fault(self, endpoint: Endpoint) -> Fault | None:
        listed = self.faults if endpoint == "chat" else self.faults_at.get(endpoint)
        return listed.pop(0) if listed else self._rate.draw()

    def _completion(self, body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        content = content_of(body)
        form = form_of(body)
        if self.answer is not None and form is not None:
            part, _ = form
            said = self.answer(part, body)
            content = json.dumps(said if isinstance(said, dict) else {part: said})
        return self._completions.completion(body, content, fault)


@asynccontextmanager
async def loopback_openai(server: LoopbackOpenAI, port: int = 0) -> AsyncIterator[LoopbackOpenAI]:
    """Run the server on a loopback port, a free one for 0; `server.base_url` ends in /v1."""
    runner = web.AppRunner(server.app(), shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    host, bound = runner.addresses[0][:2]
    server.base_url = f"http://{host}:{bound}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


async def _serve(server: LoopbackOpenAI, port: int) -> None:
    async with loopback_openai(server, port):
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def _main() -> None:
    parser = argparse.ArgumentParser(description="Serve an API like OpenAI's on loopback; print its base URL.")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--instant", action="store_true", help="answer chats from bytes made once")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each chat answer")
    parser.add_argument("--fault-rate", type=float, default=0.0, help="share of requests that go wrong")
    parser.add_argument("--seed", type=int, default=0, help="seed of the faults")
    chosen = parser.parse_args()
    server = LoopbackOpenAI(
        instant=chosen.instant, latency_s=chosen.latency, fault_rate=chosen.fault_rate, fault_seed=chosen.seed
    )
    asyncio.run(_serve(server, chosen.port))


if __name__ == "__main__":
    try:
        _main()
    except KeyboardInterrupt:
        sys.exit(130)
