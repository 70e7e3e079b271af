"""The three stages of the generation role, one after the other."""

from __future__ import annotations

from agents.costs.prices import read_prices
from agents.deduplication.stage import DeduplicateStage
from agents.deduplication.verdict import FITTED
from agents.embedding.embedders import BlendedEmbedder
from agents.scoring.stage import ScoreStage
from schemas.records import DraftDecided, DraftScored
from streams.engine.batch import TopicPartition
from tests.support.drafting import REQUESTS, finished_effects, outputs_to, request, rows, sample_directory
from tests.support.generate_stage import drafts_of, generating
from tests.support.openai.loopback import LoopbackOpenAI
from tests.support.single_outputs import single
from tests.support.stage_driver import DrivenStage


async def test_requests_go_all_the_way_to_a_decision() -> None:
    score = DrivenStage(ScoreStage(sample_directory(), threshold=0.5))
    deduplicate = DrivenStage(
        DeduplicateStage(limits=FITTED["blend"], load_embedder=BlendedEmbedder, prices=read_prices())
    )
    generated, scored = TopicPartition("drafts.generated", 0), TopicPartition("drafts.scored", 0)
    await deduplicate.open()
    await deduplicate.restore(scored, [])
    await score.restore(generated, [])
    async with generating(LoopbackOpenAI()) as stage:
        await stage.add(rows(REQUESTS, [request("r1"), request("r2"), request("r3", brief="coffee for the day team")]))
        written = sorted(drafts_of(await finished_effects(stage)), key=lambda draft: draft.request_id)
    await score.add(rows(generated, written))
    judged = [each for each in outputs_to(await score.flush(), "drafts.scored") if isinstance(each, DraftScored)]
    await deduplicate.add(rows(scored, judged))
    effects = await deduplicate.flush()
    decided = {
        each.record.draft.request_id: each.record
        for each in single(effects.outputs)
        if isinstance(each.record, DraftDecided)
    }
    assert [each.decision for each in decided.values()] == ["accepted", "rejected", "accepted"]
    near = decided["r2"].near_duplicate
    assert near is not None
    assert near.draft_id == decided["r1"].draft.draft_id
