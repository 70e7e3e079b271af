"""The command `rebuild kpis`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from streams.cli.table import Column, Table, count, print_table, print_text, wide_option

if TYPE_CHECKING:
    from agents.kpis.rebuilding.comparing import Difference
    from agents.kpis.rebuilding.rebuild import Outcome, Wanted
    from agents.kpis.rebuilding.versions import Version

DIFFERS_EXIT_STATUS = 1
INTERRUPTED_EXIT_STATUS = 130
EXAMPLES = 20


@click.command(epilog="Example: threads-agent rebuild kpis --switch")
@click.option("--switch", "to_switch", is_flag=True, help="Put the rebuilt state in the place of the live one.")
@click.option("--accept-differences", is_flag=True, help="With --switch: also where counters differ.")
@click.option("--dry-run", is_flag=True, help="Count what would be read, and build nothing.")
@click.option("--list", "to_list", is_flag=True, help="List the versions there are.")
@click.option("--drop", "dropped", type=click.IntRange(min=1), metavar="VERSION", help="Remove a version not in use.")
@click.option("--yes", is_flag=True, help="With --drop: do not ask.")
@click.option("--by", metavar="NAME", help="Who runs it, for the audit. Default: user and machine.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON, with all that differs.")
@wide_option
@click.pass_context
def kpis(
    ctx: click.Context,
    /,
    *,
    to_switch: bool,
    accept_differences: bool,
    dry_run: bool,
    to_list: bool,
    dropped: int | None,
    yes: bool,
    by: str | None,
    as_json: bool,
    wide: bool,
) -> None:
    """Count all events again from the log into a KPI state beside the live one, and compare them counter by counter.

    Workers go on meanwhile. With --switch they take the rebuilt state over within seconds, and add to it what came
    since. Exit status 1: counters differ.
    """
    from agents.kpis.rebuilding.rebuild import Wanted

    if accept_differences and not to_switch:
        raise click.UsageError("--accept-differences says how to switch: add --switch")
    if to_list:
        _list(as_json=as_json, wide=wide)
    elif dropped is not None:
        _drop(dropped, yes=yes)
    elif dry_run:
        _dry_run(as_json=as_json, wide=wide)
    else:
        wanted = Wanted(switch=to_switch, accept_differences=accept_differences)
        ctx.exit(_rebuild(wanted, by, as_json=as_json, wide=wide))


def _rebuild(wanted: Wanted, by: str | None, *, as_json: bool, wide: bool) -> int:
    from agents.kpis.rebuilding.rebuild import Differs, Outcome

    outcome = Outcome()
    try:
        asyncio.run(_run(outcome, wanted, by))
    except KeyboardInterrupt:
        click.echo("interrupted; the live state is as it was, the same command begins again", err=True)
        return INTERRUPTED_EXIT_STATUS
    except Differs as differs:
        _print(outcome, as_json=as_json, wide=wide)
        click.echo(str(differs), err=True)
        return DIFFERS_EXIT_STATUS
    _print(outcome, as_json=as_json, wide=wide)
    return 0 if outcome.switched or not outcome.unexplained else DIFFERS_EXIT_STATUS


async def _run(outcome: Outcome, wanted: Wanted, by: str | None) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from agents.kpis.rebuilding.log import folded_sources
    from agents.kpis.rebuilding.rebuild import TARGET, KpiRebuild, check_alone
    from streams.kafka.cluster import Cluster
    from streams.operations.rebuilds import telling_rebuild, words_of
    from streams.settings import current_settings

    cluster = await Cluster.reached(current_settings())
    await check_alone(cluster)
    outcome.sources = await folded_sources(cluster)
    total = sum(each.end - each.start for each in outcome.sources)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("rebuild kpis", total=total)
        async with telling_rebuild(
            cluster, TARGET, words_of(wanted), by, lambda: _as_object(outcome), selected=total
        ) as told:
            rebuild = KpiRebuild(
                cluster,
                told,
                outcome,
                lambda line: progress.console.print(line, soft_wrap=True),
                lambda records: progress.advance(task, records),
            )
            await rebuild.run(wanted)


def _print(outcome: Outcome, *, as_json: bool, wide: bool) -> None:
    if as_json:
        click.echo(json.dumps(_as_object(outcome), indent=2, ensure_ascii=False))
        return
    print_text(f"{outcome.events:,} events counted into version {outcome.version} of the KPI state")
    if not outcome.compared:
        print_text("there is no live state to compare it with")
    elif not outcome.differences:
        print_text(f"no counter differs from version {outcome.live}, the live one")
    else:
        late = len(outcome.differences) - len(outcome.unexplained)
        print_text(f"{len(outcome.unexplained):,} counters differ from version {outcome.live}, the live one")
        if late:
            print_text(f"{late:,} times late_events differs: workers that were behind call other events late")
        rows = [_cells(each) for each in (outcome.unexplained or outcome.differences)[:EXAMPLES]]
        print_table(Table(_DIFFERENCES, rows), wide=wide)
        if len(outcome.unexplained) > EXAMPLES:
            print_text(f"... and {len(outcome.unexplained) - EXAMPLES:,} more; --json has all of them")
    if outcome.switched:
        print_text(
            f"version {outcome.version} is the live one; drop the old one with "
            f"`threads-agent rebuild kpis --drop {outcome.live}`"
        )


_DIFFERENCES = (
    Column("PERSONA", "id"),
    Column("WHERE"),
    Column("COUNTER"),
    Column("LIVE", "number"),
    Column("REBUILT", "number"),
)


def _cells(each: Difference) -> list[Any]:
    return [each.place.persona_id, each.where, each.counter, count(each.live), count(each.rebuilt)]


def _as_object(outcome: Outcome) -> dict[str, Any]:
    return {
        "version": outcome.version,
        "live_before": outcome.live,
        "events": outcome.events,
        "compared": outcome.compared,
        "switched": outcome.switched,
        "differing_counters": len(outcome.unexplained),
        "differing_late_events": len(outcome.differences) - len(outcome.unexplained),
        "differences": [
            {
                "persona_id": each.place.persona_id,
                "where": each.where,
                "counter": each.counter,
                "live": each.live,
                "rebuilt": each.rebuilt,
            }
            for each in outcome.differences
        ],
    }


def _dry_run(*, as_json: bool, wide: bool) -> None:
    from agents.kpis.rebuilding.log import folded_sources
    from streams.kafka.cluster import Cluster
    from streams.settings import current_settings

    async def sources() -> list[Any]:
        return await folded_sources(await Cluster.reached(current_settings()))

    found = asyncio.run(sources())
    if as_json:
        objects = [
            {"topic": each.source.topic, "partition": each.source.partition, "start": each.start, "end": each.end}
            for each in found
        ]
        click.echo(json.dumps(objects, indent=2))
        return
    columns = (Column("TOPIC", "id"), Column("PARTITION", "number"), Column("RECORDS", "number"))
    rows = [[each.source.topic, str(each.source.partition), count(each.end - each.start)] for each in found]
    print_table(Table(columns, rows), wide=wide)
    print_text(f"{sum(each.end - each.start for each in found):,} records would be read at most; nothing was built")


def _list(*, as_json: bool, wide: bool) -> None:
    from agents.kpis.rebuilding.versions import versions
    from streams.kafka.cluster import Cluster
    from streams.settings import current_settings

    async def there() -> list[Version]:
        return await versions(await Cluster.reached(current_settings()))

    found = asyncio.run(there())
    if as_json:
        objects = [
            {"version": each.number, "live": each.is_live, "changelog": each.changelog, "bytes": each.size_bytes}
            for each in found
        ]
        click.echo(json.dumps(objects, indent=2))
    elif found:
        columns = (
            Column("VERSION", "number"),
            Column("LIVE"),
            Column("BYTES", "number"),
            Column("CHANGELOG", "id"),
        )
        rows = [
            [str(each.number), "live" if each.is_live else "", count(each.size_bytes), each.changelog] for each in found
        ]
        print_table(Table(columns, rows), wide=wide)
    else:
        print_text("there is no KPI state yet")


def _drop(number: int, *, yes: bool) -> None:
    from agents.kpis.rebuilding.versions import drop
    from streams.kafka.cluster import Cluster
    from streams.settings import current_settings

    async def dropped() -> None:
        await drop(await Cluster.reached(current_settings()), number)

    if not yes:
        click.confirm(f"Drop version {number} of the KPI state for good?", abort=True)
    asyncio.run(dropped())
    print_text(f"version {number} is dropped; copies of it in workers' homes are not used any more")
