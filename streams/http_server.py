"""Serving HTTP inside a worker: an app on uvicorn, on a socket of its own, until the worker asks it to stop."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Iterator

import uvicorn

from streams.errors import SettingsError

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - shown as the one that a client can call
BACKLOG = 2_048


class ListeningServer(uvicorn.Server):
    """uvicorn without its own handling of signals, which the worker has; `listens` is set once it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        self.listens.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the worker."""
        yield


async def until(event: asyncio.Event, serving: asyncio.Task[None]) -> None:
    """Wait for an event, or for the server's end, whose error is raised."""
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait([waiting, serving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if serving.done():
        serving.result()


def listen(who: str, host: str, port: int, advice: str) -> socket.socket:
    """Return a socket that is bound; 0 takes a free port.

    Raises:
        SettingsError: the address can't be had; the message begins with `who` and ends with the advice.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, else asyncio leaves Nagle on
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise SettingsError(f"{who} can't listen on {host}:{port} ({error.strerror}): {advice}") from error
    return listening


def address_of(listening: socket.socket, scheme: str = "http") -> str:
    """Return the URL that clients of this machine find a bound socket at."""
    host, port = listening.getsockname()[:2]
    shown = ANY_ADDRESS.get(host, f"[{host}]" if ":" in host else host)
    return f"{scheme}://{shown}:{port}"


def allow_files() -> None:
    """Allow as many open files as this user may have: every connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
