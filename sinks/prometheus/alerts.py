"""The alerts of the business: engagement, cost, revenue, posts, quality and spending, from the series of the sink."""

from __future__ import annotations

from sinks.prometheus.metrics import (
    COST_PER_FOLLOW,
    DRAFT_QUALITY,
    LLM_COST,
    POSTS_ENGAGEMENT_RATE,
    POSTS_GENERATED,
    REVENUE_PROJECTION,
)
from sinks.prometheus.settings import ThresholdSettings
from streams.alerting.alert import Alert, AlertGroup
from streams.settings import Settings

EVALUATION_INTERVAL = "30s"
ROLE = "sink-prometheus"


def groups(settings: Settings) -> tuple[AlertGroup, ...]:
    """Return the alerts about what the personas do, earn and spend."""
    wanted = settings.of(ThresholdSettings)
    alerts = (
        _engagement_low(wanted.alert_engagement_rate),
        _cost_high(wanted.alert_cost_per_follow_dollars),
        _revenue_low(wanted.alert_revenue_target_dollars * wanted.alert_revenue_share),
        _no_posts(),
        _quality_low(wanted.alert_quality),
        _spend_high(wanted.alert_spend_dollars_per_hour),
    )
    return (AlertGroup("business", alerts, EVALUATION_INTERVAL),)


def _kept(expression: str) -> str:
    """Return an expression's last value of five minutes: a restart of the sink begins no pending alert anew."""
    return f"last_over_time({expression}[5m:30s])"


def _engagement_low(least: float) -> Alert:
    return Alert(
        "EngagementRateLow",
        "warning",
        f"Engagement rate of a persona under {least:.4g}",
        f"{_kept(f'max by (persona_id) ({POSTS_ENGAGEMENT_RATE.name})')} < {least:.12g}",
        "The engagement rate of {{ $labels.persona_id }} is {{ $value | humanizePercentage }}",
        f"The posts of {{{{ $labels.persona_id }}}} engage less than {least:.4g} of their views.",
        hold="30m",
    )


def _cost_high(most: float) -> Alert:
    return Alert(
        "CostPerFollowHigh",
        "warning",
        f"Cost per follow of a persona over ${most:g}",
        f"{_kept(f'max by (persona_id) ({COST_PER_FOLLOW.name})')} > {most:.12g}",
        "A follow of {{ $labels.persona_id }} costs ${{ $value | humanize }}",
        f"All that {{{{ $labels.persona_id }}}} costs, by its new follows, is over ${most:g}.",
        hold="30m",
    )


def _revenue_low(least: float) -> Alert:
    return Alert(
        "RevenueLow",
        "warning",
        f"Projected revenue under ${least:,.2f} a month",
        f"{_kept(f'sum({REVENUE_PROJECTION.name})')} < {least:.12g}",
        "The projected revenue is ${{ $value | humanize }} a month",
        f"The run rate of the last 30 days projects less than ${least:,.2f} a month.",
        hold="1h",
    )


def _no_posts() -> Alert:
    """Ask the sink that is there: the series of a persona's first post begins with 1, so nothing has increased."""
    posts = f'{POSTS_GENERATED.name}{{status="accepted"}}'
    before = f"sum by (persona_id) (max_over_time({posts}[5m] offset 5m))"
    return Alert(
        "NoPosts",
        "warning",
        "No draft of any persona accepted",
        f'max(max_over_time(up{{role=~"(.+,)?{ROLE}(,.+)?"}}[5m])) == 1\n'
        f"unless on () (sum(increase({posts}[5m])) > 0)\n"
        f"unless on () (count(sum by (persona_id) ({posts}) unless {before}) > 0)",
        "No draft has been accepted for half an hour",
        "All personas together have had no draft accepted for half an hour.",
        hold="30m",
    )


def _quality_low(least: float) -> Alert:
    window = "[30m]"
    return Alert(
        "QualityLow",
        "warning",
        f"Mean quality of drafts under {least:g}",
        f"sum(rate({DRAFT_QUALITY.name}_sum{window})) / sum(rate({DRAFT_QUALITY.name}_count{window})) < {least:.12g}",
        "The mean quality of drafts is {{ $value | humanize }}",
        f"The drafts decided in the last half hours have scored less than {least:g} on average.",
        hold="1h",
    )


def _spend_high(most: float) -> Alert:
    """Compare sums, not increases: when partitions move, a sink's series falls, and that is no restart.

    The median of five minutes bridges the moment in which two sinks or none show a partition.
    """
    total = f"quantile_over_time(0.5, sum({LLM_COST.name})[5m:30s]"
    before = " or ".join(f"{total} offset {back})" for back in ("1h", "30m", "10m"))  # the farthest back that there is
    return Alert(
        "SpendHigh",
        "critical",
        f"Model calls of an hour over ${most:g}",
        f"{total}) - ({before}) > {most:.12g}",
        "Model calls of the last hour cost ${{ $value | humanize }}",
        f"The calls to models of all personas have cost more than ${most:g} in the last hour.",
    )
