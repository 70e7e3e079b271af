"""Where an experiment may go, and what is refused with what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

import pytest

from agents.learning.experiments.experiment_directory import ExperimentDirectory, assigned
from agents.learning.experiments.experiment_states import MOVES, NotPossible, moved, new_experiment, without
from schemas.records import Experiment, ExperimentState
from tests.support.listed_tail import ListedTail

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STYLES = ("failure report", "question", "tiny discovery")


def begun(*styles: str, at: datetime = NOW) -> Experiment:
    drafted = new_experiment("nova", styles or STYLES, STYLES, at, by="ada")
    return moved(drafted, "active", at, by="ada")


@pytest.mark.parametrize(("before", "after"), list(product(get_args(ExperimentState), repeat=2)))
def test_every_move_is_made_or_refused_with_the_ways_there_are(before: ExperimentState, after: ExperimentState) -> None:
    experiment = replace(begun(), state=before)
    if after in MOVES[before]:
        found = moved(experiment, after, NOW, by="bob")
        assert (found.state, found.sequence, found.requested_by) == (after, experiment.sequence + 1, "bob")
        assert (found.ended_at is not None) == (after in {"completed", "cancelled"})
    else:
        with pytest.raises(NotPossible, match=f"is {before}"):
            moved(experiment, after, NOW, by="bob")


def test_it_starts_once_however_often_it_rests() -> None:
    rested = moved(begun(), "paused", NOW + timedelta(days=1), by="ada")
    again = moved(rested, "active", NOW + timedelta(days=2), by="ada")
    assert again.started_at == NOW


@pytest.mark.parametrize(
    ("styles", "why"),
    [
        (("question",), "two styles"),
        (("question", "question"), "two styles"),
        (("question", "rhyme"), "no hook style 'rhyme'"),
    ],
)
def test_styles_that_cannot_be_compared_are_refused(styles: tuple[str, ...], why: str) -> None:
    with pytest.raises(NotPossible, match=why):
        new_experiment("nova", styles, STYLES, NOW, by="ada")


def test_losers_stop_and_the_last_style_wins() -> None:
    one_less = without(begun(), ["question"], NOW, by="ada", reason="worse")
    assert (one_less.state, one_less.stopped_styles) == ("active", ("question",))
    ended = without(one_less, ["failure report"], NOW, by="ada", reason="worse")
    assert (ended.state, ended.winner, ended.ended_at) == ("completed", "tiny discovery", NOW)
    with pytest.raises(NotPossible, match="only an active one"):
        without(ended, ["tiny discovery"], NOW, by="ada", reason="worse")
    with pytest.raises(NotPossible, match="no style left"):
        without(begun(), STYLES, NOW, by="ada", reason="worse")


def test_a_winner_is_one_of_the_styles() -> None:
    assert moved(begun(), "completed", NOW, by="ada", winner="question").winner == "question"
    with pytest.raises(NotPossible, match="no style of experiment"):
        moved(begun(), "completed", NOW, by="ada", winner="rhyme")


def test_drafts_are_given_to_styles_alike_and_never_to_stopped_ones() -> None:
    experiment = begun()
    given = [assigned(experiment, STYLES, f"draft-{number}") for number in range(6_000)]
    assert {each[1] for each in given if each} == {1 / 3}
    for style in STYLES:
        assert sum(each is not None and each[0] == style for each in given) == pytest.approx(2_000, rel=0.07)
    stopped = without(experiment, ["question"], NOW, by="ada", reason="worse")
    assert {assigned(stopped, STYLES, f"draft-{number}") for number in range(200)} == {
        ("failure report", 0.5),
        ("tiny discovery", 0.5),
    }


def test_a_style_that_the_persona_has_no_more_is_not_asked_for() -> None:
    assert assigned(begun("question", "failure report"), ("question",), "d") == ("question", 1.0)
    assert assigned(begun("question", "failure report"), ("tiny discovery",), "d") is None


def test_the_same_draft_gets_the_same_style_and_another_experiment_shuffles_anew() -> None:
    one, other = begun(), begun(at=NOW + timedelta(seconds=1))
    drafts = [f"draft-{number}" for number in range(60)]
    assert [assigned(one, STYLES, each) for each in drafts] == [assigned(one, STYLES, each) for each in drafts]
    assert [assigned(one, STYLES, each) for each in drafts] != [assigned(other, STYLES, each) for each in drafts]


async def test_of_two_changes_with_one_sequence_the_first_counts_and_of_two_active_the_earlier() -> None:
    experiment = begun()
    paused, cancelled = moved(experiment, "paused", NOW, by="ada"), moved(experiment, "cancelled", NOW, by="bob")
    tail = ListedTail([(each.experiment_id, each) for each in (experiment, paused, cancelled)])
    directory = ExperimentDirectory(tail)
    await directory.refresh()
    assert directory.find(experiment.experiment_id) == paused
    assert directory.active("nova") is None
    first, second = begun(at=NOW + timedelta(hours=1)), begun(at=NOW + timedelta(hours=2))
    for each in (second, first):
        tail.append(each.experiment_id, each)
    await directory.refresh()
    assert directory.active("nova") == first
    assert directory.active("ada") is None
    assert directory.known()[0].experiment_id == second.experiment_id
    directory.drop(first.experiment_id.encode())
    assert directory.active("nova") == second
