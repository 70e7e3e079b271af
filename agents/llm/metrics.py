"""What a worker tells of its models, as they are now."""

from __future__ import annotations

from streams.metrics import Metric

LLM_BREAKER_STATE = Metric(
    "llm_breaker_state",
    "gauge",
    ("model", "state"),
    "1 for the state that a model's circuit breaker is in: closed, open, half-open; 0 for the others.",
)
LLM_WAITS = Metric(
    "llm_waits",
    "gauge",
    ("model", "reason"),
    "1 for the reason why calls to a model wait: no credit (the account must be topped up), no answer, away; else 0.",
)

METRICS = (
    LLM_BREAKER_STATE,
    LLM_WAITS,
)
