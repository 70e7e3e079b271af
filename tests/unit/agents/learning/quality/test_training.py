"""Training: what is promoted, refused and nothing new, and why; the same posts give the same version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from agents.learning.quality.model_record import usable_weights
from agents.learning.quality.posts import SIMULATED, Post
from agents.learning.quality.promotion import Change, changed, record_of
from agents.learning.quality.tables import training_lines, warnings
from agents.learning.quality.training import (
    LEAST_HOLDOUT_POSTS,
    LEAST_TRAINED_POSTS,
    Training,
    split,
    trained,
)
from agents.scoring.weights import BUILT_IN, QualityWeights
from schemas.records import ModelState, QualityModel
from tests.support.drafting import NOW
from tests.support.quality_posts import FIRST, HOOKS_PAY, LENGTH_PAYS, drawn_posts, material, model

THRESHOLD = 0.72
MANY = drawn_posts(1200, HOOKS_PAY, 11)
CHANGE = Change("tester", NOW)


def training(
    posts: Sequence[Post], in_force: QualityWeights = BUILT_IN, known: Sequence[QualityModel] = ()
) -> Training:
    return trained(material(posts), in_force, known, threshold=THRESHOLD)


def recorded(found: Training, state: ModelState = "promoted") -> QualityModel:
    assert found.learned is not None
    return record_of(found.learned, state, replace(CHANGE, reason=found.reason), incumbent=BUILT_IN.version)


def test_weights_that_are_right_more_often_are_promoted_with_their_figures() -> None:
    found = training(MANY)
    assert (found.outcome, found.reason) == ("promoted", None)
    assert found.learned is not None
    assert (found.learned.trained_posts, found.learned.holdout_posts) == (840, 360)
    judgement = found.judgement
    assert judgement.interval is not None
    assert judgement.score is not None
    assert judgement.incumbent_score is not None
    assert judgement.interval[0] > 0
    assert judgement.gain == pytest.approx(judgement.score - judgement.incumbent_score, abs=2e-6)
    assert usable_weights(recorded(found)).weights["hook_strength"] > 0.35
    assert any("gain" in line for line in training_lines(found))


def test_the_holdout_is_what_was_published_last() -> None:
    earlier, later = split(MANY)
    assert max(each.published_at for each in earlier) < min(each.published_at for each in later)
    assert 0.28 < len(later) / len(MANY) < 0.32


def test_the_same_log_in_another_order_gives_the_same_version_bit_for_bit() -> None:
    shuffled = list(MANY)
    Random(3).shuffle(shuffled)
    assert training(shuffled) == training(MANY)


def test_the_version_does_not_depend_on_what_is_in_force_and_a_second_training_finds_nothing_new() -> None:
    first = training(MANY)
    record = recorded(first)
    again = training(MANY, usable_weights(record), [record])
    assert again.learned == first.learned
    assert (again.outcome, again.reason) == (
        "nothing new",
        f"the same posts gave {record.version} before: it is in force",
    )


def test_weights_that_are_worse_than_those_in_force_are_refused() -> None:
    turned = drawn_posts(700, LENGTH_PAYS, 5) + drawn_posts(300, HOOKS_PAY, 6, start=FIRST + timedelta(days=100))
    found = training(turned)
    assert found.outcome == "refused"
    assert found.judgement.gain is not None
    assert found.judgement.gain < 0
    assert found.reason is not None
    assert found.reason.startswith("it puts ")
    refused = recorded(found, "refused")
    assert training(turned, known=[refused]).outcome == "nothing new"
    elsewhere = model(LENGTH_PAYS)
    other = training(turned, usable_weights(elsewhere), [replace(refused), elsewhere])
    assert other.learned == found.learned
    assert other.outcome != "nothing new", "it was refused beside other weights"


def test_a_model_that_was_rolled_back_is_not_promoted_again_nor_one_that_is_nearly_the_same() -> None:
    rolled_back = changed(recorded(training(MANY)), "rolled_back", Change("ada", NOW, "posts read like lists"))
    again = training(MANY, known=[rolled_back])
    assert (again.outcome, again.reason) == (
        "nothing new",
        f"the same posts gave {rolled_back.version} before: rolled back by ada, posts read like lists",
    )
    one_more = training(MANY[:-1], known=[rolled_back])
    assert one_more.learned is not None
    assert one_more.learned.version != rolled_back.version
    assert one_more.outcome == "refused"
    assert one_more.reason == f"it is nearly {rolled_back.version}, which was rolled back: posts read like lists"


@pytest.mark.parametrize("count", [LEAST_TRAINED_POSTS, 2 * LEAST_HOLDOUT_POSTS])
def test_few_posts_are_not_enough_evidence(count: int) -> None:
    found = training(drawn_posts(count, HOOKS_PAY, 4, slope=30.0))
    assert found.outcome in ("refused", "nothing new")
    assert found.reason is not None
    assert found.reason.startswith("not enough evidence")


def test_without_rewards_there_is_nothing_to_learn_from() -> None:
    found = training([])
    assert (found.outcome, found.learned) == ("nothing to learn from", None)
    assert found.reason == "there is no post with its reward of 24 hours and the features of its draft"
    simulated = trained(material([], {SIMULATED: 12}), BUILT_IN, [], threshold=THRESHOLD)
    assert simulated.reason == f"{found.reason}; 12 are simulated: --simulated takes them"
    assert list(training_lines(simulated)) == [f"left out       12 x {SIMULATED}"]


@pytest.mark.parametrize(
    "posts",
    [MANY[:1], [replace(each, views=1000, engagements=50) for each in MANY[:200]]],
    ids=["one post", "all ties"],
)
def test_without_a_pair_there_is_nothing_to_learn_from(posts: list[Post]) -> None:
    found = training(posts)
    assert (found.outcome, found.learned) == ("nothing to learn from", None)
    assert found.reason is not None
    assert "no two of one persona, within 14 days, brought different rates" in found.reason


def test_as_many_drafts_pass_as_before_and_a_change_is_warned_of() -> None:
    found = training(MANY)
    rates = found.rates
    assert rates.in_force is not None
    assert rates.learned is not None
    assert rates.unshifted is not None
    assert abs(rates.learned - rates.in_force) <= 1 / len(MANY)
    assert abs(rates.unshifted - rates.in_force) > 0.02, "without the shift the share would be another"
    assert warnings(found) == []
    strict = training(MANY, QualityWeights("strict", BUILT_IN.weights, 0.1))
    assert strict.outcome == "promoted"
    assert "of drafts pass in place of" in warnings(strict)[0]


def test_a_model_says_how_much_of_it_is_simulated() -> None:
    found = training([replace(each, is_simulated=number % 2 == 0) for number, each in enumerate(MANY)])
    assert recorded(found).simulated_posts == len(MANY) / 2
    assert "600 of all posts simulated" in next(training_lines(found))
