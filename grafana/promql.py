"""PromQL over the metrics catalogue: a query that names a label its metric does not have can't be written."""

from __future__ import annotations

from grafana.variables import PERSONA, ROLE
from streams.metrics import ENGINE_METRICS, Metric

RATE_WINDOW = "[$__rate_interval]"
CHOSEN = {"persona_id": f'persona_id=~"${PERSONA}"', "consumergroup": f'consumergroup=~"${ROLE}"'}
OF_ROLES = f'role=~".*${ROLE}.*"'  # the label of a worker's target: its roles, with commas between


def selector(metric: Metric, suffix: str = "", **matchers: str) -> str:
    """Return a selector by exact label values, and of the chosen personas or roles where the metric tells them apart.

    Raises:
        ValueError: the metric has no such label.
    """
    unknown = sorted(set(matchers) - set(metric.labels))
    if unknown:
        raise ValueError(f"{metric.name} has the labels {metric.labels}, not {unknown}")
    conditions = [f'{label}="{value}"' for label, value in matchers.items()]
    conditions += [condition for label, condition in CHOSEN.items() if label in metric.labels]
    if metric in ENGINE_METRICS:
        conditions.append(OF_ROLES)
    return f"{metric.name}{suffix}{{{', '.join(conditions)}}}" if conditions else f"{metric.name}{suffix}"


def total(metric: Metric, by: tuple[str, ...] = (), **matchers: str) -> str:
    """Return the sum over all workers, by labels."""
    return f"sum{_by(by)} ({selector(metric, **matchers)})"


def greatest(metric: Metric, by: tuple[str, ...] = ()) -> str:
    """Return the greatest value of any worker, by labels."""
    return f"max{_by(by)} ({selector(metric)})"


def least(metric: Metric, by: tuple[str, ...] = ()) -> str:
    """Return the least value of any worker, by labels."""
    return f"min{_by(by)} ({selector(metric)})"


def total_of_same(metric: Metric, by: tuple[str, ...]) -> str:
    """Return the sum by labels of what several processes tell alike."""
    return f"sum{_by(by)} ({greatest(metric, metric.labels)})"


def growth_of_same(metric: Metric, by: tuple[str, ...]) -> str:
    """Return how fast what several processes tell alike grows, a second, by labels."""
    return f"sum{_by(by)} (max{_by(metric.labels)} (rate({selector(metric)}{RATE_WINDOW})))"


def per_second(metric: Metric, by: tuple[str, ...] = (), **matchers: str) -> str:
    """Return how fast a counter grows, in its unit a second, by labels."""
    return f"sum{_by(by)} (rate({selector(metric, **matchers)}{RATE_WINDOW}))"


def per_minute(metric: Metric, by: tuple[str, ...] = (), **matchers: str) -> str:
    """Return how fast a counter grows, in its unit a minute, by labels."""
    return f"60 * {per_second(metric, by, **matchers)}"


def quantile(share: float, metric: Metric, by: tuple[str, ...]) -> str:
    """Return the value that `share` of a histogram's observations are at or below, by labels."""
    rates = f"sum{_by(('le', *by))} (rate({selector(metric, '_bucket')}{RATE_WINDOW}))"
    return f"histogram_quantile({share}, {rates})"


def mean(metric: Metric, by: tuple[str, ...]) -> str:
    """Return the mean of a histogram's observations, by labels."""
    sums, counts = (f"sum{_by(by)} (rate({selector(metric, each)}{RATE_WINDOW}))" for each in ("_sum", "_count"))
    return f"{sums} / {counts}"


def or_none(expression: str, by: tuple[str, ...]) -> str:
    """Return 0 for `none` where an expression finds nothing: the absence of a fault is a value, too."""
    nothing = "vector(0)"
    for label in by:
        nothing = f'label_replace({nothing}, "{label}", "none", "", "")'
    return f"{expression} or on () {nothing}"


def by_bucket(metric: Metric) -> str:
    """Return how many observations a histogram had in each step of a chart, by bucket."""
    return f"sum by (le) (increase({selector(metric, '_bucket')}{RATE_WINDOW}))"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""
