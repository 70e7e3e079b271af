"""How generation is going now: what is in flight, what waits, and which circuit breakers are not closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agents.generation.metrics import (
    GENERATION_BOUND,
    GENERATION_OLDEST,
    GENERATION_PARKED,
    GENERATION_UNDER_WAY,
    GENERATION_WAITING,
)
from agents.llm.metrics import LLM_BREAKER_STATE, LLM_WAITS
from grafana.kpi_panels import described
from grafana.panels import Look, lines
from grafana.promql import greatest, total
from grafana.sources import promql
from streams.metrics import WORKER_BREAKER_STATE, WORKER_CHECKPOINT_AGE, WORKER_ROLE_FAILING, Metric

NOT_CLOSED = {"A": "open", "B": "half-open"}


def generation_panels() -> Iterator[Any]:
    """Yield the charts of what workers tell of themselves."""
    in_flight = {"bound": GENERATION_BOUND, "under way": GENERATION_UNDER_WAY, "waiting": GENERATION_WAITING}
    yield lines(
        Look("Bursts in flight", " ".join(metric.help for metric in in_flight.values()), "locale", 12),
        [promql(total(metric), legend, ref) for ref, (legend, metric) in zip("ABC", in_flight.items(), strict=True)],
    )
    yield lines(
        Look("Oldest request", described(GENERATION_OLDEST, None, "The oldest of any worker."), "s", 6),
        [promql(greatest(GENERATION_OLDEST), "oldest")],
    )
    yield lines(
        Look("Parked requests", described(GENERATION_PARKED, None, "All workers."), "locale", 6),
        [promql(total(GENERATION_PARKED), "parked")],
    )
    yield _breakers("Breakers of models", LLM_BREAKER_STATE, "model")
    yield _breakers("Breakers of stages", WORKER_BREAKER_STATE, "stage")
    yield lines(
        Look("Time since progress", described(WORKER_CHECKPOINT_AGE, None, "The longest of any worker."), "s", 8),
        [promql(greatest(WORKER_CHECKPOINT_AGE, ("stage",)), "{{stage}}")],
    )
    yield lines(
        Look("Roles given up", described(WORKER_ROLE_FAILING, None, "Here the number of workers."), "locale", 24),
        [promql(total(WORKER_ROLE_FAILING, ("role",)), "{{role}}")],
    )
    yield lines(
        Look("Why models wait", described(LLM_WAITS, None, "Here the number of workers that wait."), "locale", 24),
        [promql(total(LLM_WAITS, ("model", "reason")), "{{model}} {{reason}}")],
    )


def _breakers(title: str, metric: Metric, by: str) -> Any:  # noqa: ANN401 - the SDK is untyped here, see pyproject.toml
    return lines(
        Look(title, described(metric, None, "Here the number of workers in which it is not closed."), "locale", 8),
        [promql(total(metric, (by,), state=state), f"{{{{{by}}}}} {state}", ref) for ref, state in NOT_CLOSED.items()],
    )
