"""The stack the demo runs on: attached to where it runs already, else started, and stopped again at the end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.gateway.opening import page_address
from streams.embedded.control import find_stack, start_detached, stop_stack
from streams.embedded.server import answers
from streams.endpoints import read_endpoints
from streams.errors import ThreadsError
from streams.role_names import roles_at_work
from streams.settings import Settings

PAGE_TIMEOUT_S = 30.0
LOOK_INTERVAL_S = 0.1
PACE = {
    "THREADS_INSIGHTS_LEAST_S": "3",
    "THREADS_PUBLISH_FIRST_LOOK_S": "1",
    "THREADS_PUBLISH_LOOK_S": "2",
    "THREADS_SIMULATOR_AUDIENCE_SPEED": "600",
    "THREADS_SIMULATOR_SLOW_READY_S": "5",
}
"""What a stack that the demo starts is set to, unless told otherwise: a post's day passes in minutes."""


def page_once_served(home: Path) -> str | None:
    """Wait until the gateway serves, and return the address of its page, signed in; None where it does not in time."""
    deadline = time.monotonic() + PAGE_TIMEOUT_S
    while time.monotonic() < deadline:
        gateway = read_endpoints(home).gateway
        if gateway is not None and answers(f"{gateway}/readyz"):
            return page_address(home)
        time.sleep(LOOK_INTERVAL_S)
    return None


@contextmanager
def running_stack(settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """Have servers and all workers run in the settings' home.

    Raises:
        ThreadsError: the stack does not come up, or runs without some of the workers.
    """
    home = settings.home.absolute()
    is_ours = find_stack(home) is None
    for name, value in PACE.items():
        os.environ.setdefault(name, value)  # the workers inherit it
    try:
        names, left_out = roles_at_work(settings)
        for line in left_out:
            say(line)
        state = start_detached(settings, names, say)
        for remark in state.remarks:
            say(remark)
        missing = sorted(set(names) - {child.role for child in state.children if child.kind == "worker"})
        if missing:
            raise ThreadsError(
                f"The stack in {home} runs without {', '.join(missing)}: `threads-agent down`, then try again."
            )
        yield
    finally:
        if is_ours:
            say("stopping the stack")
            stop_stack(home)
