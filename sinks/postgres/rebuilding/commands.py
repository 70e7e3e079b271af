"""The command `rebuild postgres`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from streams.cli.table import wide_option

if TYPE_CHECKING:
    from sinks.postgres.rebuilding.rebuild import Outcome, Wanted
    from streams.settings import Settings

DIFFERS_EXIT_STATUS = 1
INTERRUPTED_EXIT_STATUS = 130


@click.command(epilog="Example: threads-agent rebuild postgres --switch")
@click.option("--switch", "to_switch", is_flag=True, help="Put the rebuilt tables in the place of the live ones.")
@click.option("--carry", is_flag=True, help="With --switch: take over rows whose records are no longer in the log.")
@click.option("--leave-behind", is_flag=True, help="With --switch: leave rows that only live has in the old tables.")
@click.option("--afresh", is_flag=True, help="Begin again, where a rebuilt version is there or half-way.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Read at most so many records a second.")
@click.option("--dry-run", is_flag=True, help="Count what would be read, and build nothing.")
@click.option("--list", "to_list", is_flag=True, help="List the versions there are besides the live one.")
@click.option("--drop", "dropped", metavar="VERSION", help="Remove a version, as --list names it.")
@click.option("--yes", is_flag=True, help="With --drop: do not ask.")
@click.option("--by", metavar="NAME", help="Who runs it, for the audit. Default: user and machine.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON, with examples of what differs.")
@wide_option
@click.pass_context
def postgres(
    ctx: click.Context,
    /,
    *,
    to_switch: bool,
    carry: bool,
    leave_behind: bool,
    afresh: bool,
    rate: float | None,
    dry_run: bool,
    to_list: bool,
    dropped: str | None,
    yes: bool,
    by: str | None,
    as_json: bool,
    wide: bool,
) -> None:
    """Make PostgreSQL's tables again from the log, beside the live ones, and compare them row by row.

    Without --switch the rebuilt tables stay beside, in a schema rebuild_N; the next run goes on with them. Exit status
    1: rows differ, or the switch would lose some.
    """
    from sinks.postgres.rebuilding.rebuild import Wanted
    from streams.settings import current_settings

    if (carry or leave_behind) and not to_switch:
        raise click.UsageError("--carry and --leave-behind say how to switch: add --switch")
    settings = current_settings()
    if to_list or dropped is not None:
        _versions(settings, dropped, yes=yes, as_json=as_json, wide=wide)
        return
    if dry_run:
        _dry_run(settings, as_json=as_json, wide=wide)
        return
    wanted = Wanted(afresh=afresh, switch=to_switch, carry=carry, leave_behind=leave_behind, rate=rate)
    ctx.exit(_rebuild(settings, wanted, by, as_json=as_json, wide=wide))


def _rebuild(settings: Settings, wanted: Wanted, by: str | None, *, as_json: bool, wide: bool) -> int:
    from sinks.postgres.rebuilding.rebuild import Outcome
    from sinks.postgres.rebuilding.shown import print_outcome
    from sinks.postgres.rebuilding.switching import Refused

    outcome = Outcome()
    try:
        asyncio.run(_run(settings, wanted, by, outcome))
    except KeyboardInterrupt:
        click.echo(
            f"interrupted; {outcome.version or 'nothing'} is beside the live version, the same command goes on with it",
            err=True,
        )
        return INTERRUPTED_EXIT_STATUS
    except Refused as refused:
        outcome.tables = list(refused.found) if not outcome.tables else outcome.tables
        print_outcome(outcome, as_json=as_json, wide=wide)
        click.echo(str(refused), err=True)
        return DIFFERS_EXIT_STATUS
    print_outcome(outcome, as_json=as_json, wide=wide)
    return 0 if outcome.before is not None or all(each.equal for each in outcome.tables) else DIFFERS_EXIT_STATUS


async def _run(settings: Settings, wanted: Wanted, by: str | None, outcome: Outcome) -> None:
    from sinks.postgres.connection import postgres_dsn
    from sinks.postgres.rebuilding.rebuild import PostgresRebuild
    from sinks.postgres.rebuilding.shown import detail_of
    from streams.kafka.cluster import Cluster
    from streams.operations.rebuilds import telling_rebuild, words_of

    dsn = postgres_dsn(settings)
    cluster = await Cluster.reached(settings)
    async with telling_rebuild(cluster, "postgres", words_of(wanted), by, lambda: detail_of(outcome)) as told:
        await PostgresRebuild(cluster, dsn, told, lambda line: click.echo(line, err=True)).run(wanted, outcome)


def _dry_run(settings: Settings, *, as_json: bool, wide: bool) -> None:
    from sinks.postgres.rebuilding.planning import planned
    from sinks.postgres.rebuilding.shown import print_plan

    print_plan(asyncio.run(planned(settings)), as_json=as_json, wide=wide)


def _versions(settings: Settings, dropped: str | None, *, yes: bool, as_json: bool, wide: bool) -> None:
    from sinks.postgres.connection import postgres_dsn
    from sinks.postgres.rebuilding.database import Database, one_rebuild_at_a_time
    from sinks.postgres.rebuilding.shown import print_versions, size
    from sinks.postgres.rebuilding.versions import chosen, drop, versions

    database = Database(postgres_dsn(settings), settings.io_timeout_s)

    async def listed() -> None:
        print_versions(await versions(database), as_json=as_json, wide=wide)

    async def removed(name: str) -> None:
        async with one_rebuild_at_a_time(database):
            version = chosen(await versions(database), name)
            if not yes:
                click.confirm(f"Drop {version.name} ({version.told}, {size(version.size_bytes)}) for good?", abort=True)
            await drop(database, version.name)
        click.echo(f"{version.name} is dropped")

    async def done() -> None:
        try:
            await (listed() if dropped is None else removed(dropped))
        finally:
            await database.close()

    asyncio.run(done())
