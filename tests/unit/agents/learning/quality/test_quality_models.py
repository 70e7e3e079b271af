"""Which model is in force: the one promoted last that can be used; others are told of once and change nothing."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from agents.learning.quality.model_record import BadModel, usable_weights, weights_of
from agents.learning.quality.promotion import Change, changed, record_of
from agents.learning.quality.quality_models import QualityModels
from agents.learning.quality.tables import models_table, state_of
from agents.scoring.stage import ScoreStage
from agents.scoring.weights import BUILT_IN, WEIGHTS
from schemas.records import DraftScored, QualityModel
from streams.cli.table import table_lines
from streams.engine.batch import TopicPartition
from tests.support.drafting import NOW, draft, outputs_to, rows, sample_directory, samples
from tests.support.listed_tail import ListedTail
from tests.support.quality_posts import HOOKS_PAY, LENGTH_PAYS, damaged, learned, model
from tests.support.stage_driver import DrivenStage

FIRST, SECOND = model(HOOKS_PAY), model(LENGTH_PAYS, minutes=1)
CHANGE = Change("tester", NOW, "worse")


def table(*records: QualityModel) -> tuple[ListedTail[QualityModel], QualityModels]:
    tail = ListedTail([(each.version, each) for each in records])
    return tail, QualityModels(tail)


async def test_the_model_promoted_last_is_in_force_and_the_one_before_it_after_a_rollback() -> None:
    tail, models = table()
    found = []
    for record in (FIRST, model(LENGTH_PAYS, "refused"), SECOND, changed(SECOND, "rolled_back", CHANGE)):
        tail.append(record.version, record)
        await models.refresh()
        found.append(models.now().version)
    assert found == [FIRST.version, FIRST.version, SECOND.version, FIRST.version]
    tail.append(FIRST.version, changed(FIRST, "rolled_back", CHANGE))
    await models.refresh()
    assert models.now() == BUILT_IN


async def test_who_reads_the_compacted_topic_finds_the_same() -> None:
    tail, models = table(FIRST, SECOND, changed(FIRST, "promoted", CHANGE))
    await models.refresh()
    tail.compact()
    fresh = QualityModels(tail)
    await fresh.refresh()
    assert fresh.now() == models.now()
    assert models.now().version == FIRST.version
    assert models.before().version == SECOND.version


async def test_the_built_in_weights_can_be_put_in_force_too() -> None:
    built_in = record_of(learned(WEIGHTS), "promoted", CHANGE, incumbent=FIRST.version)
    built_in = replace(built_in, version=BUILT_IN.version)
    _, models = table(FIRST, built_in)
    await models.refresh()
    assert models.now() == BUILT_IN
    assert models.before().version == FIRST.version


OF_OTHER_FEATURES = record_of(learned({"humour": 0.5, "hook_strength": 0.5}), "promoted", CHANGE, incumbent="built-in")
NO_SHARES = record_of(learned({**HOOKS_PAY, "novelty": 0.9}), "promoted", CHANGE, incumbent="built-in")
BAD = {
    "damaged": (damaged(SECOND), "is damaged, its checksum is another"),
    "cut in half": (replace(SECOND, weights=SECOND.weights[:4]), "is damaged, its checksum is another"),
    "under another name": (replace(SECOND, version="0123456789abcdef"), "is damaged"),
    "other features": (OF_OTHER_FEATURES, "it weighs humour, unknown here and lacks coherence, language_match"),
    "no shares": (NO_SHARES, "has weights that are not from 0 to 1 and 1 together"),
    "one twice": (
        record_of(
            replace(learned(HOOKS_PAY), weights=(*weights_of(HOOKS_PAY), *weights_of({"readability": 0.0}))),
            "promoted",
            CHANGE,
            incumbent="built-in",
        ),
        "has weights that are not",
    ),
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_model_that_cannot_be_used_is_told_of_once_and_the_last_good_one_stays(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    record, says = BAD[kind]
    tail, models = table(FIRST, record)
    caplog.set_level(logging.WARNING)
    await models.refresh()
    tail.append(record.version, record)  # the same event again
    await models.refresh()
    assert models.now().version == FIRST.version
    told = [each.getMessage() for each in caplog.records]
    assert len(told) == 1
    assert says in told[0]
    assert told[0].endswith(f"{FIRST.version} stays in force")
    assert says in (models.problem(record.version) or "")
    assert state_of(models, record) == "unusable"
    with pytest.raises(BadModel):
        usable_weights(record)
    tail.append(record.version, changed(record, "rolled_back", CHANGE))
    await models.refresh()
    assert models.problem(record.version) is None


async def test_a_damaged_record_of_the_model_in_force_leaves_it_in_force() -> None:
    _, models = table(FIRST, damaged(FIRST))
    await models.refresh()
    assert models.now().version == FIRST.version
    assert dict(models.now().weights) == HOOKS_PAY


async def test_the_list_fits_a_terminal_and_says_what_is_in_force() -> None:
    _, models = table(FIRST, SECOND, OF_OTHER_FEATURES, model(WEIGHTS, "refused", reason="it puts fewer in order"))
    await models.refresh()
    lines = list(table_lines(models_table(models), 80))
    assert max(map(len, lines)) <= 80
    in_force = [line for line in lines if line.startswith(SECOND.version)]
    assert "in force" in in_force[0]
    assert any(line.startswith("built-in") for line in lines)


async def test_a_running_stage_scores_by_the_model_in_force_without_a_restart() -> None:
    tail, models = table()
    stage = DrivenStage(ScoreStage(sample_directory(), threshold=0.78, models=models, clock=lambda: NOW))
    source = TopicPartition("drafts.generated", 0)
    example = samples()[0].examples[0]

    async def scored(offset: int) -> DraftScored:
        await models.refresh()  # a second later, as far as the stage is concerned
        text = draft(example.hook, example.body, draft_id="d1", persona_id=samples()[0].persona_id)
        await stage.add(rows(source, [text], first_offset=offset))
        (found,) = outputs_to(await stage.flush(), "drafts.scored")
        assert isinstance(found, DraftScored)
        return found

    before = await scored(0)
    shifted = record_of(learned(HOOKS_PAY, shift=-0.05), "promoted", CHANGE, incumbent="built-in")
    tail.append(shifted.version, shifted)
    under_model = await scored(1)
    tail.append(shifted.version, changed(shifted, "rolled_back", CHANGE))
    after = await scored(2)
    assert {each.name: each.weight for each in under_model.quality.features} == HOOKS_PAY
    assert under_model.quality.threshold == 0.73
    values = [{each.name: each.value for each in found.quality.features} for found in (before, under_model)]
    assert values[0] == values[1], "a draft that comes again is as new as it was"
    assert under_model.quality.score != before.quality.score
    assert after == before
