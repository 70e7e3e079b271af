"""The command `threads-agent bench learning`: predictor, bandit and off-policy evaluation on randomized tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from agents.learning.baselines import baselines
from agents.learning.evaluation import Evaluation, Share, evaluate
from agents.learning.evidence.headline_tests import read_tests
from agents.learning.features.hook_features import features_of
from agents.learning.model_file import SHIPPED, SHIPPED_FAST, bytes_of, read_model
from agents.learning.tables import baseline_table, figure_lines, share_table
from agents.learning.training import unseen_strengths
from streams.cli.table import Column, Table, print_table, print_text
from tests.benchmarks.learning.arms_of_tests import arms_of_tests
from tests.benchmarks.learning.judged_logs import JudgedEstimator, judged_estimators
from tests.benchmarks.learning.plots import write_plots
from tests.benchmarks.learning.regret import HORIZONS, POST_VIEWS, Regret, Saving, regrets
from tests.benchmarks.printing import print_json

WITH_PREDICTOR, WITHOUT = "Thompson + predictor", "Thompson"


@click.command("learning", epilog="Example: threads-agent bench learning headlines.csv.gz --plots plots")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--fast", is_flag=True, help="With the fast model: a quarter of the time.")
@click.option("--baselines", "with_baselines", is_flag=True, help="Train and show the predictor's baselines; minutes.")
@click.option("--plots", type=click.Path(path_type=Path), metavar="FOLDER", help="Write pictures into a folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def learning(*, file: Path, fast: bool, with_baselines: bool, plots: Path | None, as_json: bool) -> None:
    """Measure on a file of randomized tests how right the predictor is, and how many clicks the bandit saves by it.

    Every test is judged by models that have not seen it. Ways of choosing are replayed over the tests' own click rates
    with a fixed seed; off-policy estimates are compared with the truth that they don't know.
    """
    path = SHIPPED_FAST if fast else SHIPPED
    model, tests = read_model(path), read_tests(file)
    evaluation = evaluate(tests, model, _say)
    others = list(baselines(tests, model.layers, _say)) if with_baselines else []
    arms = arms_of_tests(tests, unseen_strengths(tests, features_of(tests.headlines, model.layers), model.scales, _say))
    left, whole = (float(1 / (arms.base * (1 - arms.base) * worth).mean()) for worth in (arms.views, arms.base_views))
    _say("replaying the tests")
    found = list(regrets(arms))
    judged = list(judged_estimators(arms))
    if as_json:
        variances = {"left_by_the_predictor": left, "within_tests": whole}
        print_json(_as_object(evaluation, others, found, judged) | {"log_odds_variance": variances})
    else:
        print_table(share_table(evaluation))
        for line in figure_lines(evaluation, bytes_of(path)):
            click.echo(line)
        if others:
            print_table(baseline_table(others))
        print_table(regret_table(found))
        print_text(f"variance of log odds within tests: {whole:.3f}, left by the predictor: {left:.3f}")
        print_text(f"{WITH_PREDICTOR} loses less than {WITHOUT} at 1,000 views an arm:")
        print_text(f"  {_saved(_gain(found))}")
        print_table(estimator_table(judged))
    if plots is not None:
        for picture in write_plots(plots, found, evaluation):
            _say(f"wrote {picture}")


def regret_table(found: Sequence[Regret]) -> Table:
    """Return what each policy loses at 1,000 views an arm, and what it saves against equal split by horizon."""
    columns = [Column("policy"), Column("lost", "number"), *(Column(f"{each:,}", "number") for each in HORIZONS)]
    rows = []
    for each in found:
        savings = each.saved_against(found[0])
        shown = [f"{saving.share:.1%}" for saving in savings]
        main = HORIZONS.index(1_000)
        shown[main] = _saved(savings[main])
        rows.append((each.policy, f"{each.lost[:, main].mean():.2f}", *shown))
    title = f"Clicks lost at 1,000 views an arm, and saved by views an arm ({POST_VIEWS} a post)"
    return Table(columns, rows, title=title)


def estimator_table(found: Sequence[JudgedEstimator]) -> Table:
    """Return how off-policy estimators did."""
    columns = [Column("estimator"), *(Column(name, "number") for name in ("bias", "error", "coverage"))]
    rows = [(each.name, f"{each.bias:+.2%}", f"{each.error:.2%}", f"{each.coverage:.0%}") for each in found]
    return Table(columns, rows, title=f"Off-policy estimates, {found[0].logs} logs of {found[0].choices:,} choices")


def _gain(found: Sequence[Regret]) -> Saving:
    by_name = {each.policy: each for each in found}
    return by_name[WITH_PREDICTOR].saved_against(by_name[WITHOUT])[HORIZONS.index(1_000)]


def _saved(saving: Saving) -> str:
    return f"{saving.share:.1%} ({saving.low:.1%} to {saving.high:.1%})"


def _say(what: str) -> None:
    click.echo(what, err=True)


def _as_object(
    evaluation: Evaluation, others: Sequence[Share], found: Sequence[Regret], judged: Sequence[JudgedEstimator]
) -> dict[str, object]:
    return {
        "accuracy": evaluation.significant.accuracy,
        "accuracy_interval": evaluation.significant.interval,
        "significant_pairs": evaluation.significant.pairs,
        "ece": evaluation.ece,
        "ceiling": evaluation.ceiling,
        "predictions_per_second": round(evaluation.predictions_per_second),
        "parts": {each.name: [each.pairs, each.accuracy, each.interval] for each in evaluation.parts},
        "baselines": {each.name: [each.accuracy, each.interval] for each in others},
        "horizons": HORIZONS,
        "policies": {
            each.policy: {
                "lost": each.lost.mean(axis=0).tolist(),
                "saved": [asdict(saving) for saving in each.saved_against(found[0])],
            }
            for each in found
        },
        "saved_by_the_predictor": asdict(_gain(found)),
        "estimators": [asdict(each) for each in judged],
    }
