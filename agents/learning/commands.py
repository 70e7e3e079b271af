"""The commands `threads-agent learning train|evaluate|predict`, and the group `learning quality`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agents.learning.quality.commands import quality
from streams.cli.table import print_table, wide_option

if TYPE_CHECKING:
    from agents.learning.evaluation import Evaluation
    from agents.learning.evidence.headline_tests import HeadlineTests
    from agents.learning.judge_gain import Gain
    from agents.learning.ranking import Ranking
    from schemas.records import HookArms
    from streams.settings import Settings

SHIPPED_NAMES = ("shipped", "fast")
judge_option = click.option(
    "--judge", metavar="MODEL", help="A language model to ask, of the provider of the settings."
)


@click.group(epilog='Example: threads-agent learning predict "What he found under the floor" "Look under your floor"')
def learning() -> None:
    """Learn which hooks readers take, predict it, and learn what makes a good post."""


learning.add_command(quality)


@learning.command(epilog="Example: threads-agent learning train headlines.csv.gz")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), help="File of the model. Default: THREADS_HOOK_PREDICTOR.")
@click.option("--fast", is_flag=True, help="Without the encoder's layers: some per cent worse, many times as fast.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def train(*, file: Path, to: Path | None, fast: bool, as_json: bool) -> None:
    """Learn from randomized tests of headlines: columns test_id, headline, impressions, clicks."""
    from agents.learning.evidence.headline_tests import read_tests
    from agents.learning.model_file import bytes_of, write_model
    from agents.learning.settings import trained_file
    from agents.learning.training import SHIPPED_LAYERS, train
    from streams.settings import current_settings

    path = to or trained_file(current_settings())
    model = train(read_tests(file), 0 if fast else SHIPPED_LAYERS, step=_say)
    write_model(model, path)
    told = {"model": str(path), "tests": model.trained.tests, "pairs": model.trained.pairs, "bytes": bytes_of(path)}
    click.echo(json.dumps(told) if as_json else f"{path}: learned from {model.trained.tests:,} tests")


@learning.command(epilog="Example: threads-agent learning evaluate headlines.csv.gz --json")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", metavar="FILE", help=f"A model's file, or {' or '.join(SHIPPED_NAMES)}. Default: the home's.")
@click.option("--baselines", "with_baselines", is_flag=True, help="Train and show the baselines too; minutes.")
@judge_option
@click.option("--sample", type=click.IntRange(min=1), default=200, show_default=True, help="Pairs for the judge.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which pairs the judge gets.")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(
    *,
    file: Path,
    model: str | None,
    with_baselines: bool,
    judge: str | None,
    sample: int,
    seed: int,
    wide: bool,
    as_json: bool,
) -> None:
    """Show how often the predictor is right on tests it has not seen; those it learned from are cross-validated."""
    from agents.learning.baselines import baselines
    from agents.learning.evaluation import evaluate
    from agents.learning.evidence.headline_tests import read_tests
    from agents.learning.model_file import bytes_of, read_model
    from agents.learning.tables import baseline_table, figure_lines, judge_lines, judge_table, share_table

    path = _model_path(model)
    predictor, tests = read_model(path), read_tests(file)
    found = evaluate(tests, predictor, _say)
    others = list(baselines(tests, predictor.layers, _say)) if with_baselines else []
    gain = asyncio.run(_gain(judge, tests, found, sample, seed)) if judge else None
    if as_json:
        told = _as_object(found, bytes_of(path))
        if gain is not None:
            told["judge"] = _gain_as_object(gain)
        if others:
            told["baselines"] = {each.name: each.accuracy for each in others}
        click.echo(json.dumps(told, indent=2))
        return
    print_table(share_table(found), wide=wide)
    for line in figure_lines(found, bytes_of(path)):
        click.echo(line)
    if others:
        print_table(baseline_table(others), wide=wide)
    if gain is not None:
        print_table(judge_table(gain), wide=wide)
        for line in judge_lines(gain):
            click.echo(line)


@learning.command(epilog='Example: threads-agent learning predict "He quit at 40." "Should you quit?" --json')
@click.argument("hooks", nargs=-1, required=True, metavar="HOOK HOOK...")
@click.option("--model", metavar="FILE", help=f"A model's file, or {' or '.join(SHIPPED_NAMES)}. Default: the home's.")
@judge_option
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def predict(*, hooks: tuple[str, ...], model: str | None, judge: str | None, wide: bool, as_json: bool) -> None:
    """Say which of two or more hooks readers prefer, with probabilities and reasons, the best first."""
    from agents.learning.model_file import read_model
    from agents.learning.ranking import ranked
    from agents.learning.tables import ranking_table

    if len(set(hooks)) < 2:  # noqa: PLR2004 - one is no choice
        raise click.UsageError("give two different hooks or more")
    if blank := [hook for hook in hooks if not hook.strip()]:
        raise click.UsageError(f"{len(blank)} of the hooks is empty")
    if judge and model:
        raise click.UsageError("give --judge or --model: the one is asked instead of the other")
    differing = list(dict.fromkeys(hooks))
    found = asyncio.run(_judged(judge, differing)) if judge else ranked(read_model(_model_path(model)), differing)
    if as_json:
        click.echo(json.dumps(found.as_object(), ensure_ascii=False, indent=2))
        return
    print_table(ranking_table(found), wide=wide)


@learning.command(epilog="Example: threads-agent learning arms --persona balcony-bea")
@click.option("--persona", metavar="ID", help="Of one persona. Default: all.")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def arms(*, persona: str | None, wide: bool, as_json: bool) -> None:
    """Show what the hook styles of personas are worth by their posts, and how probable each is for the next draft."""
    from agents.learning.bandit.arms_record import arms_in
    from agents.learning.bandit.choosing import propensities
    from agents.learning.tables import arms_table
    from streams.json_records import render_record
    from streams.settings import current_settings

    found = [each for each in asyncio.run(_arms(current_settings())) if persona in (None, each.persona_id)]
    if as_json:
        told = []
        for each in found:
            shares = propensities(arms_in(each), tuple(arm.style for arm in each.arms))
            told.append(render_record(each) | {"propensities": shares})
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    elif found:
        print_table(arms_table(found), wide=wide)
    else:
        whose = f"persona {persona}" if persona else "any persona"
        click.echo(f"no posts of chosen hook styles of {whose} are an hour old: its styles are chosen evenly")


async def _arms(settings: Settings) -> list[HookArms]:
    from agents.learning.arms_directory import arms_directory
    from streams.kafka.cluster import Cluster

    cluster = await Cluster.reached(settings)
    directory = await arms_directory(cluster, cluster.open_registry()).read_once()
    return directory.records()


async def _judged(model: str, hooks: list[str]) -> Ranking:
    from agents.learning.llm_judge import opened_judge
    from agents.learning.ranking import judged_pairs, ranked_by_judge
    from agents.learning.tables import bill
    from streams.settings import current_settings

    async with opened_judge(current_settings(), model) as judge:
        judged = await judge.judge(judged_pairs(hooks))
    _say(f"{judged.calls:,} calls: {bill(judged)}")
    if not judged.answered.all():
        _say(f"{model} gave no usable answer to {int((~judged.answered).sum())} of {len(judged.answered)} pairs")
    return ranked_by_judge(hooks, judged)


async def _gain(model: str, tests: HeadlineTests, found: Evaluation, sample: int, seed: int) -> Gain | None:
    from agents.learning.judge_gain import gain_of
    from agents.learning.llm_judge import opened_judge
    from streams.settings import current_settings

    _say(f"asking {model}")
    async with opened_judge(current_settings(), model) as judge:
        return await gain_of(judge, tests, found, sample=sample, seed=seed)


def _model_path(named: str | None) -> Path:
    from agents.learning.model_file import SHIPPED, SHIPPED_FAST
    from agents.learning.settings import trained_file
    from streams.settings import current_settings

    if named in SHIPPED_NAMES:
        return SHIPPED if named == "shipped" else SHIPPED_FAST
    if named:
        return Path(named)
    settings = current_settings()
    path = trained_file(settings)
    return path if path.exists() else SHIPPED


def _say(what: str) -> None:
    click.echo(what, err=True)


def _as_object(found: Evaluation, model_bytes: int) -> dict[str, object]:
    return {
        "pairs": found.pairs,
        "significant_pairs": found.significant.pairs,
        "accuracy": found.significant.accuracy,
        "accuracy_interval": found.significant.interval,
        "ece": found.ece,
        "ceiling": found.ceiling,
        "predictions_per_second": round(found.predictions_per_second),
        "model_bytes": model_bytes,
        "tests": found.tests,
        "cross_validated_tests": found.seen_tests,
        "accuracy_of_all_pairs": found.every.accuracy,
        "ece_of_all_pairs": found.ece_every,
        "left_out": found.left_out,
        "parts": {
            each.name: {"pairs": each.pairs, "accuracy": each.accuracy, "interval": each.interval}
            for each in found.parts
        },
    }


def _gain_as_object(gain: Gain) -> dict[str, object]:
    judged = gain.judged
    return {
        "model": judged.model,
        "pairs": gain.judge.pairs,
        "unanswered": int((~judged.answered).sum()),
        "accuracy": gain.judge.accuracy,
        "accuracy_interval": gain.judge.interval,
        "predictor_accuracy": gain.predictor.accuracy,
        "together_accuracy": gain.together.accuracy,
        "gained": gain.gained,
        "gained_interval": gain.gained_interval,
        "calls": judged.calls,
        "prompt_tokens": judged.prompt_tokens,
        "completion_tokens": judged.completion_tokens,
        "cost_micros": judged.cost_micros,
        "seconds": round(judged.seconds, 1),
    }
