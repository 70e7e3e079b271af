"""What the embedding of a draft cost: its share of the call that embedded several."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from agents.costs.cost import cost_micros
from agents.costs.prices import PriceList
from agents.llm.answers.reply import Usage
from schemas.records import CostEvent, DraftScored
from streams.identity import derived_id


def token_shares(tokens: int, lengths: Sequence[int]) -> list[int]:
    """Return the tokens of each text of a call by the lengths of the texts; they add up to `tokens` exactly."""
    total, done, shares = sum(lengths), 0, list[int]()
    for index, length in enumerate(lengths):
        given = sum(shares)
        done += length
        shares.append((tokens * done // total if total else tokens * (index + 1) // len(lengths)) - given)
    return shares


def embedding_cost(
    scored: DraftScored,
    wording_key: str,
    billed_as: str,
    usage: Usage,
    *,
    latency_ms: int,
    occurred_at: datetime,
    prices: PriceList,
) -> CostEvent:
    """Return the booking of a draft's share; its id follows from wording and model: a repetition counts once."""
    draft = scored.draft
    return CostEvent(
        event_id=derived_id(wording_key, billed_as, "embedding"),
        occurred_at=occurred_at,
        persona_id=draft.persona_id,
        causation_id=scored.event_id,
        request_id=draft.request_id,
        step="embedding",
        model=billed_as,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=0,
        cost_micros=cost_micros(usage, billed_as, prices, on=occurred_at.date()),
        latency_ms=latency_ms,
    )
