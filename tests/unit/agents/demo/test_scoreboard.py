from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agents.demo.scoreboard import Scoreboard
from agents.demo.screen import engagement_text, spending_line, summary
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import (
    CostEvent,
    DeadLetter,
    Decision,
    DraftDecided,
    DraftGenerated,
    KpiUpdate,
    PersonaRequest,
    Quality,
)
from schemas.registries.registry import open_registry
from streams.endpoints import Endpoints
from tests.support.drafts import plain_draft

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def board() -> Scoreboard:
    return Scoreboard({"r1", "r2"}, RowCodec(open_registry(None)))


def draft(request_id: str = "r1", draft_id: str = "d1") -> DraftGenerated:
    return plain_draft(
        event_id=f"e-{draft_id}",
        occurred_at=NOW,
        persona_id="ada",
        draft_id=draft_id,
        request_id=request_id,
        persona_version="1",
        hook="Hook.",
        body="Body.",
        text="Hook. Body.",
    )


def decided(one: DraftGenerated, decision: Decision, *reasons: str) -> DraftDecided:
    return DraftDecided(
        event_id=f"decided-{one.draft_id}",
        occurred_at=NOW,
        persona_id="ada",
        draft=one,
        quality=Quality(score=0.7, threshold=0.5, passed=True, features=()),
        decision=decision,
        reasons=reasons,
        embedding_model="e",
    )


def cost(event_id: str, micros: int | None) -> CostEvent:
    return CostEvent(
        event_id=event_id,
        occurred_at=NOW,
        persona_id="ada",
        request_id="r1",
        step="hook",
        model="m",
        prompt_tokens=100,
        completion_tokens=20,
        cost_micros=micros,
    )


def lifetime(views: int, at: datetime = NOW) -> KpiUpdate:
    return KpiUpdate(
        event_id=str(views), occurred_at=at, persona_id="ada", window="lifetime", window_end=at, views=views
    )


def letter(topic: str, value: bytes | None) -> DeadLetter:
    return DeadLetter(
        event_id="l",
        occurred_at=NOW,
        consumer="generation",
        source_topic=topic,
        source_partition=0,
        source_offset=0,
        source_timestamp=NOW,
        value=value,
        error_class="RecordFault",
        reason="persona 'x' is unknown",
    )


def test_a_request_is_undecided_until_its_draft_is_decided(board: Scoreboard) -> None:
    assert board.fold(draft())
    assert sorted(board.undecided()) == ["r1", "r2"]
    assert board.fold(decided(draft(), "accepted"))
    assert board.undecided() == ["r2"]


def test_a_record_that_comes_twice_counts_once(board: Scoreboard) -> None:
    for _ in range(2):
        board.fold(decided(draft(), "rejected", "too short"))
        board.fold(cost("c1", 40))
    assert board.rejections() == {"too short": 1}
    assert board.tokens() == (100, 20)
    assert board.cost_micros() == (40, 0)


def test_drafts_and_costs_of_others_are_left_alone(board: Scoreboard) -> None:
    assert not board.fold(decided(draft("r9", "d9"), "accepted"))
    assert not board.drafts
    assert not board.decisions


def test_a_dead_lettered_request_is_refused_with_its_reason(board: Scoreboard) -> None:
    request = PersonaRequest(event_id="r2", occurred_at=NOW, persona_id="x", brief="b")
    value = board.codec.encode(topic_named("persona.requests"), request)
    assert board.fold(letter("persona.requests", value))
    assert board.undecided() == ["r1"]
    assert board.rejections() == {"refused: persona 'x' is unknown": 1}


def test_garbage_in_dead_letters_is_not_of_the_demo(board: Scoreboard) -> None:
    assert not board.fold(letter("persona.requests", b"garbage"))
    assert not board.fold(letter("drafts.generated", None))


def test_the_newest_update_of_a_window_stands(board: Scoreboard) -> None:
    board.fold(lifetime(10))
    board.fold(lifetime(5, NOW - timedelta(minutes=1)))
    assert board.missing({("ada", "view"): 12}) == {("ada", "view"): 2}
    board.fold(lifetime(12, NOW + timedelta(minutes=1)))
    assert not board.missing({("ada", "view"): 12})


def test_a_persona_without_any_update_lacks_everything(board: Scoreboard) -> None:
    assert board.missing({("bo", "click"): 3}) == {("bo", "click"): 3}


def test_an_unknown_price_is_said_and_never_shown_as_nothing(board: Scoreboard) -> None:
    board.fold(cost("c1", 1_500))
    board.fold(cost("c2", None))
    assert spending_line(board) == "Model calls: 2, tokens: 200 in, 40 out, cost: $0.0015 and 1 calls of unknown price"


def test_a_rate_is_shown_with_its_numerator_and_denominator() -> None:
    assert engagement_text(lifetime(0)) == "- (0 / 0)"


def test_the_summary_names_requests_reasons_and_addresses_but_no_password(board: Scoreboard) -> None:
    board.fold(decided(draft(), "rejected", "too short"))
    endpoints = Endpoints(
        kafka="127.0.0.1:9",
        postgres="postgresql://u:secret@127.0.0.1/x",
        metrics="http://m/metrics",
        gateway="http://g",
    )
    text = "\n".join(summary(board, endpoints, "a.csv: 3 rows"))
    for part in (
        "Requests: 2",
        "undecided: 1",
        "0 accepted, 1 rejected",
        "1 x too short",
        "127.0.0.1:9",
        "http://m/metrics",
        "Live page: http://g",
    ):
        assert part in text
    assert "secret" not in text
