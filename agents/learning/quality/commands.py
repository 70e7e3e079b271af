"""The commands `threads-agent learning quality train|list|show|rollback|promote`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

from streams.cli.table import print_table, print_text, wide_option

if TYPE_CHECKING:
    from agents.learning.quality.promotion import Change, Written

NOT_DONE_EXIT_STATUS = 1


@click.group(epilog="Example: threads-agent learning quality train")
def quality() -> None:
    """Learn the weights of the quality score from what posts brought."""


@quality.command(epilog="Example: threads-agent learning quality train --dry-run")
@click.option("--dry-run", is_flag=True, help="Show what would be learned, and change nothing.")
@click.option("--simulated", is_flag=True, help="Learn from simulated engagement too; the model says so of itself.")
@click.option("--by", default=None, help="Who does it. Default: user and machine.")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def train(ctx: click.Context, *, dry_run: bool, simulated: bool, by: str | None, wide: bool, as_json: bool) -> None:
    """Learn weights from posts and their drafts, and put them in force where they are not worse on later posts.

    Exit status 1 where nothing could be learned, or what was learned may not come into force.
    """
    from agents.learning.quality.promotion import read_models, train
    from agents.learning.quality.tables import training_lines, training_object, weights_table, written_line
    from streams.settings import current_settings

    settings = current_settings()
    found, written = asyncio.run(train(settings, _change(by), with_simulated=simulated, dry_run=dry_run))
    in_force = asyncio.run(read_models(settings)).now()
    if as_json:
        click.echo(json.dumps(training_object(found, in_force.version), indent=2))
    else:
        told = f"would be {found.outcome}" if dry_run and written is None and found.learned else found.outcome
        print_text(told if found.learned is None else f"{found.learned.version}: {told}")
        if found.reason:
            print_text(f"  {found.reason}")
        if found.learned is not None:
            learned = {each.name: each.weight for each in found.learned.weights}
            print_table(weights_table(in_force, "learned", learned), wide=wide)
        for line in training_lines(found):
            print_text(line)
        if written is not None:
            print_text(written_line(written))
    is_done = found.outcome in ("promoted", "nothing new") and (written is None or written.has_won)
    ctx.exit(0 if is_done else NOT_DONE_EXIT_STATUS)


@quality.command("list", epilog="Example: threads-agent learning quality list --json")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(*, wide: bool, as_json: bool) -> None:
    """List the models: which is in force, how right each was on later posts, and who did what."""
    from agents.learning.quality.promotion import read_models
    from agents.learning.quality.tables import model_object, models_table
    from streams.settings import current_settings

    models = asyncio.run(read_models(current_settings()))
    if as_json:
        told = {"in_force": models.now().version, "models": [model_object(models, each) for each in models.known()]}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    print_table(models_table(models), wide=wide)


@quality.command(epilog="Example: threads-agent learning quality show 5d1e77aa90c4b3f2")
@click.argument("version", required=False)
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(*, version: str | None, wide: bool, as_json: bool) -> None:
    """Show the weights and figures of VERSION, or of what is in force."""
    from agents.learning.quality.promotion import find_model, read_models
    from agents.learning.quality.tables import model_lines, model_object, weights_table
    from streams.settings import current_settings

    models = asyncio.run(read_models(current_settings()))
    record = find_model(models, version or models.now().version)
    if as_json:
        click.echo(json.dumps(model_object(models, record), ensure_ascii=False, indent=2))
        return
    for line in model_lines(models, record):
        print_text(line)
    weights = {each.name: each.weight for each in record.weights}
    print_table(weights_table(models.now(), record.version, weights), wide=wide)


@quality.command(epilog='Example: threads-agent learning quality rollback --because "posts read like lists"')
@click.option(
    "--of", metavar="VERSION", help="Only where this is in force: of two who do it at once none goes further."
)
@click.option("--to", metavar="VERSION", help="What shall be in force, or built-in. Default: what was before.")
@click.option("--because", default=None, help="Why, for those who see the list.")
@click.option("--by", default=None, help="Who does it. Default: user and machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def rollback(
    ctx: click.Context, *, of: str | None, to: str | None, because: str | None, by: str | None, as_json: bool
) -> None:
    """Take the model in force out for good: no training promotes it again, or one that is nearly the same.

    Exit status 1 where somebody else put another one in force at the same time.
    """
    from agents.learning.quality.promotion import roll_back
    from streams.settings import current_settings

    _tell(ctx, asyncio.run(roll_back(current_settings(), _change(by, because), of=of, to=to)), as_json=as_json)


@quality.command(epilog="Example: threads-agent learning quality promote 5d1e77aa90c4b3f2")
@click.argument("version")
@click.option("--anyway", is_flag=True, help="Though it was refused or rolled back.")
@click.option("--by", default=None, help="Who does it. Default: user and machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def promote(ctx: click.Context, *, version: str, anyway: bool, by: str | None, as_json: bool) -> None:
    """Put VERSION in force, or built-in; exit status 1 where somebody else put another one in force meanwhile."""
    from agents.learning.quality.promotion import promote
    from streams.settings import current_settings

    _tell(ctx, asyncio.run(promote(current_settings(), version, _change(by), anyway=anyway)), as_json=as_json)


def _tell(ctx: click.Context, written: Written, *, as_json: bool) -> None:
    from agents.learning.quality.tables import written_line, written_object

    if as_json:
        click.echo(json.dumps(written_object(written), ensure_ascii=False, indent=2))
    else:
        print_text(written_line(written))
    ctx.exit(0 if written.has_won else NOT_DONE_EXIT_STATUS)


def _change(by: str | None, because: str | None = None) -> Change:
    from agents.learning.quality.promotion import Change
    from streams.operations.runs import who
    from streams.wall_clock import utc_now

    return Change(by or who(), utc_now(), because)
