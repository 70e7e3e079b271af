"""The command `threads-agent deduplication report`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli.table import Column, Table, print_table, wide_option

if TYPE_CHECKING:
    from agents.deduplication.tuning import Counts, GoalFigures, LabelledPair

Figures = dict[str, tuple["GoalFigures", "GoalFigures"]]
OFFLINE = ("blend", "wordllama", "ngram")  # a test holds it to agents/embedding/embedders.py


@click.group(epilog="Example: threads-agent deduplication report --json")
def deduplication() -> None:
    """Measure how well duplicates are told from other drafts."""


@deduplication.command(epilog="Example: threads-agent deduplication report --embedder blend --pairs my-pairs.yaml")
@click.option(
    "--embedder",
    "embedders",
    type=click.Choice([*OFFLINE, "openai"]),
    multiple=True,
    help="Only this one; openai calls the provider with the shipped pairs, 40,000 tokens. Default: all offline ones.",
)
@click.option("--pairs", type=click.Path(path_type=Path), multiple=True, help="Labelled pairs; default: those shipped.")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def report(*, embedders: tuple[str, ...], pairs: tuple[Path, ...], wide: bool, as_json: bool) -> None:
    """Show precision, recall, F1 and the best limits of each embedder on labelled pairs."""
    from agents.deduplication.tuning import SHIPPED, read_pairs

    found = asyncio.run(_measured(embedders or OFFLINE, read_pairs(pairs or SHIPPED)))
    if as_json:
        click.echo(json.dumps(_as_object(found), indent=2))
        return
    for table in (_quality_table(found), _kind_table(found)):
        print_table(table, wide=wide)


async def _measured(names: Sequence[str], pairs: Sequence[LabelledPair]) -> Figures:
    from agents.deduplication.tuning import figures_of, similarities_of
    from agents.embedding.embedders import embedder_of
    from agents.embedding.settings import EmbeddingSettings
    from streams.settings import current_settings

    settings = current_settings()
    found: Figures = {}
    for name in names:
        embedder = embedder_of(settings.having(settings.of(EmbeddingSettings).model_copy(update={"embedder": name})))
        try:
            found[name] = figures_of(await similarities_of(embedder, pairs))
        finally:
            await embedder.close()
    return found


def _as_object(found: Figures) -> dict[str, object]:
    return {
        name: {
            key: {
                "limit": figures.limit,
                "fitted": _rates(figures.fitted),
                "held_out": _rates(figures.held_out),
                "caught": {kind: {"caught": some, "of": all_} for kind, (some, all_) in figures.caught.items()},
            }
            for key, figures in zip(("own", "across"), both, strict=True)
        }
        for name, both in found.items()
    }


def _rates(counts: Counts) -> dict[str, float]:
    return {
        "precision": round(counts.precision, 3),
        "recall": round(counts.recall, 3),
        "f1": round(counts.f1, 3),
    }


def _quality_table(found: Figures) -> Table:
    columns = [Column("embedder", "id"), Column("against")]
    columns += [Column(heading, "number") for heading in ("best limit", "precision", "recall", "F1")]
    rows = [
        (name, each.goal.name, f"{each.limit:.2f}", *(f"{value:.2f}" for value in _rates(each.held_out).values()))
        for name, both in found.items()
        for each in both
    ]
    return Table(columns, rows, title="On pairs not fitted on")


def _kind_table(found: Figures) -> Table:
    figures = [(name, each) for name, both in found.items() for each in both]
    kinds = list(dict.fromkeys(kind for _, each in figures for kind in each.caught))
    columns = [Column("label"), *(Column(f"{name} {each.goal.name}", "number") for name, each in figures)]
    rows = [(kind, *("{}/{}".format(*each.caught.get(kind, (0, 0))) for _, each in figures)) for kind in kinds]
    return Table(columns, rows, title="Taken for duplicates at the best limit")
