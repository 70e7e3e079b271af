"""The command `rebuild qdrant`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from streams.cli.table import Column, Table, print_table, print_text

if TYPE_CHECKING:
    from sinks.qdrant.rebuild import Outcome, Wanted
    from sinks.qdrant.versions import VersionedStore
    from streams.settings import Settings

DIFFERS_EXIT_STATUS = 1
INTERRUPTED_EXIT_STATUS = 130


@click.command(epilog="Example: threads-agent rebuild qdrant --switch")
@click.option("--switch", "to_switch", is_flag=True, help="Put the rebuilt collections in the place of the live ones.")
@click.option("--carry", is_flag=True, help="With --switch: take over points that only live has.")
@click.option("--leave-behind", is_flag=True, help="With --switch: leave points that only live has behind.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Read at most so many records a second.")
@click.option("--dry-run", is_flag=True, help="Count what would be read, and build nothing.")
@click.option("--list", "to_list", is_flag=True, help="List the versions there are besides the live one.")
@click.option("--drop", "dropped", metavar="VERSION", help="Remove a version, as --list names it.")
@click.option("--yes", is_flag=True, help="With --drop: do not ask.")
@click.option("--by", metavar="NAME", help="Who runs it, for the audit. Default: user and machine.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON, with the ids of what differs.")
@click.pass_context
def qdrant(
    ctx: click.Context,
    /,
    *,
    to_switch: bool,
    carry: bool,
    leave_behind: bool,
    rate: float | None,
    dry_run: bool,
    to_list: bool,
    dropped: str | None,
    yes: bool,
    by: str | None,
    as_json: bool,
) -> None:
    """Make Qdrant's points again from the log, beside the live ones, and compare them one by one.

    Without --switch the rebuilt points stay beside, as rebuild_N, until the next run builds them again. Exit status 1:
    points differ, or the switch would lose some.
    """
    from sinks.qdrant.rebuild import Wanted
    from streams.settings import current_settings

    if (carry or leave_behind) and not to_switch:
        raise click.UsageError("--carry and --leave-behind say how to switch: add --switch")
    settings = current_settings()
    if dropped is not None:
        asyncio.run(_drop(settings, dropped, yes=yes))
    elif to_list:
        asyncio.run(_list(settings, as_json=as_json))
    elif dry_run:
        asyncio.run(_dry_run(settings, as_json=as_json))
    else:
        ctx.exit(_rebuild(settings, Wanted(to_switch, carry, leave_behind, rate), by, as_json=as_json))


def _rebuild(settings: Settings, wanted: Wanted, by: str | None, *, as_json: bool) -> int:
    from sinks.qdrant.rebuild import Outcome, Refused

    outcome = Outcome()
    try:
        asyncio.run(_run(settings, wanted, by, outcome))
    except KeyboardInterrupt:
        click.echo(
            f"interrupted; {outcome.version or 'nothing'} is beside the live version, the next run begins again",
            err=True,
        )
        return INTERRUPTED_EXIT_STATUS
    except Refused as refused:
        _print_outcome(outcome, as_json=as_json)
        click.echo(str(refused), err=True)
        return DIFFERS_EXIT_STATUS
    _print_outcome(outcome, as_json=as_json)
    return 0 if outcome.before is not None or all(each.equal for each in outcome.collections) else DIFFERS_EXIT_STATUS


async def _run(settings: Settings, wanted: Wanted, by: str | None, outcome: Outcome) -> None:
    from sinks.qdrant.rebuild import QdrantRebuild
    from streams.kafka.cluster import Cluster
    from streams.operations.rebuilds import telling_rebuild, words_of

    cluster, store = await Cluster.reached(settings), _store(settings)
    try:
        async with telling_rebuild(cluster, "qdrant", words_of(wanted), by, lambda: _detail(outcome)) as told:
            await QdrantRebuild(cluster, store, told, lambda line: click.echo(line, err=True)).run(wanted, outcome)
    finally:
        await store.close()


def _store(settings: Settings) -> VersionedStore:
    from sinks.qdrant.role import versioned_store

    return versioned_store(settings)


async def _list(settings: Settings, *, as_json: bool) -> None:
    store = _store(settings)
    try:
        found = await store.versions()
    finally:
        await store.close()
    if as_json:
        click.echo(json.dumps([{"version": each.name, "collections": each.collections} for each in found], indent=2))
    elif found:
        rows = [(each.name, name) for each in found for name in each.collections or ("-",)]
        print_table(
            Table((Column("version", "id"), Column("collection", "id")), rows, note="--drop VERSION removes one")
        )
    else:
        click.echo("no version besides the live one")


async def _drop(settings: Settings, name: str, *, yes: bool) -> None:
    from sinks.qdrant.rebuild import RebuildError

    store = _store(settings)
    try:
        names = [each.name for each in await store.versions()]
        if name not in names:
            raise RebuildError(f"there is no version {name}; there are: {', '.join(names) or 'none'}")
        if not yes:
            click.confirm(f"Drop {name} for good?", abort=True)
        await store.drop(name)
    finally:
        await store.close()
    click.echo(f"{name} is dropped")


async def _dry_run(settings: Settings, *, as_json: bool) -> None:
    from sinks.qdrant.sink import QdrantSink
    from sinks.rebuilding.reading import by_topic, reach_of
    from streams.kafka.cluster import Cluster

    found = list(by_topic(await reach_of(await Cluster.reached(settings), QdrantSink.topics, {})))
    if as_json:
        click.echo(json.dumps([{"topic": topic, "to_read": left} for topic, _, left in found], indent=2))
    for topic, _, left in found if not as_json else ():
        print_text(f"{left:,} records at most of {topic} would be read")


def _print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    from sinks.qdrant.comparing import KINDS, SAMPLE_POINTS

    if as_json:
        click.echo(json.dumps(_detail(outcome), indent=2, ensure_ascii=False))
        return
    for each in outcome.collections:
        print_text(f"{each.collection}: {each.live_points:,} points live, {each.rebuilt_points:,} rebuilt")
        for kind, ids in each.differing.items():
            print_text(f"  {len(ids):,} points: {KINDS[kind]}")
            for point_id in ids[:SAMPLE_POINTS]:
                print_text(f"    {point_id}")
    for name, number in outcome.carried.items():
        print_text(f"carried over: {number:,} points of {name}")
    if outcome.before is not None:
        print_text(f"Switched. `threads-agent rebuild qdrant --drop {outcome.before}` removes the old points.")
    elif all(each.equal for each in outcome.collections):
        print_text("Equal point by point. `threads-agent rebuild qdrant --switch` builds again and switches.")


def _detail(outcome: Outcome) -> dict[str, Any]:
    from sinks.qdrant.comparing import SAMPLE_POINTS

    return {
        "version": outcome.version,
        "switched": outcome.before is not None,
        "old_version": outcome.before,
        "read": outcome.read,
        "written": outcome.written,
        "refused": outcome.refused,
        "carried": outcome.carried,
        "collections": {
            each.collection: {
                "live_points": each.live_points,
                "rebuilt_points": each.rebuilt_points,
                "differing": {kind: len(ids) for kind, ids in each.differing.items()},
            }
            for each in outcome.collections
        },
        "differences": {
            each.collection: {kind: list(ids[:SAMPLE_POINTS]) for kind, ids in each.differing.items()}
            for each in outcome.collections
            if not each.equal
        },
    }
