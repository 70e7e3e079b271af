from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from agents.costs.prices import read_prices
from agents.deduplication.accepted_drafts import Wording
from agents.deduplication.partition_memory import PartitionMemory
from agents.deduplication.stage import DeduplicateStage
from agents.deduplication.verdict import FITTED, Verdict
from agents.embedding.embedders import BlendedEmbedder, NgramEmbedder
from agents.embedding.embedding import Embedder, Vectors
from schemas.records import DraftDecided, DraftScored, Quality, QualityFeature
from streams.engine.batch import TopicPartition
from streams.identity import derived_id
from tests.support.drafting import NOW, SCORED, draft, passing_quality, rows
from tests.support.single_outputs import single
from tests.support.stage_driver import DrivenStage, Emitted

POST = ("I killed nine tomato plants before I bought a bigger pot.", "The tenth plant got a bucket with holes in it.")
COPY = ("I killed ten tomato plants before I bought a bigger pot.", "The tenth plant got a bucket with holes in it!")
OTHER = ("Water in the morning, or your basil will tell you at noon.", "Ten minutes before coffee was all it took.")


def scored(
    draft_id: str, text: tuple[str, str], *, persona_id: str = "balcony-bea", quality: Quality | None = None
) -> DraftScored:
    return DraftScored(
        event_id=derived_id(draft_id, "score"),
        occurred_at=NOW,
        persona_id=persona_id,
        causation_id=draft_id,
        draft=draft(*text, draft_id=draft_id, persona_id=persona_id),
        quality=quality or passing_quality(),
    )


async def opened(
    state: Sequence[tuple[bytes, bytes]] = (),
    source: TopicPartition = SCORED,
    embedder: Callable[[], Embedder] = BlendedEmbedder,
) -> DrivenStage[DeduplicateStage]:
    stage = DrivenStage(
        DeduplicateStage(limits=FITTED["blend"], load_embedder=embedder, prices=read_prices(), clock=lambda: NOW)
    )
    await stage.open()
    await stage.restore(source, state)
    return stage


async def decide(
    stage: DrivenStage[DeduplicateStage], *records: DraftScored, first_offset: int = 0
) -> tuple[list[DraftDecided], Emitted]:
    assert await stage.add(rows(SCORED, records, first_offset)) == []
    effects = await stage.flush()
    decided = [each.record for each in single(effects.outputs) if isinstance(each.record, DraftDecided)]
    assert [each.topic for each in effects.outputs] == [f"drafts.{each.decision}" for each in decided]
    return decided, effects


async def test_the_second_of_two_near_copies_in_one_batch_is_rejected_with_what_it_resembles() -> None:
    (first, second, third), _ = await decide(await opened(), scored("a", POST), scored("b", COPY), scored("c", OTHER))
    assert (first.decision, second.decision, third.decision) == ("accepted", "rejected", "accepted")
    assert second.near_duplicate is not None
    assert second.near_duplicate.draft_id == "a"
    assert second.near_duplicate.similarity > 0.9
    assert second.reasons[0].startswith("duplicate: similarity 0.9")
    assert second.reasons[0].endswith("reaches the limit of 0.78 to draft a of persona balcony-bea")
    assert second.embedding == ()
    assert len(first.embedding) == 384
    assert first.embedding_model == "wordllama-l2-supercat-128+character-ngrams-3-5-256"


async def test_the_same_words_in_another_dress_are_an_exact_duplicate() -> None:
    shouted = (POST[0].upper(), POST[1] + " 🙂")
    (_, second), _ = await decide(await opened(), scored("a", POST), scored("b", shouted))
    assert second.near_duplicate is not None
    assert second.near_duplicate.similarity == 1.0


async def test_another_persona_may_make_the_point_in_its_own_words_but_not_in_the_same() -> None:
    stage = await opened()
    decided, _ = await decide(
        stage,
        scored("a", POST),
        scored("b", (POST[0], "My tenth one lives in a drilled bucket."), persona_id="ledger-lou"),
        scored("c", (POST[0].upper(), POST[1]), persona_id="ledger-lou"),
        scored("d", (POST[0], "My tenth one lives in a bucket now."), persona_id="balcony-bea"),
    )
    assert [each.decision for each in decided] == ["accepted", "accepted", "rejected", "rejected"]
    assert decided[2].reasons == ("duplicate: the same text as draft a of persona balcony-bea",)
    near = decided[3].near_duplicate
    assert near is not None
    assert near.draft_id == "a"


async def test_the_contrary_in_the_same_words_is_no_duplicate() -> None:
    denied = ("I never killed nine tomato plants before I bought a bigger pot.", POST[1])
    decided, _ = await decide(await opened(), scored("a", POST), scored("b", denied))
    assert [each.decision for each in decided] == ["accepted", "accepted"]


async def test_a_draft_that_comes_again_gets_the_identical_decision_and_changes_no_state() -> None:
    stage = await opened()
    first, _ = await decide(stage, scored("a", POST), scored("b", COPY))
    again, effects = await decide(stage, scored("a", POST), scored("b", COPY), first_offset=2)
    assert again == first
    assert effects.state == []


async def test_decisions_are_identical_after_a_restart_from_state() -> None:
    first, effects = await decide(await opened(), scored("a", POST), scored("b", COPY))
    state = [(change.key, change.value) for change in effects.state if change.value is not None]
    assert all(change.source == SCORED for change in effects.state)
    restarted = await opened(state)
    again, _ = await decide(restarted, scored("a", POST), scored("b", COPY))
    assert again == first
    (late,), _ = await decide(restarted, scored("z", COPY), first_offset=9)
    assert late.near_duplicate is not None
    assert late.near_duplicate.draft_id == "a"


async def test_a_rewritten_draft_is_decided_anew_and_not_compared_with_itself() -> None:
    stage = await opened()
    await decide(stage, scored("a", POST))
    (rewritten,), effects = await decide(stage, scored("a", COPY), first_offset=1)
    assert rewritten.decision == "accepted"
    assert len(effects.state) == 1
    (first,), again = await decide(stage, scored("a", POST), first_offset=2)
    assert first.decision == "accepted"
    assert again.state == []


async def test_a_draft_of_poor_quality_is_rejected_for_it_and_blocks_no_later_one() -> None:
    weak = QualityFeature(name="coherence", value=0.0, weight=0.15, reason="36% of three-word runs repeated")
    poor = Quality(score=0.41, threshold=0.72, passed=False, features=(weak,))
    (first, second), _ = await decide(await opened(), scored("a", POST, quality=poor), scored("b", POST))
    assert first.decision == "rejected"
    assert first.reasons[0] == "quality: coherence 0.00 is under 0.30: 36% of three-word runs repeated"
    assert second.decision == "accepted"


async def test_a_partition_that_goes_takes_its_effects_and_memory_along() -> None:
    stage = await opened()
    other = TopicPartition("drafts.scored", 1)
    await stage.restore(other, [])
    await stage.add(rows(SCORED, [scored("a", POST)]))
    await stage.add(rows(other, [scored("b", OTHER)]))
    await stage.drop(SCORED)
    effects = await stage.flush()
    assert {change.source for change in effects.state} == {other}
    assert len(effects.outputs) == 1


async def test_old_decisions_are_forgotten_with_a_tombstone() -> None:
    _, effects = await decide(await opened(), scored("a", POST), scored("b", OTHER))
    state = [(change.key, change.value) for change in effects.state if change.value is not None]
    model = BlendedEmbedder()
    memory = PartitionMemory(model.model, model.dimensions, state, by_negations=True, limit=2)
    old = [
        Wording(each.draft.draft_id, "balcony-bea", key.decode().split("#")[1], 0) for each, (key, _) in _zipped(state)
    ]
    _, changes = memory.remember(Wording("c", "p", "h", 0), Verdict("rejected", ("why",)), NOW, None)
    assert changes[1:] == [(state[0][0], None)]
    assert memory.find(old[0]) is None
    assert memory.find(old[1]) is not None
    assert len(memory) == 2


def _zipped(state: Sequence[tuple[bytes, bytes]]) -> list[tuple[DraftScored, tuple[bytes, bytes]]]:
    return list(zip((scored("a", POST), scored("b", OTHER)), state, strict=True))


async def test_vectors_of_another_model_are_left_behind_until_their_draft_comes_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, effects = await decide(await opened(embedder=NgramEmbedder), scored("a", POST), scored("b", OTHER))
    state = [(change.key, change.value) for change in effects.state if change.value is not None]
    stage = await opened(state)
    assert "2 accepted drafts of drafts.scored-0 were not embedded by wordllama" in caplog.text
    (copy, shouted), _ = await decide(stage, scored("c", COPY), scored("d", (OTHER[0].upper(), OTHER[1])))
    assert (copy.decision, shouted.decision) == ("accepted", "rejected")
    (again,), renewed = await decide(stage, scored("a", POST))
    assert (again.decision, again.occurred_at) == (first[0].decision, first[0].occurred_at)
    assert (len(first[0].embedding), len(again.embedding)) == (512, 384)
    assert len(renewed.state) == 1
    (later,), _ = await decide(stage, scored("e", (POST[0], POST[1] + " It was red.")))
    assert later.near_duplicate is not None
    assert later.near_duplicate.draft_id == "a"


async def test_a_draft_of_poor_quality_is_not_embedded() -> None:
    class Counting(NgramEmbedder):
        texts = 0

        def vectors(self, texts: Sequence[str]) -> Vectors:
            Counting.texts += len(texts)
            return super().vectors(texts)

    weak = QualityFeature(name="coherence", value=0.0, weight=0.15, reason="")
    poor = Quality(score=0.41, threshold=0.72, passed=False, features=(weak,))
    stage = await opened(embedder=Counting)
    await decide(stage, scored("a", POST, quality=poor), scored("b", OTHER), scored("b", OTHER))
    await decide(stage, scored("a", POST, quality=poor), scored("b", OTHER))
    assert Counting.texts == 1
