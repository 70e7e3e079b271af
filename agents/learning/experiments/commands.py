"""The commands `threads-agent experiments list|show|start|pause|resume|stop`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

from streams.cli.table import Cell, Column, Table, count, print_table, print_text, wide_option

if TYPE_CHECKING:
    from agents.learning.experiments.sequential import Look
    from schemas.records import Experiment, ExperimentState

NOT_DONE_EXIT_STATUS = 1
by_option = click.option("--by", metavar="NAME", help="Who does it. Default: user and machine.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(epilog="Example: threads-agent experiments list")
def experiments() -> None:
    """Compare hook styles of a persona by chance, and stop what loses."""


@experiments.command("list", epilog="Example: threads-agent experiments list")
@wide_option
@json_option
def list_experiments(*, wide: bool, as_json: bool) -> None:
    """Show all experiments, the newest change first."""
    from streams.json_records import render_record
    from streams.settings import current_settings

    async def read() -> list[Experiment]:
        from agents.learning.experiments.asking import opened_book

        async with opened_book(current_settings()) as book:
            return book.directory.known()

    found = asyncio.run(read())
    if as_json:
        click.echo(json.dumps([render_record(each) for each in found], ensure_ascii=False, indent=2))
    elif found:
        columns = [
            Column("id", "id"),
            Column("persona", "id"),
            Column("state"),
            Column("name", "text"),
            Column("winner", "text"),
        ]
        rows = [(each.experiment_id, each.persona_id, each.state, each.name, each.winner or "-") for each in found]
        print_table(Table(columns, rows), wide=wide)
    else:
        click.echo("no experiment: start one with `threads-agent experiments start PERSONA --style A --style B`")


@experiments.command(epilog="Example: threads-agent experiments show 1a2b3c4d --apply")
@click.argument("experiment_id", metavar="EXPERIMENT")
@click.option("--apply", "to_apply", is_flag=True, help="Stop the styles that are clearly worse; the last one wins.")
@by_option
@wide_option
@json_option
def show(*, experiment_id: str, to_apply: bool, by: str | None, wide: bool, as_json: bool) -> None:
    """Show what the posts of an experiment say so far: valid however often it is looked at."""
    from agents.learning.experiments.sequential import verdict

    found, look = asyncio.run(_look(experiment_id, by, to_apply=to_apply))
    if as_json:
        click.echo(json.dumps(_as_object(found, look), ensure_ascii=False, indent=2))
        return
    print_text(f"{found.experiment_id}  {found.name}  ({found.persona_id}, {found.state}, error {found.error:.0%})")
    figures = ("posts", "views", "rate", "less than the best")
    columns = [Column("style", "text"), *(Column(name, "number") for name in figures)]
    print_table(Table(columns, _rows(look)), wide=wide)
    print_text(verdict(found, look))


@experiments.command(
    epilog='Example: threads-agent experiments start balcony-bea --style question --style "failure report"'
)
@click.argument("persona_id", metavar="PERSONA")
@click.option("--style", "styles", multiple=True, help="A hook style of the persona; give two or more.")
@click.option("--name", help="What it is about. Default: its styles.")
@click.option(
    "--error", type=click.FloatRange(0.001, 0.5), default=0.05, show_default=True, help="Probability of a false winner."
)
@click.option(
    "--age",
    "age_hours",
    type=click.Choice(["1", "24", "168"]),
    default="24",
    show_default=True,
    help="Age of posts in hours at which they are compared.",
)
@click.option("--draft", "as_draft", is_flag=True, help="Write it down without beginning; `resume` begins it.")
@by_option
@json_option
def start(
    *,
    persona_id: str,
    styles: tuple[str, ...],
    name: str | None,
    error: float,
    age_hours: str,
    as_draft: bool,
    by: str | None,
    as_json: bool,
) -> None:
    """Begin an experiment: from now on the persona's drafts are asked in its styles, each with the same probability."""
    from agents.learning.experiments.asking import opened_book
    from agents.learning.experiments.experiment_states import moved, new_experiment
    from streams.settings import current_settings
    from streams.wall_clock import utc_now

    async def begin() -> Experiment:
        async with opened_book(current_settings()) as book:
            persona, who, now = await book.persona(persona_id), _who(by), utc_now()
            drafted = new_experiment(
                persona_id, styles, persona.hook_styles, now, by=who, name=name, error=error, age_hours=int(age_hours)
            )
            wanted = drafted if as_draft else moved(drafted, "active", now, by=who)
            return await book.write(wanted)

    _say(asyncio.run(begin()), as_json=as_json)


@experiments.command(epilog="Example: threads-agent experiments pause 1a2b3c4d")
@click.argument("experiment_id", metavar="EXPERIMENT")
@by_option
@json_option
def pause(*, experiment_id: str, by: str | None, as_json: bool) -> None:
    """Let an experiment rest: drafts are asked by the arms again."""
    _say(asyncio.run(_moved(experiment_id, "paused", by)), as_json=as_json)


@experiments.command(epilog="Example: threads-agent experiments resume 1a2b3c4d")
@click.argument("experiment_id", metavar="EXPERIMENT")
@by_option
@json_option
def resume(*, experiment_id: str, by: str | None, as_json: bool) -> None:
    """Go on with an experiment that rests, or begin one that is a draft."""
    _say(asyncio.run(_moved(experiment_id, "active", by)), as_json=as_json)


@experiments.command(epilog='Example: threads-agent experiments stop 1a2b3c4d --winner "failure report"')
@click.argument("experiment_id", metavar="EXPERIMENT")
@click.option("--winner", help="Style that won. Default: none, there is not enough evidence.")
@click.option("--cancel", is_flag=True, help="Nothing is learned from it.")
@click.option("--because", "reason", help="Why, in words.")
@by_option
@json_option
def stop(
    *, experiment_id: str, winner: str | None, cancel: bool, reason: str | None, by: str | None, as_json: bool
) -> None:
    """End an experiment for good."""
    if cancel and winner:
        raise click.UsageError("give --cancel or --winner: what is cancelled has no winner")
    to: ExperimentState = "cancelled" if cancel else "completed"
    _say(asyncio.run(_moved(experiment_id, to, by, winner, reason)), as_json=as_json)


async def _moved(
    experiment_id: str, to: ExperimentState, by: str | None, winner: str | None = None, reason: str | None = None
) -> Experiment:
    from agents.learning.experiments.asking import opened_book
    from agents.learning.experiments.experiment_states import moved
    from streams.settings import current_settings

    async with opened_book(current_settings()) as book:
        return await book.change(
            experiment_id, lambda before, now: moved(before, to, now, by=_who(by), winner=winner, reason=reason)
        )


async def _look(experiment_id: str, by: str | None, *, to_apply: bool) -> tuple[Experiment, Look]:
    from agents.learning.experiments.asking import opened_book
    from agents.learning.experiments.experiment_states import without
    from agents.learning.experiments.sequential import look_at
    from streams.settings import current_settings

    async with opened_book(current_settings()) as book:
        experiment = book.require(experiment_id)
        rewards = await book.rewards(experiment)
        look = look_at(experiment, rewards)
        if to_apply and look.losers:
            reason = f"clearly worse by {sum(each.posts for each in look.figures):,} posts"
            losers = look.losers
            experiment = await book.change(
                experiment_id, lambda before, now: without(before, losers, now, by=_who(by), reason=reason)
            )
            look = look_at(experiment, rewards)
        return experiment, look


def _rows(look: Look) -> list[tuple[Cell, ...]]:
    best = max((each.rate for each in look.figures if each.is_told), default=0.0)
    worse = {each.worse: each for each in look.differences if _is_best(look, each.better, best)}
    rows: list[tuple[Cell, ...]] = []
    for each in look.figures:
        name = f"{each.style} (stopped)" if each.stopped else each.style
        gap = worse.get(each.style)
        told = "-" if gap is None else f"{gap.value:.1%} ({gap.low:.1%} to {gap.high:.1%})"
        rate = f"{each.rate:.1%}" if each.posts else "-"
        rows.append((name, count(each.posts), count(each.views), rate, told))
    return rows


def _is_best(look: Look, style: str, best: float) -> bool:
    return any(each.style == style and each.rate == best for each in look.figures)


def _who(by: str | None) -> str:
    from streams.operations.runs import who

    return by or who()


def _say(experiment: Experiment, *, as_json: bool) -> None:
    from streams.json_records import render_record

    if as_json:
        click.echo(json.dumps(render_record(experiment), ensure_ascii=False, indent=2))
    else:
        won = f", {experiment.winner} won" if experiment.winner else ""
        print_text(f"{experiment.experiment_id} is {experiment.state}{won}: {experiment.name}")


def _as_object(experiment: Experiment, look: Look) -> dict[str, object]:
    from dataclasses import asdict

    from agents.learning.experiments.sequential import verdict
    from streams.json_records import render_record

    figures = [asdict(each) | {"variance": each.variance if each.posts > 1 else None} for each in look.figures]
    return {
        "experiment": render_record(experiment),
        "styles": figures,
        "differences": [asdict(each) for each in look.differences],
        "losers": look.losers,
        "probability_of_shares": look.uneven,
        "verdict": verdict(experiment, look),
    }
