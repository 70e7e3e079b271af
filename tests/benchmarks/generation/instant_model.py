"""The instant model: a process with the chat endpoint of OpenAI's API that answers at once, or after a latency."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import ClassVar

from aiohttp import web

from streams.embedded.ports import LOOPBACK
from streams.embedded.process import Launch
from streams.embedded.server import Server, answers
from tests.benchmarks.generation.instant_answers import InstantAnswers
from tests.benchmarks.generation.posts import sample_posts
from tests.benchmarks.running.module_process import PROJECT

BACKLOG = 1024


class InstantModel(Server):
    """The server; `latency_s` passes before each answer."""

    role: ClassVar[str] = "instant-model"

    def __init__(self, port: int, latency_s: float) -> None:
        self.port = port
        self.latency_s = latency_s

    @property
    def address(self) -> str:
        """Return OpenAI's base URL of this server."""
        return f"http://{LOOPBACK}:{self.port}/v1"

    @property
    def endpoints(self) -> dict[str, str]:
        """Return nothing: it is no part of the embedded stack."""
        return {}

    def prepare(self) -> None:
        """Do nothing: it needs no files."""

    def launch(self) -> Launch:
        """Return the command line."""
        options = ("--port", str(self.port), "--latency", str(self.latency_s))
        return Launch((sys.executable, "-m", "tests.benchmarks.generation.instant_model", *options), PROJECT)

    def is_ready(self) -> bool:
        """Tell whether it answers."""
        return answers(f"http://{LOOPBACK}:{self.port}/health")


async def serve(port: int, latency_s: float) -> None:
    """Serve until the process ends; without routes and middlewares, which would cost more than the answer."""
    model = InstantAnswers(sample_posts())

    async def handle(request: web.BaseRequest) -> web.Response:
        if request.method != "POST":
            return web.Response(text="ready")
        raw = await request.read()
        if latency_s:
            await asyncio.sleep(latency_s)
        try:
            return web.Response(body=model.answer(raw), content_type="application/json")
        except ValueError as error:
            return web.Response(status=400, text=str(error))

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port, backlog=BACKLOG).start()
    await asyncio.Event().wait()


def main() -> None:
    """Serve on a port."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0)
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.port, chosen.latency))


if __name__ == "__main__":
    main()
