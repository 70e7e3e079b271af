"""Any order, batching, repetition and restart: a draft's decision stands, and a draft is never its own duplicate."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.costs.prices import read_prices
from agents.deduplication.stage import DeduplicateStage
from agents.deduplication.verdict import FITTED
from agents.embedding.embedders import NgramEmbedder
from schemas.records import DraftDecided, DraftScored, Quality, QualityFeature
from streams.identity import derived_id
from tests.support.drafting import NOW, SCORED, draft, passing_quality, rows
from tests.support.single_outputs import single
from tests.support.stage_driver import DrivenStage

PRICES = read_prices()
TEXTS = (
    ("I killed nine tomato plants before I bought a bigger pot.", "The tenth plant got a bucket with holes in it."),
    ("I killed ten tomato plants before I bought a bigger pot.", "The tenth plant got a bucket with holes in it!"),
    ("I KILLED nine tomato plants before I bought a bigger pot", "The tenth plant got a bucket with holes in it."),
    ("I never killed nine tomato plants.", "The tenth plant got a bucket with holes in it."),
    ("Борщ смачніший на другий день.", "За ніч буряк віддає солодкість."),
    ("Борщ смачніший на третій день!", "За ніч буряк віддає солодкість."),
    ("🙂", ""),
)
WEAK = QualityFeature(name="coherence", value=0.0, weight=0.15, reason="repeated")
POOR = Quality(score=0.1, threshold=0.72, passed=False, features=(WEAK,))

Draft = tuple[int, int, int, bool]
"""Number of the draft, of its persona and of its text, and whether it is good."""
DRAFTS = st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, len(TEXTS) - 1), st.booleans())


def scored(one: Draft) -> DraftScored:
    number, persona, text, good = one
    draft_id, persona_id = f"draft-{number}", f"persona-{persona}"
    return DraftScored(
        event_id=derived_id(draft_id, str(text), "score"),
        occurred_at=NOW,
        persona_id=persona_id,
        draft=draft(*TEXTS[text], draft_id=draft_id, persona_id=persona_id),
        quality=passing_quality() if good else POOR,
    )


async def opened(state: dict[bytes, bytes]) -> DrivenStage[DeduplicateStage]:
    stage = DrivenStage(
        DeduplicateStage(limits=FITTED["ngram"], load_embedder=NgramEmbedder, prices=PRICES, clock=lambda: NOW)
    )
    await stage.open()
    await stage.restore(SCORED, state.items())
    return stage


async def run(batches: list[tuple[list[Draft], bool]]) -> list[DraftDecided]:
    """Decide batch by batch; after those that say so the stage starts again from its state."""
    state: dict[bytes, bytes] = {}
    stage, decided, offset = await opened(state), list[DraftDecided](), 0
    for drafts, restarts in batches:
        assert await stage.add(rows(SCORED, [scored(one) for one in drafts], offset)) == []
        offset += len(drafts)
        effects = await stage.flush()
        for change in effects.state:
            if change.value is None:
                state.pop(change.key, None)
            else:
                state[change.key] = change.value
        decided += [each.record for each in single(effects.outputs) if isinstance(each.record, DraftDecided)]
        if restarts:
            stage = await opened(state)
    return decided


BATCHES = st.lists(st.tuples(st.lists(DRAFTS, min_size=1, max_size=5), st.booleans()), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(BATCHES)
def test_a_decision_stands_when_the_draft_comes_again_with_the_same_text(
    batches: list[tuple[list[Draft], bool]],
) -> None:
    asked = [one for drafts, _ in batches for one in drafts]
    decided = asyncio.run(run([*batches, (asked, False)]))
    standing: dict[tuple[str, str], tuple[object, ...]] = {}
    for each in decided:
        key = (each.draft.draft_id, each.draft.text.casefold())
        decision = (each.decision, each.reasons, each.near_duplicate, each.embedding)
        assert standing.setdefault(key, decision) == decision
        assert each.near_duplicate is None or each.near_duplicate.draft_id != each.draft.draft_id


@settings(deadline=None, max_examples=60)
@given(st.lists(DRAFTS, min_size=1, max_size=12), st.data())
def test_batches_and_restarts_make_no_difference(drafts: list[Draft], data: st.DataObject) -> None:
    expected = asyncio.run(run([(drafts, False)]))
    cuts = data.draw(st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=len(drafts), max_size=len(drafts)))
    batches, rest = [], drafts
    for size, restarts in cuts:
        if rest:
            batches.append((rest[:size], restarts))
            rest = rest[size:]
    assert asyncio.run(run(batches)) == expected
