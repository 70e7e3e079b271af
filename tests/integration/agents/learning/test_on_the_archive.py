"""The predictor on real randomized tests: what the reduced model learns, and what `learning evaluate` tells."""

from __future__ import annotations

import csv
import gzip
import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from agents.learning.commands import learning
from agents.learning.evaluation import evaluate, share_right
from agents.learning.evidence.folds import fold_of_tests
from agents.learning.evidence.headline_tests import BadTests, read_tests
from agents.learning.evidence.pairs import pairs_of
from agents.learning.model_file import read_model
from agents.learning.training import train
from agents.scoring.hook_strength import hook_strength
from tests.conftest import UPWORTHY_CSV

KEYS = {"pairs", "significant_pairs", "accuracy", "accuracy_interval", "ece", "ceiling"}
KEYS |= {"predictions_per_second", "model_bytes"}
FEW = 400
HOOKS = ["What he found beneath the floor made her cry.", "Should you look beneath your floor?", "Look below."]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return two files without a headline in common: `known` with four folds of five, `others` with the fifth."""
    if not UPWORTHY_CSV.exists():
        pytest.skip(f"real data set not there: {UPWORTHY_CSV.name} is looked for in shared/data next to the repository")
    tests = read_tests(UPWORTHY_CSV)
    folds = dict(zip(tests.test_ids, fold_of_tests(tests).tolist(), strict=True))
    folder = tmp_path_factory.mktemp("archive")
    found = {name: folder / f"{name}.csv" for name in ("known", "others", "few")}
    with ExitStack() as open_files:
        rows = csv.DictReader(open_files.enter_context(gzip.open(UPWORTHY_CSV, "rt", encoding="utf-8", newline="")))
        writers = {
            name: csv.DictWriter(open_files.enter_context(path.open("w", newline="")), rows.fieldnames or [])
            for name, path in found.items()
        }
        for writer in writers.values():
            writer.writeheader()
        few = set(tests.test_ids[:FEW])
        for row in rows:
            writers["others" if folds[row["test_id"]] == 0 else "known"].writerow(row)
            if row["test_id"] in few:
                writers["few"].writerow(row)
    return found


@pytest.fixture(scope="module")
def reduced(parts: dict[str, Path]) -> Path:
    """Return the file of a model of the known tests, without the encoder's layers."""
    path = parts["known"].with_name("model.bin")
    told = CliRunner().invoke(learning, ["train", str(parts["known"]), "--fast", "--to", str(path), "--json"])
    assert told.exit_code == 0, told.output
    return path


def test_a_reduced_model_beats_hook_strength_on_tests_it_has_not_seen(parts: dict[str, Path], reduced: Path) -> None:
    tests = read_tests(parts["others"])
    pairs = pairs_of(tests)
    strengths = read_model(reduced).strengths(tests.headlines)
    scores = np.array([hook_strength(headline, "en")[0] for headline in tests.headlines])
    learned, ruled = (
        share_right("", pairs, 0.5 + np.sign(each[tests.text[pairs.first]] - each[tests.text[pairs.second]]) / 4, clear)
        for each, clear in ((strengths, pairs.significant), (scores, pairs.significant))
    )
    assert learned.accuracy is not None
    assert ruled.accuracy is not None
    assert learned.accuracy > max(ruled.accuracy + 0.02, 0.66)


def test_evaluate_tells_figures_of_tests_not_seen_whatever_the_file(parts: dict[str, Path], tmp_path: Path) -> None:
    """A model learns from some tests; on a file of these it is cross-validated, on others it is used as it is."""
    run, model = CliRunner(), str(tmp_path / "model.bin")
    assert run.invoke(learning, ["train", str(parts["few"]), "--fast", "--to", model]).exit_code == 0
    for name in ("few", "others"):
        told = run.invoke(learning, ["evaluate", str(parts[name]), "--model", model, "--json"])
        assert told.exit_code == 0, told.output
        figures = json.loads(told.stdout)
        assert figures.keys() >= KEYS
        assert 0.5 < figures["accuracy"] < 0.8  # a model that was asked about what it had seen would be right at .9
        low, high = figures["accuracy_interval"]
        assert low < figures["accuracy"] < high
        assert figures["ceiling"] > 0.95
        assert figures["predictions_per_second"] > 500  # of one busy core; a quiet one does ten times as many
        assert figures["model_bytes"] < 20_000_000
        seen = set(read_tests(parts[name]).test_ids) & set(read_tests(parts["few"]).test_ids)
        assert figures["cross_validated_tests"] == len(seen)
    table = run.invoke(learning, ["evaluate", str(parts["few"]), "--model", model], env={"COLUMNS": "80"})
    assert max(map(len, table.stdout.splitlines())) <= 80


def test_training_gives_the_same_model_again(parts: dict[str, Path]) -> None:
    few = read_tests(parts["few"])
    tests = few.only(np.arange(len(few.test_ids)) < 40)
    one, other = train(tests, layers=0), train(tests, layers=0)
    assert np.array_equal(one.weights, other.weights)
    assert one.slope == other.slope


def test_tests_without_a_clear_difference_have_no_accuracy(parts: dict[str, Path], reduced: Path) -> None:
    tests = read_tests(parts["others"])
    pairs = pairs_of(tests)
    unclear = np.ones(len(tests.test_ids), dtype=bool)
    unclear[pairs.test[pairs.significant]] = False
    found = evaluate(tests.only(unclear), read_model(reduced))
    assert found.significant.pairs == 0
    assert (found.significant.accuracy, found.ece, found.ceiling) == (None, None, None)


def test_too_few_tests_give_no_model(parts: dict[str, Path], tmp_path: Path) -> None:
    few = tmp_path / "few.csv"
    few.write_text("\n".join(parts["few"].read_text().splitlines()[:20]))
    with pytest.raises(BadTests, match="tests are too few to learn from; give 25 or more"):
        train(read_tests(few))


@pytest.mark.parametrize("model", ["shipped", "fast"])
def test_shipped_models_rank_hooks_and_say_why(model: str) -> None:
    told = CliRunner().invoke(learning, ["predict", *HOOKS, "--model", model, "--json"])
    assert told.exit_code == 0, told.output
    figures = json.loads(told.stdout)
    assert figures["best"] == HOOKS[0]
    assert 0.5 < figures["probability"] < 1
    assert all(each["reasons"] for each in figures["hooks"])
    beats = np.array(figures["beats"])
    assert beats + beats.T == pytest.approx(np.ones((3, 3)), abs=2e-4)
    shown = CliRunner().invoke(learning, ["predict", *HOOKS, "--model", model], env={"COLUMNS": "80"})
    assert max(map(len, shown.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "one"], "give two different hooks or more"),
        (["predict", "one", "one"], "give two different hooks or more"),
        (["predict", "one", " "], "1 of the hooks is empty"),
    ],
)
def test_what_is_no_choice_is_refused(arguments: list[str], said: str) -> None:
    told = CliRunner().invoke(learning, arguments)
    assert told.exit_code == 2
    assert said in told.output
