from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from agents.personas.directory import PersonaDirectory
from agents.personas.posting import PostingPlan
from agents.publishing.approval import content_digest
from agents.publishing.propose_stage import ProposeStage
from schemas.catalogue import topic_named
from schemas.records import DraftDecided, DraftReviewed, PostCommand, Record
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.engine.stage import Output
from streams.json_records import parse_record
from streams.validation import validate
from tests.conftest import REPOSITORY
from tests.support.drafting import listed, samples
from tests.support.stage_driver import DrivenStage

PERSONA = samples()[0].model_copy(
    update={
        "persona_id": "propose-petra",
        "posting": PostingPlan(topic_tag="night shift", reply_control="mentioned_only"),
    }
)


def golden(topic: str, **changes: Any) -> Any:
    text = (REPOSITORY / "tests" / "golden" / f"{topic}.json").read_text(encoding="utf-8")
    record = parse_record(topic_named(topic).record, json.dumps({**json.loads(text), "persona_id": "propose-petra"}))
    return replace(record, **changes)


async def commands_of(*batches: tuple[str, Sequence[Record]]) -> list[PostCommand]:
    """Drive a fresh stage over batches of topics, with a flush at the end."""
    directory = PersonaDirectory(listed([PERSONA]))
    stage = DrivenStage(ProposeStage(directory))
    await stage.open()
    for topic, records in batches:
        rows = [Row(offset, record) for offset, record in enumerate(records)]
        assert await stage.add(RowBatch(TopicPartition(topic, 0), rows)) == ()
    outputs = (await stage.flush()).outputs
    assert (await stage.flush()).outputs == []
    await stage.close()
    commands = []
    for each in outputs:
        assert isinstance(each, Output)
        assert isinstance(each.record, PostCommand)
        assert (each.topic, each.partition) == ("posts.commands", None)
        validate(each.record)
        commands.append(each.record)
    return commands


@pytest.mark.parametrize("topic", ["drafts.accepted", "drafts.rejected"])
async def test_a_decided_draft_is_proposed_as_of_its_decision_with_what_its_persona_says(topic: str) -> None:
    decided: DraftDecided = golden(topic)
    [command] = await commands_of((topic, [decided]))
    assert (command.kind, command.decision) == ("propose", decided.decision)
    assert command.occurred_at == decided.occurred_at
    assert command.causation_id == decided.event_id
    assert (command.draft_id, command.publication_id) == (decided.draft.draft_id, None)
    assert command.texts == (decided.draft.text,)
    assert command.content_digest == content_digest([decided.draft.text])
    assert command.model == decided.draft.model
    assert (command.topic_tag, command.reply_control) == ("night shift", "mentioned_only")
    assert command.due_at is None


async def test_a_review_is_passed_on_as_it_was_made() -> None:
    reviewed: DraftReviewed = golden("drafts.reviews")
    [command] = await commands_of(("drafts.reviews", [reviewed]))
    names = ("draft_id", "content_digest", "revision", "decision", "reason", "occurred_at")
    assert [getattr(command, name) for name in names] == [getattr(reviewed, name) for name in names]
    assert (command.kind, command.requested_by) == ("review", reviewed.reviewed_by)


async def test_what_is_read_again_is_told_again_under_the_same_ids() -> None:
    decided, reviewed = golden("drafts.accepted"), golden("drafts.reviews")
    first = await commands_of(("drafts.accepted", [decided]), ("drafts.reviews", [reviewed]))
    again = await commands_of(("drafts.reviews", [reviewed]), ("drafts.accepted", [decided, decided]))
    assert {each.event_id: each for each in first} == {each.event_id: each for each in again}
    assert len({each.event_id for each in again}) == 2


async def test_a_draft_of_a_persona_that_is_not_in_force_is_proposed_without_tag() -> None:
    decided = golden("drafts.accepted", persona_id="nobody-applied")
    [command] = await commands_of(("drafts.accepted", [decided]))
    assert (command.persona_id, command.topic_tag, command.reply_control) == ("nobody-applied", None, None)
