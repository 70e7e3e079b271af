"""The command `threads-agent export finetune`."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli.table import print_text

if TYPE_CHECKING:
    from agents.finetuning.choosing import PublishedPost
    from streams.settings import Settings

TIMEOUT_S = 60.0
TOO_FEW_EXIT_STATUS = 1


@click.group(epilog="Example: threads-agent export finetune --to finetuning")
def export() -> None:
    """Export what others can use."""


@export.command(epilog="Example: threads-agent export finetune --to finetuning --top 0.25 --min-views 100")
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the files.")
@click.option("--persona", metavar="ID", help="Of one persona. Default: all.")
@click.option("--top", type=click.FloatRange(0, 1, min_open=True), default=0.25, show_default=True, help="Best share.")
@click.option("--min-views", type=click.IntRange(1), default=100, show_default=True, help="Least views of a post.")
@click.option("--validation", type=click.FloatRange(0, 0.9), default=0.1, show_default=True, help="Share kept back.")
@click.option("--simulated", is_flag=True, help="Take simulated posts too; the card says how many they are.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def finetune(
    ctx: click.Context,
    /,
    *,
    to: Path,
    persona: str | None,
    top: float,
    min_views: int,
    validation: float,
    simulated: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Write posts that did well as examples to fine-tune a model with: train.jsonl, validation.jsonl, and card.md.

    Exit status 1 where there are fewer than the provider needs; the files are written all the same.
    """
    from agents.finetuning.choosing import Wanted, chosen
    from agents.finetuning.examples import LEAST_EXAMPLES, files_of
    from streams.errors import SettingsError
    from streams.settings import current_settings

    wanted = Wanted(min_views, top, simulated)
    found = chosen(asyncio.run(read_posts(current_settings(), persona)), wanted)
    whose = f" --persona {persona}" if persona else ""
    marked = " --simulated" if simulated else ""
    command = f"threads-agent export finetune --top {top:g} --min-views {min_views}{whose}{marked}"
    files = files_of(found, wanted, validation, command)
    texts = {"train.jsonl": files.training, "validation.jsonl": files.validation, "card.md": files.card}
    there = [name for name in texts if (to / name).exists()]
    if there and not force:
        raise SettingsError(f"{to / there[0]} is there already: give --force, or another folder with --to")
    try:
        to.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _write(to / name, text)
    except OSError as error:
        raise SettingsError(f"{to} can't be written to: {error.strerror}; give another folder with --to") from error
    training = files.training.count("\n")
    told = {"folder": str(to), "training": training, "validation": files.validation.count("\n")}
    if as_json:
        click.echo(json.dumps(told | {"left_out": dict(found.left_out)}, indent=2))
    else:
        print_text(f"{to}: {training:,} examples to train on, {told['validation']:,} to validate with, and card.md")
        for reason, count in sorted(found.left_out.items()):
            print_text(f"  left out: {count:,} x {reason}")
    if training < LEAST_EXAMPLES:
        print_text(
            f"the provider needs {LEAST_EXAMPLES} examples or more: lower --min-views, raise --top"
            + ("" if simulated else ", or take simulated posts with --simulated to try it out")
        )
        ctx.exit(TOO_FEW_EXIT_STATUS)


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


async def read_posts(settings: Settings, persona_id: str | None) -> list[PublishedPost]:
    """Return the posts of accepted drafts as PostgreSQL has them.

    Raises:
        Unavailable: it does not answer.
        SettingsError: there is none, or it has no such tables.
    """
    from agents.finetuning.choosing import PublishedPost
    from streams.endpoints import require_postgres
    from streams.postgres_session import read_rows

    query = Path(__file__).with_name("posts.sql").read_text(encoding="utf-8")
    return await read_rows(require_postgres(settings), query, {"persona_id": persona_id}, PublishedPost, TIMEOUT_S)
