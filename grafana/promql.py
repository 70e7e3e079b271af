"""PromQL over the metrics catalogue: a query that names a label its metric does not have can't be written."""

from __future__ import annotations

from streams.metrics import Metric

PERSONA_LABEL, PERSONA_VARIABLE = "persona_id", "persona"
RATE_WINDOW = "[$__rate_interval]"


def selector(metric: Metric, suffix: str = "", **matchers: str) -> str:
    """Return a selector by exact label values, and of the chosen personas where the metric tells them apart.

    Raises:
        ValueError: the metric has no such label.
    """
    unknown = sorted(set(matchers) - set(metric.labels))
    if unknown:
        raise ValueError(f"{metric.name} has the labels {metric.labels}, not {unknown}")
    conditions = [f'{label}="{value}"' for label, value in matchers.items()]
    if PERSONA_LABEL in metric.labels:
        conditions.append(f'{PERSONA_LABEL}=~"${PERSONA_VARIABLE}"')
    return f"{metric.name}{suffix}{{{', '.join(conditions)}}}" if conditions else f"{metric.name}{suffix}"


def total(metric: Metric, by: tuple[str, ...] = (), **matchers: str) -> str:
    """Return the sum over all workers, by labels."""
    return f"sum{_by(by)} ({selector(metric, **matchers)})"


def greatest(metric: Metric, by: tuple[str, ...] = ()) -> str:
    """Return the greatest value of any worker, by labels."""
    return f"max{_by(by)} ({selector(metric)})"


def per_minute(metric: Metric, by: tuple[str, ...] = (), **matchers: str) -> str:
    """Return how fast a counter grows, in its unit a minute, by labels."""
    return f"60 * sum{_by(by)} (rate({selector(metric, **matchers)}{RATE_WINDOW}))"


def quantile(share: float, metric: Metric, by: tuple[str, ...]) -> str:
    """Return the value that `share` of a histogram's observations are at or below, by labels."""
    rates = f"sum{_by(('le', *by))} (rate({selector(metric, '_bucket')}{RATE_WINDOW}))"
    return f"histogram_quantile({share}, {rates})"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""
