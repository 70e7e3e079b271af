"""Increments: by how much a record moves which counter of its partition; each record and each draft counts once."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

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
    """Yield for each row of cost.events its offset and what it adds; in a row's list each key comes once.

    Backfilled calls add nothing: a counter moves at the time of counting, and an old bill would be a jump of now.
    """
    live = costs.filter(~pl.col("backfilled")).select(COST_COLUMNS)
    for offset, persona_id, step, model, latency_ms, cost_micros, *tokens in live.iter_rows():
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


class PartitionCounters:
    """Counters of one source partition that a replayed record does not move.

    Every counter carries the offset of the last record in it. A checkpoint broken off by a crash may have made some
    counters durable and others not: the records that come again are skipped by the first and counted by the others.
    """

    def __init__(self) -> None:
        self._values: dict[CounterKey, tuple[int, int]] = {}  # value, offset
        self._changed: set[CounterKey] = set()

    @property
    def values(self) -> Mapping[CounterKey, int]:
        """Return a copy of the counters' values."""
        return {key: value for key, (value, _) in self._values.items()}

    def restore(self, key: bytes, value: bytes) -> None:
        """Take over a counter as `changes` encoded it."""
        count, offset = value.split(b" ")
        self._values[tuple(json.loads(key))] = (int(count), int(offset))

    def apply(self, offset: int, increments: Iterable[Increment]) -> None:
        """Add the increments of the record at `offset`, each key at most once, to the counters that are not past it."""
        for key, by in increments:
            value, last = self._values.get(key, (0, -1))
            if offset > last:
                self._values[key] = (value + by, offset)
                self._changed.add(key)

    def changes(self) -> list[tuple[bytes, bytes]]:
        """Return the counters changed since the last call, with their encoded values (of any size)."""
        changed = [(_encoded(key), b"%d %d" % self._values[key]) for key in sorted(self._changed)]
        self._changed.clear()
        return changed


def _encoded(key: CounterKey) -> bytes:
    return json.dumps(key, ensure_ascii=False, separators=(",", ":")).encode()


HORIZON_OFFSETS = 100_000  # of a partition, about 10 MB; drafts are written at the speed of language models


class SeenDrafts:
    """The draft ids of the last `horizon` offsets of one partition, each with the offset where it was counted.

    The id's own offset is kept, so a record that comes again after a crash is still the one that counts.
    """

    def __init__(self, horizon: int = HORIZON_OFFSETS) -> None:
        self._horizon = horizon
        self._offsets: dict[str, int] = {}
        self._changed: dict[str, int | None] = {}

    def restore(self, items: list[tuple[str, int]]) -> None:
        """Take over ids with their offsets, in any order."""
        self._offsets = dict(sorted(items, key=lambda item: item[1]))

    def counts(self, draft_id: str, offset: int) -> bool:
        """Tell whether the record at `offset` is the one that counts, and remember it."""
        counted_at = self._offsets.get(draft_id)
        if counted_at is not None and counted_at < offset <= counted_at + self._horizon:
            return False
        if counted_at is None or counted_at < offset:
            self._offsets.pop(draft_id, None)  # to the end: the dict is in the order of offsets
            self._offsets[draft_id] = self._changed[draft_id] = offset
            self._forget_before(offset - self._horizon)
        return True

    def changes(self) -> list[tuple[str, int | None]]:
        """Return the ids that came (with their offsets) or went (None) since the last call."""
        changed = list(self._changed.items())
        self._changed.clear()
        return changed

    def _forget_before(self, first_offset: int) -> None:
        while self._offsets:
            draft_id, offset = next(iter(self._offsets.items()))
            if offset >= first_offset:
                return
            del self._offsets[draft_id]
            self._changed[draft_id] = None
