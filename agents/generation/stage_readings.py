"""What the generate stage tells of itself: how much is under way, how long it has been, and the models' breakers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import get_args

from agents.generation.metrics import (
    GENERATION_BOUND,
    GENERATION_OLDEST,
    GENERATION_PARKED,
    GENERATION_UNDER_WAY,
    GENERATION_WAITING,
)
from agents.generation.partition_work import PartitionWork
from agents.generation.scheduler import Load
from agents.llm.faults.faults import WaitReason
from agents.llm.metrics import LLM_BREAKER_STATE, LLM_WAITS
from agents.llm.model_breaker import BreakerReading
from streams.engine.readings import Reading, breaker_readings


def generation_readings(
    load: Load, parts: Iterable[PartitionWork], breakers: Iterable[BreakerReading], now: datetime
) -> Iterator[Reading]:
    """Yield the readings; the oldest age is that of the request which has been under way longest, 0 where none is."""
    begun, parked = [], 0
    for part in parts:
        parked += part.parked_count
        oldest = part.oldest()
        if oldest is not None:
            begun.append(oldest)
    age_s = max((now - min(begun)).total_seconds(), 0.0) if begun else 0.0
    yield Reading(GENERATION_BOUND, (), load.bound)
    yield Reading(GENERATION_UNDER_WAY, (), load.under_way)
    yield Reading(GENERATION_WAITING, (), load.waiting)
    yield Reading(GENERATION_OLDEST, (), age_s)
    yield Reading(GENERATION_PARKED, (), parked)
    for breaker in breakers:
        yield from breaker_readings(LLM_BREAKER_STATE, (breaker.model,), breaker.state)
        for reason in get_args(WaitReason):
            waits = breaker.state != "closed" and breaker.reason == reason
            yield Reading(LLM_WAITS, (breaker.model, reason), float(waits))
