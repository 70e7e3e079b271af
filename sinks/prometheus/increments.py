"""Increments: by how much one record moves which counter."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import polars as pl

from schemas.records import DraftDecided, DraftGenerated
from sinks.prometheus.metrics import (
    DRAFT_QUALITY,
    GENERATION_LATENCY,
    LLM_COST,
    LLM_TOKENS,
    LLM_UNPRICED_CALLS,
    POSTS_GENERATED,
)
from streams.metrics import Metric

CounterKey = tuple[str, ...]
"""A metric's name and the values of its labels; of a histogram also `BUCKET` and its bound, or a sum in `SUM_UNITS`."""

Increment = tuple[CounterKey, int]

BUCKET, SUM_MS, SUM_MICROS = "bucket", "sum_ms", "sum_micros"
SUM_UNITS = {SUM_MS: 1_000, SUM_MICROS: 1_000_000}
"""What the sums of histograms, kept as whole numbers, are divided by where they are shown."""

INFINITE = "+Inf"
MODEL_PHASES = frozenset({"hook", "body", "revise"})  # steps of cost.events that are phases of writing a draft
TOTAL_PHASE = "total"

COST_COLUMNS = (
    "offset",
    "persona_id",
    "step",
    "model",
    "latency_ms",
    "cost_micros",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
)
_TOKEN_KINDS = ("prompt", "cached", "completion", "reasoning")  # as the last columns of COST_COLUMNS


def draft_increments(event: DraftGenerated | DraftDecided) -> Iterator[Increment]:
    """Yield what a draft's event adds; each key comes once."""
    if isinstance(event, DraftDecided):
        yield (POSTS_GENERATED.name, event.persona_id, event.decision), 1
        yield _bucket(DRAFT_QUALITY, (event.persona_id,), event.quality.score), 1
        yield (DRAFT_QUALITY.name, event.persona_id, SUM_MICROS), round(event.quality.score * SUM_UNITS[SUM_MICROS])
        return
    yield (POSTS_GENERATED.name, event.persona_id, "generated"), 1
    yield from _latency(event.persona_id, TOTAL_PHASE, event.latency_ms)


def cost_increments(costs: pl.DataFrame) -> Iterator[tuple[int, list[Increment]]]:
    """Yield for each row of cost.events its offset and what it adds; in a row's list each key comes once."""
    for offset, persona_id, step, model, latency_ms, cost_micros, *tokens in costs.select(COST_COLUMNS).iter_rows():
        added: list[Increment] = [
            ((LLM_TOKENS.name, model, kind), count) for kind, count in zip(_TOKEN_KINDS, tokens, strict=True)
        ]
        added.append(_cost(persona_id, model, cost_micros))
        if step in MODEL_PHASES:
            added += _latency(persona_id, step, latency_ms)
        yield offset, added


def _cost(persona_id: str, model: str, cost_micros: int | None) -> Increment:
    """Return the cost in micro-dollars, which are divided only where they are shown, or one call of unknown price."""
    if cost_micros is None:
        return (LLM_UNPRICED_CALLS.name, persona_id, model), 1
    return (LLM_COST.name, persona_id, model), cost_micros


def _latency(persona_id: str, phase: str, latency_ms: int) -> Iterator[Increment]:
    yield _bucket(GENERATION_LATENCY, (persona_id, phase), latency_ms / SUM_UNITS[SUM_MS]), 1
    yield (GENERATION_LATENCY.name, persona_id, phase, SUM_MS), latency_ms


def _bucket(metric: Metric, labels: tuple[str, ...], observed: float) -> CounterKey:
    """Return the key of the bucket with the least bound that an observation does not exceed."""
    place = bisect_left(metric.buckets, observed)
    bound = str(metric.buckets[place]) if place < len(metric.buckets) else INFINITE
    return (metric.name, *labels, BUCKET, bound)
