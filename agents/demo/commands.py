"""The command `threads-agent demo`."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from agents.demo.screen import View
    from agents.demo.session import Outcome
    from streams.settings import Settings

REQUESTS = 8
UNFINISHED_EXIT_STATUS = 1


@click.command(epilog="Example: threads-agent demo --once")
@click.option("--once", is_flag=True, help="End by itself once everything is decided, published and counted.")
@click.option(
    "--requests", default=REQUESTS, show_default=True, type=click.IntRange(1, 1_000), help="Requests to send."
)
def demo(*, once: bool, requests: int) -> None:
    """Run the whole main path on the embedded stack and watch it: drafts, posts, engagement, KPIs, costs.

    Starts the stack where it does not run yet, and then stops it at the end. Accepted drafts are published at the
    simulator of Threads, whose audience looks at them; all that comes of it is marked as simulated.
    """
    from rich.console import Console

    from agents.demo.screen import summary, view_for
    from agents.demo.stack import page_once_served, running_stack
    from streams.endpoints import resolve
    from streams.settings import current_settings

    settings = current_settings()
    console = Console()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)  # also where the shell started us with SIGINT ignored
    began = time.monotonic()
    try:
        with running_stack(settings, lambda text: console.print(text, markup=False, highlight=False)):
            page = page_once_served(settings.home.absolute())
            _print(console, _ready_lines(settings, time.monotonic() - began, page))
            outcome = asyncio.run(_run(settings, view_for(console), requests, once=once))
            _print(console, summary(outcome.board, resolve(settings), outcome.imported))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    if outcome.left is not None:
        logs = settings.home.absolute() / "logs"
        click.echo(f"threads-agent: not finished, still waiting for {outcome.left}.", err=True)
        click.echo(f"See the logs in {logs}, and `threads-agent dead-letters list`.", err=True)
        sys.exit(UNFINISHED_EXIT_STATUS)


async def _run(settings: Settings, view: View, requests: int, *, once: bool) -> Outcome:
    from agents.demo.session import DemoSession

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    with view:
        return await DemoSession(settings, view, requests).run(stopped, once=once)


def _ready_lines(settings: Settings, seconds: float, page: str | None) -> list[str]:
    from streams.endpoints import resolve

    found = resolve(settings)
    addresses = {
        "live page": page or "not there yet; see `threads-agent status`",
        "kafka": found.kafka,
        "metrics": found.metrics,
        "prometheus": found.prometheus,
        "llm": found.llm,
    }
    return [f"ready after {seconds:.1f} s", *(f"  {name}: {address}" for name, address in addresses.items() if address)]


def _print(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
