"""Promotion: what is written, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.learning.quality.model_record import usable_weights
from agents.learning.quality.promotion import Change, ModelRefused, Written, changed, check_unchanged, find_model
from agents.learning.quality.quality_models import QualityModels
from agents.learning.quality.tables import model_lines, written_line
from agents.scoring.weights import BUILT_IN, WEIGHTS
from tests.support.drafting import NOW
from tests.support.listed_tail import ListedTail
from tests.support.quality_posts import HOOKS_PAY, LENGTH_PAYS, model

FIRST, SECOND = model(HOOKS_PAY), model(LENGTH_PAYS, minutes=1)


async def known() -> QualityModels:
    models = QualityModels(ListedTail([(each.version, each) for each in (FIRST, SECOND)]))
    await models.refresh()
    return models


def test_a_model_in_another_state_says_the_same_of_what_was_learned() -> None:
    out = changed(FIRST, "rolled_back", Change("ada", NOW, "it reads like lists"))
    assert (out.state, out.requested_by, out.reason) == ("rolled_back", "ada", "it reads like lists")
    assert out.event_id != FIRST.event_id
    assert usable_weights(out) == usable_weights(FIRST)
    same = replace(FIRST, event_id=out.event_id, state=out.state, requested_by="ada", reason=out.reason)
    assert out == replace(same, occurred_at=NOW)


async def test_a_model_that_was_judged_against_what_is_no_more_in_force_is_not_promoted() -> None:
    models = await known()
    check_unchanged(models, SECOND.version)
    with pytest.raises(ModelRefused, match=f"{SECOND.version} came into force meanwhile.*train again"):
        check_unchanged(models, BUILT_IN.version)


async def test_the_built_in_weights_are_shown_where_the_topic_has_none() -> None:
    models = await known()
    built_in = find_model(models, "built-in")
    assert {each.name: each.weight for each in built_in.weights} == WEIGHTS
    assert list(model_lines(models, built_in)) == ["version        built-in, not in force"]
    with pytest.raises(ModelRefused, match="There is no model 'nobody'; see `threads-agent learning quality list`"):
        find_model(models, "nobody")


def test_who_loses_against_another_command_is_told_who_won() -> None:
    lost = Written(FIRST.version, SECOND.version, [SECOND])
    assert not lost.has_won
    assert written_line(lost) == (
        f"in force       {SECOND.version}, not {FIRST.version}; {SECOND.version} was promoted by tester meanwhile"
    )
    assert written_line(Written(FIRST.version, FIRST.version)) == f"in force       {FIRST.version}"
