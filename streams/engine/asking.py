"""Asking an event loop something from another thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import TypeVar

from streams.errors import Unavailable

T = TypeVar("T")


def asked(event_loop: asyncio.AbstractEventLoop, question: Callable[[], T], within_s: float) -> T:
    """Return what a function returns on the event loop's thread; its error is raised here.

    Raises:
        Unavailable: the event loop does not answer in time; it hangs, or is gone.
    """
    answer: concurrent.futures.Future[T] = concurrent.futures.Future()

    def tell() -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            answer.set_result(question())
        except Exception as error:  # noqa: BLE001 - it is the asker's, not the event loop's
            answer.set_exception(error)

    try:
        event_loop.call_soon_threadsafe(tell)
    except RuntimeError as error:
        raise Unavailable("the worker has ended: its event loop is closed") from error
    try:
        return answer.result(within_s)
    except concurrent.futures.TimeoutError as error:
        answer.cancel()
        raise Unavailable(
            f"the worker's event loop gave no readings within {within_s:g} s: it is busy or hangs; see the worker's log"
        ) from error
