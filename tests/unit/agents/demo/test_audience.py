from __future__ import annotations

from datetime import UTC, datetime

from agents.demo.requests import demo_requests
from agents.demo.simulated_audience import SimulatedAudience
from agents.personas.persona_file import read_personas
from agents.personas.sample_files import SAMPLES
from schemas.records import DraftDecided, EngagementEvent, PostPublished, Quality
from tests.support.drafts import plain_draft

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def accepted(draft_id: str) -> DraftDecided:
    draft = plain_draft(
        event_id=f"e-{draft_id}",
        occurred_at=NOW,
        persona_id="ada",
        draft_id=draft_id,
        persona_version="1",
        hook="Hook.",
        body="Body.",
        text="Hook. Body.",
    )
    return DraftDecided(
        event_id=f"decided-{draft_id}",
        occurred_at=NOW,
        persona_id="ada",
        draft=draft,
        quality=Quality(score=0.7, threshold=0.5, passed=True, features=()),
        decision="accepted",
        reasons=(),
        embedding_model="e",
    )


def test_everything_the_audience_does_is_marked_as_simulated() -> None:
    audience = SimulatedAudience(seed=1, clock=lambda: NOW)
    outputs = audience.publish([accepted("d1"), accepted("d2")])
    for _ in range(20):
        outputs += audience.turn()
    records = [output.record for output in outputs]
    assert {type(record) for record in records} == {PostPublished, EngagementEvent}
    for record in records:
        assert isinstance(record, PostPublished | EngagementEvent)
        assert record.simulated
        assert record.source == "simulated"


def test_a_draft_is_posted_once() -> None:
    audience = SimulatedAudience(seed=1, clock=lambda: NOW)
    assert len(audience.publish([accepted("d1")])) == 1
    assert not audience.publish([accepted("d1")])


def test_nobody_looks_at_what_is_not_posted() -> None:
    assert not SimulatedAudience(seed=1).turn()


def test_the_briefs_are_for_the_sample_personas_and_two_are_nearly_the_same() -> None:
    requests = demo_requests(8)
    assert len({request.event_id for request in requests}) == 8
    assert {request.persona_id for request in requests} <= {one.persona_id for one in read_personas(SAMPLES)}
    first, second = (set(request.brief.split()) for request in requests[:2])
    assert requests[0].persona_id == requests[1].persona_id
    assert len(first ^ second) <= 2
