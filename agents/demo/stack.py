"""The stack the demo runs on: attached to where it runs already, else started, and stopped again at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from streams.embedded.control import find_stack, start_detached, stop_stack
from streams.errors import ThreadsError
from streams.role import role_names
from streams.settings import Settings


@contextmanager
def running_stack(settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """Have servers and all workers run in the settings' home.

    Raises:
        ThreadsError: the stack does not come up, or runs without some of the workers.
    """
    home = settings.home.absolute()
    is_ours = find_stack(home) is None
    try:
        state = start_detached(settings, role_names(), say)
        for remark in state.remarks:
            say(remark)
        missing = sorted(set(role_names()) - {child.role for child in state.children if child.kind == "worker"})
        if missing:
            names = ", ".join(missing)
            raise ThreadsError(f"The stack in {home} runs without {names}: `threads-agent down`, then try again.")
        yield
    finally:
        if is_ours:
            say("stopping the stack")
            stop_stack(home)
