"""`threads-agent groups`: consumer groups, how far they are behind, and setting them to other offsets."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from streams.cli.completion import completed, topic_names
from streams.cli.moment import EPOCH_MS
from streams.cli.table import Cell, Column, Shown, Table, count, print_table, print_text, wide_option
from streams.role_names import role_names

if TYPE_CHECKING:
    from streams.kafka.cluster import Cluster
    from streams.kafka.consumer_lag import Lag
    from streams.kafka.group_members import GroupNow
    from streams.kafka.group_reset import Goal, Move, ResetPlan

logger = logging.getLogger(__name__)

REFUSED_EXIT_STATUS = 1
ENDS = ("beginning", "end")


class GroupName(click.ParamType):
    """The name of a consumer group: a role's, or any other's."""

    name = "group"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 - click's signature
        """Return the roles that begin so."""
        return completed(role_names(), incomplete)


@click.group(epilog="Example: threads-agent groups list")
def groups() -> None:
    """Show consumer groups and how far they are behind, and set them to other offsets."""


@groups.command("list", epilog="Example: threads-agent groups list --json")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects: group, state, members, lag.")
def list_(*, wide: bool, as_json: bool) -> None:
    """List the groups that the broker knows: who is in them, and how far they are behind."""
    found = asyncio.run(_groups())
    if as_json:
        click.echo(json.dumps([_group_entry(now, lags) for now, lags in found], indent=2))
    elif found:
        print_table(Table(_GROUPS, [_group_cells(now, lags) for now, lags in found]), wide=wide)
    else:
        click.echo("no groups: nothing has read from this broker yet")


@groups.command("lag", epilog="Example: threads-agent groups lag kpis --topic engagement.events")
@click.argument("names", nargs=-1, metavar="[GROUP]...", type=GroupName())
@click.option("--topic", shell_complete=topic_names, help="Only this topic.")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects, one a partition.")
def lag(names: tuple[str, ...], topic: str | None, *, wide: bool, as_json: bool) -> None:
    """Show how far groups (all without GROUP) are behind, in records and seconds, by topic and partition.

    A group goes on at its position: what it has committed, unless the log is another one by now. Seconds are the age of
    the first record there.
    """
    found = [each for each in asyncio.run(_lags(names)) if topic in (None, each.source.topic)]
    if as_json:
        click.echo(json.dumps([_lag_entry(each) for each in found], indent=2))
    elif found:
        print_table(Table(_LAG, [_lag_cells(each) for each in found], parts=_parts(found)), wide=wide)
    else:
        click.echo(f"no group reads {topic}" if topic else "no group reads anything")


@groups.command(
    "reset", epilog="Example: threads-agent groups reset sink-postgres --to-time 2026-03-01T00:00:00Z --yes"
)
@click.argument("name", metavar="GROUP", type=GroupName())
@click.option("--to", "to_end", type=click.Choice(ENDS), help="Go on at the beginning or the end of the log.")
@click.option("--to-time", type=EPOCH_MS, help="Go on at the first record the broker took at or after this time.")
@click.option("--to-offset", type=click.IntRange(min=0), help="Go on at this offset.")
@click.option("--topic", shell_complete=topic_names, help="Only this topic; without it all that it has committed.")
@click.option("--partition", "partitions", type=click.IntRange(min=0), multiple=True, help="Only this one; repeatable.")
@click.option("--yes", "is_meant", is_flag=True, help="Do it; without it what would change is shown.")
@click.option("--by", "requested_by", metavar="NAME", help="Who asked for it, for the audit; default: this user.")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print an object: group, done, members, changelogs, partitions.")
@click.pass_context
def reset_(
    ctx: click.Context,
    *,
    name: str,
    to_end: str | None,
    to_time: int | None,
    to_offset: int | None,
    topic: str | None,
    partitions: tuple[int, ...],
    is_meant: bool,
    requested_by: str | None,
    wide: bool,
    as_json: bool,
) -> None:
    """Set GROUP to other offsets, while it has no members; without --yes show what would change.

    Times are ISO 8601 (UTC where no zone is named) or epoch milliseconds. A group that keeps state skips the records
    that its state has seen already: a reset alone does not count them again. The audit has who did it, and the offsets
    before and after: see operations.runs.
    """
    goal = _goal(to_end, to_time, to_offset)
    if partitions and topic is None:
        raise click.UsageError("--partition needs --topic")
    plan = asyncio.run(_planned(name, goal, topic, partitions))
    if is_meant:
        asyncio.run(_reset(plan, _selection(goal, topic, partitions), requested_by))
    if as_json:
        click.echo(json.dumps(_plan_entry(plan, is_done=is_meant), indent=2))
    else:
        print_table(Table(_MOVES, [_move_cells(each) for each in plan.moves]), wide=wide)
        for line in _remarks(plan, is_done=is_meant):
            print_text(line)
    ctx.exit(REFUSED_EXIT_STATUS if plan.members and not is_meant else 0)


def _goal(to_end: str | None, to_time: int | None, to_offset: int | None) -> Goal:
    from streams.kafka.group_reset import Goal

    given = [each for each in (to_end, to_time, to_offset) if each is not None]
    if len(given) != 1:
        raise click.UsageError("say where to, by one of --to, --to-time and --to-offset")
    if to_time is not None:
        return Goal("time", to_time)
    return Goal("beginning" if to_end == ENDS[0] else "end") if to_offset is None else Goal("offset", to_offset)


async def _groups() -> list[tuple[GroupNow, list[Lag]]]:
    from streams.kafka.consumer_lag import LagReader

    async with LagReader(await _cluster()) as reader:
        names = await reader.names()
        lags: Mapping[str, list[Lag]] = defaultdict(list)
        for each in await reader.lags(names):
            lags[each.group].append(each)
        return [(await reader.described(name), lags[name]) for name in names]


async def _lags(names: Sequence[str]) -> list[Lag]:
    from streams.errors import ThreadsError
    from streams.kafka.consumer_lag import LagReader

    async with LagReader(await _cluster()) as reader:
        there = await reader.names()
        if unknown := sorted(set(names) - set(there) - set(role_names())):
            raise ThreadsError(f"There is no group {', '.join(unknown)}; there are: {', '.join(there) or 'none'}")
        return await reader.lags(names or there)


def _selection(goal: Goal, topic: str | None, partitions: Sequence[int]) -> str:
    where = [topic or "all topics", *(f"--partition {number}" for number in partitions)]
    return " ".join(
        [*where, f"--to-{goal.kind} {goal.value}" if goal.kind in ("time", "offset") else f"--to {goal.kind}"]
    )


async def _planned(name: str, goal: Goal, topic: str | None, partitions: Sequence[int]) -> ResetPlan:
    from streams.kafka.group_reset import plan_reset

    return await plan_reset(await _cluster(), name, goal, topic, partitions)


async def _reset(plan: ResetPlan, selection: str, requested_by: str | None) -> None:
    """Reset, and tell the run: of each partition the position before, the one set, and the end of the log."""
    from schemas.records import LogPosition
    from streams.engine.worker import configure_logging
    from streams.kafka.group_reset import reset
    from streams.operations.runs import new_run, telling

    cluster = await _cluster()
    plan.refuse_while_at_work()
    configure_logging(cluster.settings.log_level)
    positions = tuple(
        LogPosition(
            topic=each.source.topic, partition=each.source.partition, start=each.position, next=each.to, end=each.end
        )
        for each in plan.moves
    )
    target = f"offsets of {plan.group}"
    run = new_run("offset_reset", selection=selection, target=target, requested_by=requested_by, positions=positions)
    async with telling(cluster, run):
        await reset(cluster, plan)
    for each in plan.moves:
        logger.info(
            "Reset the group %s on %s/%d from %s to %d", plan.group, *each.source, _or_none(each.committed), each.to
        )


async def _cluster() -> Cluster:
    from streams.kafka.cluster import Cluster
    from streams.settings import current_settings

    return await Cluster.reached(current_settings())


_GROUPS = (
    Column("group", "id"),
    Column("state"),
    Column("members", "number"),
    Column("topics", "number", minor=1),
    Column("lag records", "number"),
    Column("lag seconds", "number"),
    Column("who", "text", minor=2),
)

_LAG = (
    Column("group", "id"),
    Column("topic", "id"),
    Column("partition", "number"),
    Column("committed", "number"),
    Column("position", "number", minor=1),
    Column("end", "number", minor=1),
    Column("lag records", "number"),
    Column("lag seconds", "number"),
)

_MOVES = (
    Column("topic", "id"),
    Column("partition", "number"),
    Column("committed", "number"),
    Column("position", "number", minor=1),
    Column("to", "number"),
    Column("read again", "number"),
    Column("skipped", "number"),
    Column("log", "id", minor=2),
)


def _group_cells(now: GroupNow, lags: Sequence[Lag]) -> Sequence[Cell]:
    seconds = _worst(lags)
    return (
        now.name,
        now.state,
        str(len(now.members)),
        str(len({each.source.topic for each in lags})),
        count(sum(each.records for each in lags)),
        _seconds(seconds),
        "; ".join(map(str, now.members)),
    )


def _group_entry(now: GroupNow, lags: Sequence[Lag]) -> dict[str, Any]:
    members = [
        {
            "member_id": each.member_id,
            "client_id": each.client_id,
            "host": each.host,
            "partitions": _partitions(each.partitions),
        }
        for each in now.members
    ]
    total = {"lag_records": sum(each.records for each in lags), "lag_s": _worst(lags)}
    topics = sorted({each.source.topic for each in lags})
    return {"group": now.name, "state": now.state, "members": members, "topics": topics, **total}


def _worst(lags: Iterable[Lag]) -> float | None:
    """Return the age of the oldest record that waits, in seconds; None where no record's age is known."""
    return max((each.seconds for each in lags if each.seconds is not None), default=None)


def _lag_cells(lag_: Lag) -> Sequence[Cell]:
    return (
        lag_.group,
        lag_.source.topic,
        str(lag_.source.partition),
        "none" if lag_.committed is None else count(lag_.committed),
        count(lag_.position),
        count(lag_.end),
        count(lag_.records),
        _seconds(lag_.seconds),
    )


def _lag_entry(lag_: Lag) -> dict[str, Any]:
    return {
        "group": lag_.group,
        "topic": lag_.source.topic,
        "partition": lag_.source.partition,
        "committed": lag_.committed,
        "position": lag_.position,
        "end": lag_.end,
        "lag_records": lag_.records,
        "lag_s": lag_.seconds,
    }


def _parts(lags: Sequence[Lag]) -> list[int]:
    return [place for place in range(1, len(lags)) if lags[place].group != lags[place - 1].group]


def _seconds(seconds: float | None) -> Cell:
    return "unknown" if seconds is None else Shown(f"{seconds:,.1f}", f"{seconds:.0f}")


def _move_cells(move: Move) -> Sequence[Cell]:
    return (
        move.source.topic,
        str(move.source.partition),
        "none" if move.committed is None else count(move.committed),
        count(move.position),
        count(move.to),
        count(move.again),
        count(move.skipped),
        f"{move.first} to {move.end}",
    )


def _plan_entry(plan: ResetPlan, *, is_done: bool) -> dict[str, Any]:
    moves = [
        {
            "topic": each.source.topic,
            "partition": each.source.partition,
            "committed": each.committed,
            "position": each.position,
            "first": each.first,
            "end": each.end,
            "to": each.to,
            "read_again": each.again,
            "skipped": each.skipped,
        }
        for each in plan.moves
    ]
    members = [str(each) for each in plan.members]
    changelogs = list(plan.changelogs)
    return {"group": plan.group, "done": is_done, "members": members, "changelogs": changelogs, "partitions": moves}


def _remarks(plan: ResetPlan, *, is_done: bool) -> Iterable[str]:
    again, skipped = sum(each.again for each in plan.moves), sum(each.skipped for each in plan.moves)
    what = f"{again:,} offsets read again, {skipped:,} skipped"
    yield f"{plan.group} is set: {what}" if is_done else f"nothing of {plan.group} is changed yet; with --yes: {what}"
    if plan.changelogs:
        yield (
            f"{plan.group} keeps state ({', '.join(plan.changelogs)}), and with it up to which offset it has counted: "
            "what lies at or below is skipped when it comes again, so this alone counts nothing anew; what is skipped "
            "ahead is never counted. To count anew the state has to go, too: see Offsets and lag in streams/README.md"
        )
    if plan.members and not is_done:
        yield f"it would be refused now, for the group is at work: {'; '.join(map(str, plan.members))}"


def _partitions(sources: Iterable[tuple[str, int]]) -> list[str]:
    return [f"{topic}/{number}" for topic, number in sources]


def _or_none(offset: int | None) -> str:
    return "none" if offset is None else str(offset)
