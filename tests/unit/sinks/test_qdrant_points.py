"""Points of accepted drafts: one id a draft, one collection a model, and no vector that can't be compared."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from schemas.records import DraftDecided, Quality
from sinks.qdrant.sink import collection_of, point_id, point_of
from streams.errors import RecordFault
from tests.support.drafts import plain_draft

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DRAFT_ID = "0b8f3a9e-6a55-5f0c-8f0e-0d6c1c1a2b3c"


def accepted(embedding: tuple[float, ...]) -> DraftDecided:
    draft = plain_draft(draft_id=DRAFT_ID, text="the text", model="smollm2")
    return DraftDecided(
        event_id="d",
        occurred_at=NOON,
        persona_id="nova",
        draft=draft,
        quality=Quality(score=0.75, threshold=0.5, passed=True, features=()),
        decision="accepted",
        reasons=(),
        embedding_model="wordllama",
        embedding=embedding,
    )


def test_the_payload_says_what_the_draft_is() -> None:
    assert point_of(accepted((0.6, 0.8))).payload == {
        "draft_id": DRAFT_ID,
        "persona_id": "nova",
        "text": "the text",
        "model": "smollm2",
        "embedding_model": "wordllama",
        "score": 0.75,
        "occurred_at": "2026-03-01T12:00:00.000+00:00",
    }


@pytest.mark.parametrize("embedding", [(), (0.0, 0.0), (float("nan"), 1.0), (float("inf"), 1.0), (0.5,) * 65_536])
def test_an_embedding_that_cannot_be_compared_is_the_records_fault(embedding: tuple[float, ...]) -> None:
    with pytest.raises(RecordFault, match="expected an embedding of"):
        point_of(accepted(embedding))


def test_a_draft_id_that_is_no_uuid_gets_one_that_is_its_own() -> None:
    assert point_id(DRAFT_ID) == DRAFT_ID
    assert UUID(point_id("draft-1")) != UUID(point_id("draft-2"))
    assert point_id("draft-1") == point_id("draft-1")


def test_models_and_sizes_have_collections_of_their_own() -> None:
    models = ["wordllama", "Wordllama", "word.llama", "word-llama", "日本", "x" * 500, "x" * 501]
    names = {collection_of(model, size).name for model in models for size in (256, 384)}
    assert len(names) == 2 * len(models)
    assert collection_of("wordllama", 256).name == "drafts-wordllama-256"
    assert all(len(name) < 120 and name.isascii() for name in names)
