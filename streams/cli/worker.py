"""`threads-agent worker`: one or several roles in this process."""

from __future__ import annotations

import click

from streams.cli.completion import ROLE_NAME


@click.command(epilog="Example: threads-agent worker kpis sink-postgres")
@click.argument("roles", nargs=-1, required=True, metavar="ROLE...", type=ROLE_NAME)
@click.option("--instance-id", help="Static group membership: one name for each worker slot, kept across restarts.")
@click.pass_context
def worker(ctx: click.Context, roles: tuple[str, ...], instance_id: str | None) -> None:
    """Run worker roles until a signal ends them; more workers of a role share its partitions."""
    from streams.engine.worker import run_roles
    from streams.settings import current_settings

    ctx.exit(run_roles(list(roles), current_settings(), instance_id))
