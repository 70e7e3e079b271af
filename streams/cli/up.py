"""`threads-agent up` and `down`: the embedded stack of a home."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from streams.cli.completion import ROLE_NAME

if TYPE_CHECKING:
    from streams.settings import Settings


@click.command(epilog="Example: threads-agent up --detach")
@click.option("--detach", is_flag=True, help="Return once everything runs; `threads-agent down` stops it.")
@click.option(
    "--role", "roles", multiple=True, metavar="ROLE", type=ROLE_NAME, help="Run only this worker role (repeatable)."
)
@click.option("--no-workers", is_flag=True, help="Run the servers only.")
def up(*, detach: bool, roles: tuple[str, ...], no_workers: bool) -> None:
    """Start servers and workers, and restart those that die; attaches when the stack runs already."""
    from streams.embedded.control import await_running
    from streams.embedded.supervisor import AlreadyRunning, Supervisor
    from streams.settings import current_settings

    settings = current_settings()
    chosen = _chosen_roles(settings, roles, no_workers=no_workers)
    if detach:
        _start_in_background(settings, chosen)
        return
    try:
        Supervisor(settings, chosen, _say_with_time(time.monotonic())).run()
    except AlreadyRunning:
        state = await_running(settings.home.absolute(), click.echo)
        click.echo(f"already running, pid {state.supervisor.pid}; `threads-agent down` stops it")


def _say_with_time(began: float) -> Callable[[str], None]:
    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - began:8.1f} s  {line}")

    return say


def _chosen_roles(settings: Settings, roles: tuple[str, ...], *, no_workers: bool) -> list[str]:
    from streams.role import load_role
    from streams.role_names import roles_at_work

    if roles and no_workers:
        raise click.UsageError("--role and --no-workers exclude each other")
    for role in roles:
        load_role(role)
    if no_workers:
        return []
    if roles:
        return list(dict.fromkeys(roles))
    names, left_out = roles_at_work(settings)
    for line in left_out:
        click.echo(line)
    return names


def _start_in_background(settings: Settings, roles: list[str]) -> None:
    from rich.console import Console

    from streams.embedded.control import start_detached

    console = Console(stderr=True)
    with console.status("starting") as spinner:
        state = start_detached(settings, roles, spinner.update if console.is_terminal else click.echo)
    for remark in state.remarks:
        click.echo(remark)
    click.echo(f"running, pid {state.supervisor.pid}, {len(state.children)} processes; see `threads-agent status`")


@click.command(epilog="Example: threads-agent down")
def down() -> None:
    """Stop workers, then servers; also what a killed supervisor left behind."""
    from streams.embedded.control import find_stack, stop_stack
    from streams.settings import current_settings

    home = current_settings().home.absolute()
    state = find_stack(home)
    if state is not None:
        click.echo(f"stopping, pid {state.supervisor.pid}")
    click.echo("stopped" if stop_stack(home) else f"nothing runs in {home}")
