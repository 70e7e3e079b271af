"""`threads-agent dead-letters redrive`, `drop` and `runs`: what is done about dead letters, and who did what."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from streams.cli.letter_choice import choice_options, chosen
from streams.cli.table import Column, Table, count, print_table, wide_option

if TYPE_CHECKING:
    from schemas.records import DeadOutcome
    from streams.letters.planning import Limits, Plan
    from streams.letters.redrive import Progress, Told
    from streams.letters.standing import Selection

REFUSED_EXIT_STATUS = 1
INTERRUPTED_EXIT_STATUS = 130
SAMPLES = 5
DEFAULT_MOST = 3


def _who() -> str:
    from streams.operations.runs import who

    return who()


def _by_option(command: Any) -> Any:  # noqa: ANN401 - a decorator of commands
    return click.option("--by", default=None, help="Who does it, for the audit. Default: user and machine.")(command)


def _which_options(command: Any) -> Any:  # noqa: ANN401 - a decorator of commands
    every = click.option("--every", is_flag=True, help="All open letters; without any filter this must be said.")
    ids = click.option("--id", "ids", multiple=True, help="Only this letter; may be given several times.")
    return every(ids(choice_options(command)))


@click.command(epilog="Example: threads-agent dead-letters redrive --topic engagement.events --reason 'schema id'")
@_which_options
@click.option("--dry-run", is_flag=True, help="Count what would be sent and refused, show samples, write nothing.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="At most so many records a second.")
@click.option("--limit", type=click.IntRange(min=1), help="Take at most so many letters.")
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=DEFAULT_MOST,
    show_default=True,
    help="Refuse a record that was sent again so often.",
)
@click.option("--into-compacted", is_flag=True, help="Into compacted topics too, where it may undo a newer record.")
@_by_option
@click.option("--json", "as_json", is_flag=True, help="Print an object with the outcome of each letter.")
@wide_option
@click.pass_context
def redrive(
    ctx: click.Context,
    /,
    *,
    dry_run: bool,
    rate: float | None,
    limit: int | None,
    most: int,
    into_compacted: bool,
    by: str | None,
    as_json: bool,
    wide: bool,
    **filters: Any,  # noqa: ANN401 - the options of choice_options
) -> None:
    """Send the records of letters to their topics again, after what refused them was mended; each once.

    They keep key, value, headers, time and partition, and get the headers redrive-of (the letter) and redrive-count.
    A run that is cut off, also by kill -9, is gone on with by the same command. Exit status 1: some were refused.
    """
    from streams.letters.planning import Limits

    selection = _meant(filters)
    limits = Limits(most, limit, into_compacted)
    if dry_run:
        made = asyncio.run(_planned(selection, limits))
        _print_plan(made, as_json=as_json, wide=wide)
        ctx.exit(REFUSED_EXIT_STATUS if made.refusals else 0)
    from streams.letters.redrive import Progress

    progress = Progress()
    try:
        made = asyncio.run(_redrive(selection, limits, rate, by or _who(), progress))
    except KeyboardInterrupt:
        click.echo(f"interrupted after {_counted(progress.outcomes)}; the same command goes on with the rest", err=True)
        ctx.exit(INTERRUPTED_EXIT_STATUS)
    except Exception:
        click.echo(f"{_counted(progress.outcomes)} before this error; the same command goes on with the rest", err=True)
        raise
    _print_done(made, progress.outcomes, as_json=as_json, wide=wide)
    ctx.exit(REFUSED_EXIT_STATUS if progress.number("refused") else 0)


@click.command(epilog="Example: threads-agent dead-letters drop --id ID --because 'a test of the importer'")
@_which_options
@click.option("--because", required=True, help="Why nothing is to be done about them, for the audit.")
@click.option("--dry-run", is_flag=True, help="Count what would be dropped, write nothing.")
@_by_option
@click.option("--json", "as_json", is_flag=True, help="Print the outcome of each letter.")
@click.pass_context
def drop(
    ctx: click.Context,
    /,
    *,
    because: str,
    dry_run: bool,
    by: str | None,
    as_json: bool,
    **filters: Any,  # noqa: ANN401 - the options of choice_options
) -> None:
    """Mark open letters as dropped: they stay in the log, and `list` shows them with --all alone."""
    if not because.strip():
        raise click.BadParameter("say why: who reads the audit has nothing else", param_hint="--because")
    selection = _meant(filters)
    if dry_run:
        click.echo(f"{asyncio.run(_open_letters(selection)):,} letters would be dropped")
        return
    outcomes = asyncio.run(_drop(selection, because, by or _who()))
    if as_json:
        click.echo(json.dumps(_rendered(outcomes), indent=2, ensure_ascii=False))
    else:
        click.echo(f"{len(outcomes):,} letters dropped")
    ctx.exit(0 if outcomes else REFUSED_EXIT_STATUS)


@click.command(epilog="Example: threads-agent dead-letters runs --json")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@wide_option
def runs(*, as_json: bool, wide: bool) -> None:
    """List the runs of redrive and drop: who, when, which letters, how many of how many, with what outcome."""
    found = _by_run(asyncio.run(_outcomes()))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif found:
        print_table(runs_table(found), wide=wide)
    else:
        click.echo("no redrive and no drop so far")


def _meant(filters: dict[str, Any]) -> Selection:
    every = filters.pop("every")
    selection = chosen(filters)
    if selection.is_everything and not every:
        raise click.UsageError(
            "which letters? Name them with --id, or by --topic, --reason, --consumer, --key, --since and --until; "
            "--every means all open ones. `threads-agent dead-letters list` shows them, --dry-run counts them"
        )
    return selection


async def _planned(selection: Selection, limits: Limits) -> Plan:
    from streams.kafka.cluster import Cluster
    from streams.letters.redrive import planned
    from streams.settings import current_settings

    cluster = await Cluster.reached(current_settings())
    return await planned(cluster, cluster.open_registry(), selection, limits)


async def _redrive(
    selection: Selection, limits: Limits, rate: float | None, requested_by: str, progress: Progress
) -> Plan:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from streams.kafka.cluster import Cluster
    from streams.letters.redrive import Redrive
    from streams.settings import current_settings

    cluster = await Cluster.reached(current_settings())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:

        def begin(made: Plan) -> Told:
            task = bar.add_task("redrive", total=made.letters)
            return lambda letters: bar.advance(task, letters)

        return await Redrive(cluster, cluster.open_registry(), limits=limits, rate=rate).run(
            selection, requested_by, progress, begin
        )


async def _open_letters(selection: Selection) -> int:
    from streams.kafka.cluster import Cluster
    from streams.letters.reading import read_cases
    from streams.settings import current_settings

    cluster = await Cluster.reached(current_settings())
    cases = await read_cases(cluster, cluster.open_registry())
    return sum(case.settled_by is None and selection.holds(case.letter) for case in cases)


async def _drop(selection: Selection, because: str, requested_by: str) -> list[DeadOutcome]:
    from streams.kafka.cluster import Cluster
    from streams.letters.redrive import drop as dropped
    from streams.settings import current_settings

    cluster = await Cluster.reached(current_settings())
    return await dropped(cluster, cluster.open_registry(), selection, because, requested_by)


async def _outcomes() -> list[DeadOutcome]:
    from streams.kafka.cluster import Cluster
    from streams.letters.reading import read_outcomes
    from streams.settings import current_settings

    cluster = await Cluster.reached(current_settings())
    return await read_outcomes(cluster, cluster.open_registry())


def _by_run(outcomes: Sequence[DeadOutcome]) -> list[dict[str, Any]]:
    of_run: dict[str, list[DeadOutcome]] = {}
    for each in outcomes:
        of_run.setdefault(each.run_id, []).append(each)
    return [
        {
            "run_id": run_id,
            "began_at": min(each.occurred_at for each in of_one).isoformat(),
            "ended_at": max(each.occurred_at for each in of_one).isoformat(),
            "requested_by": of_one[0].requested_by,
            "selection": of_one[0].selection,
            "letters": of_one[0].run_letters,
            "outcomes": dict(sorted(Counter(each.outcome for each in of_one).items())),
            "unfinished": max(of_one[0].run_letters - len(of_one), 0),
        }
        for run_id, of_one in of_run.items()
    ]


_RUN_COLUMNS = (
    Column("began (UTC)"),
    Column("by", "id"),
    Column("letters", "number"),
    Column("outcomes", "text"),
    Column("not done", "number"),
    Column("run", "id", minor=1),
    Column("asked for", "text"),
)


def runs_table(found: Sequence[dict[str, Any]]) -> Table:
    """Return the table that `dead-letters runs` prints."""
    rows = [
        (
            run["began_at"][:19].replace("T", " "),
            run["requested_by"],
            count(run["letters"]),
            ", ".join(f"{number:,} {outcome}" for outcome, number in run["outcomes"].items()),
            count(run["unfinished"]),
            run["run_id"],
            run["selection"],
        )
        for run in found
    ]
    return Table(_RUN_COLUMNS, rows, note="not done: cut off, refused as before, or gone on with by a later run")


_PLAN_COLUMNS = (
    Column("letter", "id"),
    Column("topic", "id"),
    Column("count", "number"),
    Column("what", "word"),
    Column("reason", "text"),
)


def _print_plan(made: Plan, *, as_json: bool, wide: bool) -> None:
    letters = sum(len(each.cases) for each in made.sendings)
    if as_json:
        said = {
            "records": len(made.sendings),
            "letters": letters,
            "refused": [{"letter_id": each.case.id, "reason": each.reason} for each in made.refusals],
            "settled_before": made.settled,
            "beyond_limit": made.left,
            "samples": [each.letter_id for each in made.sendings[:SAMPLES]],
        }
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    click.echo(
        f"would send {len(made.sendings):,} records of {letters:,} letters and refuse {len(made.refusals):,} letters; "
        f"{made.settled:,} are settled, {made.left:,} are beyond --limit"
    )
    rows = [
        (each.letter_id, each.cases[0].letter.source_topic, str(each.count), "send", each.cases[0].letter.reason)
        for each in made.sendings[:SAMPLES]
    ]
    rows += [
        (each.case.id, each.case.letter.source_topic, str(each.count), "refuse", each.reason)
        for each in made.refusals[:SAMPLES]
    ]
    if rows:
        print_table(Table(_PLAN_COLUMNS, rows, title="samples:"), wide=wide)


def _print_done(made: Plan, outcomes: Sequence[DeadOutcome], *, as_json: bool, wide: bool) -> None:
    if as_json:
        said = {
            "run_id": outcomes[0].run_id if outcomes else None,
            "settled_before": made.settled,
            "beyond_limit": made.left,
            "outcomes": _rendered(outcomes),
        }
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    click.echo(f"{_counted(outcomes)}; {made.settled:,} were settled before, {made.left:,} are beyond --limit")
    refused = [each for each in outcomes if each.outcome == "refused"]
    if refused:
        rows = [
            (each.letter_id, each.source_topic, str(each.redrive_count), "refused", each.reason or "")
            for each in refused
        ]
        print_table(Table(_PLAN_COLUMNS, rows), wide=wide)


def _counted(outcomes: Sequence[DeadOutcome]) -> str:
    numbers = Counter(each.outcome for each in outcomes)
    return f"{numbers['sent']:,} letters sent, {numbers['refused']:,} refused"


def _rendered(outcomes: Sequence[DeadOutcome]) -> list[dict[str, Any]]:
    from streams.json_records import render_record

    return [render_record(each) for each in outcomes]
