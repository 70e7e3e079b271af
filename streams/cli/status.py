"""`threads-agent status`: what runs in the home."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from streams.cli.table import Column, Table, print_table, print_text, wide_option

if TYPE_CHECKING:
    from streams.embedded.state_file import ChildStatus

METRICS_ROLE = "sink-prometheus"
_COLUMNS = (
    Column("kind", minor=1),
    Column("role", "id"),
    Column("pid", "number"),
    Column("address", "id"),
    Column("state"),
)


def _entry(
    child: ChildStatus, addresses: Mapping[str, str], given_up: Mapping[str, str], stopped: Mapping[str, str]
) -> dict[str, str | int | None]:
    address = addresses.get(child.role, child.address) if child.kind == "worker" else child.address
    pid = child.process.pid if child.process else None
    state = child.state
    if child.kind == "worker" and child.state == "running":
        state = "failing" if child.role in given_up else "stopped" if child.role in stopped else state
    return {"kind": child.kind, "role": child.role, "pid": pid, "address": address, "state": state}


def servers_table(entries: list[dict[str, str | int | None]]) -> Table:
    """Return the table that `status` prints."""
    rows = [["" if value is None else str(value) for value in entry.values()] for entry in entries]
    return Table(_COLUMNS, rows)


@click.command(epilog="Example: threads-agent status --json")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects: kind, role, pid, address, state.")
@click.pass_context
def status(ctx: click.Context, *, wide: bool, as_json: bool) -> None:
    """Show servers and workers; exit status 0 when all run, else 1.

    A role that is failing ended again and again, whatever records came; one that is stopped has partitions that do not
    go past a record, as the policy of their topic has it. The lines below the table say why, and what to do.
    """
    from streams.embedded.control import find_stack, observed
    from streams.endpoints import read_endpoints
    from streams.running_workers import running_workers, stopped_roles
    from streams.settings import current_settings

    home = current_settings().home.absolute()
    state = find_stack(home)
    workers = running_workers(home)
    given_up = {role: why for worker in workers for role, why in worker.failing.items()}
    stopped = stopped_roles(workers)
    addresses = {role: address for worker in workers for role, address in worker.addresses.items()}
    addresses |= {METRICS_ROLE: metrics} if (metrics := read_endpoints(home).metrics) else {}
    entries = [_entry(observed(child), addresses, given_up, stopped) for child in state.children] if state else []
    if as_json:
        click.echo(json.dumps(entries, indent=2))
    elif entries:
        print_table(servers_table(entries), wide=wide)
        for role, why in given_up.items():
            print_text(f"{role} is failing: {why}. Mend that, then `threads-agent down` and `threads-agent up`")
        for why in stopped.values():
            print_text(why)
    else:
        click.echo(f"nothing runs in {home}; start it with `threads-agent up`")
    ctx.exit(0 if entries and all(entry["state"] == "running" for entry in entries) else 1)
