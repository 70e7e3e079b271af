"""A simulator of Threads in this process: on a thread with a loop of its own, so that any test can call it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from agents.simulator.role import serve
from streams.endpoints import read_endpoints
from streams.engine.service import ServiceRun
from streams.settings import Settings
from streams.wall_clock import now_ms
from tests.support.settings import settings_with

TIMEOUT_S = 60.0
AT_ONCE: dict[str, Any] = {"simulator_ready_s": 0.0, "simulator_slow_share": 0.0}
"""Containers that are ready when they are made."""


@dataclass(slots=True)
class SetClock:
    """The wall clock, off by what a test says."""

    offset_ms: int = 0

    def __call__(self) -> int:
        return now_ms() + self.offset_ms

    def pass_s(self, seconds: float) -> None:
        """Let time pass at once."""
        self.offset_ms += int(seconds * 1000)


@dataclass(slots=True)
class RunningSimulator:
    """A simulator under test; `url` is its root, `api` the base URL of clients, `clock` its own."""

    url: str
    settings: Settings
    clock: SetClock
    _client: httpx.Client = field(repr=False)

    @property
    def api(self) -> str:
        return f"{self.url}/v1.0"

    def truth(self, user: str | None = None) -> dict[str, Any]:
        """Return everything it knows, or what it knows of a user."""
        return self._answer(self._client.get("/truth", params={"user": user} if user else {}))

    def posts(self, user: str | None = None) -> list[dict[str, Any]]:
        """Return the posts that are there, oldest first."""
        return [each for each in self.truth(user)["posts"] if each["deleted_at"] is None]

    def faults(self, *following: str | dict[str, str], **rates: float) -> None:
        """Let the next calls go wrong; rates by name of the fault, with a leading `_` where it is a number."""
        body: dict[str, Any] = {"next": list(following)}
        if rates:
            body["rates"] = {name.lstrip("_"): rate for name, rate in rates.items()}
        self.control("faults", body)

    def no_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._answer(self._client.delete("/control/faults"))

    def control(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post to a control, e.g. `users/ada/restrict`."""
        return self._answer(self._client.post(f"/control/{path}", json=body))

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        assert response.status_code == httpx.codes.OK, response.text
        found: dict[str, Any] = response.json()
        return found


@contextmanager
def running_simulator(home: Path, settings: Settings | None = None, **changes: Any) -> Iterator[RunningSimulator]:
    """Run a simulator while the context lasts; its containers are ready at once unless `changes` say otherwise.

    `settings`, if given, are taken as they are, and must be of that home, whose endpoints.json names it meanwhile.
    """
    chosen = settings or settings_with(home=home, **{**AT_ONCE, **changes})
    run, clock = ServiceRun(chosen), SetClock()
    started, failed = threading.Event(), []
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve_until_stopped() -> None:
        loops.append(asyncio.get_running_loop())
        serving = asyncio.ensure_future(serve(run, clock))
        ready = asyncio.ensure_future(run.wait_ready())
        await asyncio.wait([serving, ready], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        started.set()
        await serving

    def in_thread() -> None:
        try:
            asyncio.run(serve_until_stopped())
        except BaseException as error:  # noqa: BLE001 - told to the test
            failed.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=in_thread, name="simulator")
    thread.start()
    try:
        assert started.wait(TIMEOUT_S), "the simulator did not start"
        if failed:
            raise failed[0]
        url = read_endpoints(chosen.home).simulator
        assert url is not None
        with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
            yield RunningSimulator(url, chosen, clock, client)
    finally:
        if loops and thread.is_alive():
            loops[0].call_soon_threadsafe(run.stopping.set)
        thread.join(TIMEOUT_S)
        assert not thread.is_alive(), "the simulator did not stop"
