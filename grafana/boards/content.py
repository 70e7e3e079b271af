"""The dashboard "Content pipeline": drafts from request to decision, how fast, how good, and why some were refused."""

from __future__ import annotations

from collections.abc import Iterator

from agents.generation.metrics import (
    GENERATION_BOUND,
    GENERATION_OLDEST,
    GENERATION_PARKED,
    GENERATION_REQUESTS,
    GENERATION_UNDER_WAY,
    GENERATION_WAITING,
)
from agents.learning.metrics import LEARNING_ARMS, LEARNING_CAPPED, LEARNING_POSTS, LEARNING_REWARDS
from grafana import variables
from grafana.board import Board, Panel
from grafana.panels import Look, buckets, described, lines, rows
from grafana.promql import by_bucket, greatest, per_minute, quantile, selector, total
from grafana.sources import promql, sql
from sinks.prometheus.metrics import DRAFT_QUALITY, GENERATION_LATENCY, POSTS_GENERATED

PERCENTILES = (50, 95, 99)
QUALITY_PERCENTILES = (10, 50, 90)
INTERPOLATED = "Percentiles, interpolated within the histogram's buckets."


def _throughput() -> Iterator[Panel]:
    rate = described(POSTS_GENERATED, "Here a minute.")
    yield lines(
        Look("Throughput", rate, "cpm", 12, "drafts"),
        [promql(per_minute(POSTS_GENERATED, ("status",)), "{{status}}")],
    )
    count = described(POSTS_GENERATED, "Lifetime counts.")
    yield lines(
        Look("Drafts by status", count, "locale", 12, "drafts"),
        [promql(f"sum by (status) ({selector(POSTS_GENERATED)})", "{{status}}")],
    )
    latency = [
        promql(quantile(each / 100, GENERATION_LATENCY, ("phase",)), f"{{{{phase}}}} p{each}", f"P{each}")
        for each in PERCENTILES
    ]
    yield lines(
        Look("Generation latency by phase", described(GENERATION_LATENCY, INTERPOLATED), "s", 24, "requests"), latency
    )
    yield lines(
        Look("Requests by their end", described(GENERATION_REQUESTS, "Here a minute."), "cpm", 24, "requests"),
        [promql(per_minute(GENERATION_REQUESTS, ("outcome",)), "{{outcome}}")],
    )


def _quality() -> Iterator[Panel]:
    spread = described(DRAFT_QUALITY, "How many in each twentieth, over time.")
    yield buckets(
        Look("Score distribution", spread, "percentunit", 12, "drafts"),
        promql(by_bucket(DRAFT_QUALITY), "{{le}}"),
    )
    scores = [promql(quantile(each / 100, DRAFT_QUALITY, ()), f"p{each}", f"P{each}") for each in QUALITY_PERCENTILES]
    yield lines(Look("Draft quality", described(DRAFT_QUALITY, INTERPOLATED), "percentunit", 12, "drafts"), scores)
    reasons = (
        "Why drafts decided in the time range were refused, from table drafts: the feature that is under its gate, the "
        "score, what a text repeats, what the guard forbids. A draft may have several. share: of all decided drafts."
    )
    yield rows(
        Look("Decisions and reasons", reasons, "none", 12, "drafts?status=rejected"),
        sql("decision_reasons"),
        {"share": "percentunit", "last": "dateTimeAsIso"},
    )
    decisions = (
        "Drafts decided in the time range by persona, from table drafts; acceptance = accepted / decided; near "
        "duplicates: refused because they resemble another draft."
    )
    yield rows(
        Look("Decisions by persona", decisions, "none", 12, "drafts"),
        sql("decisions_by_persona"),
        {"acceptance": "percentunit", "mean score": "percentunit"},
        {"persona": "drafts?persona=${__data.fields.persona}"},
    )
    latest = (
        "The 50 latest drafts of the time range from table drafts: status (accepted or rejected once decided), "
        "score against threshold, reasons, and what a near-duplicate resembles."
    )
    yield rows(
        Look("Latest drafts", latest, "none", 24, "drafts"),
        sql("latest_drafts"),
        {"generated": "dateTimeAsIso", "cost": "currencyUSD"},
        {"draft": "drafts/${__data.fields.draft}"},
    )


def _under_way() -> Iterator[Panel]:
    """Yield the charts of what workers tell of themselves."""
    in_flight = {"bound": GENERATION_BOUND, "under way": GENERATION_UNDER_WAY, "waiting": GENERATION_WAITING}
    yield lines(
        Look("Bursts in flight", " ".join(metric.help for metric in in_flight.values()), "locale", 12, "requests"),
        [promql(total(metric), legend, ref) for ref, (legend, metric) in zip("ABC", in_flight.items(), strict=True)],
    )
    yield lines(
        Look("Oldest request", described(GENERATION_OLDEST, "The oldest of any worker."), "s", 6, "requests"),
        [promql(greatest(GENERATION_OLDEST), "oldest")],
    )
    yield lines(
        Look("Parked requests", described(GENERATION_PARKED, "All workers."), "locale", 6, "requests?status=parked"),
        [promql(total(GENERATION_PARKED), "parked")],
    )


def _learning() -> Iterator[Panel]:
    yield lines(
        Look("Rewards told", described(LEARNING_REWARDS, "Here a minute."), "cpm", 12, "posts"),
        [promql(per_minute(LEARNING_REWARDS, ("age_hours",)), "{{age_hours}} h")],
    )
    followed = {"posts": LEARNING_POSTS, "capped": LEARNING_CAPPED, "personas": LEARNING_ARMS}
    yield lines(
        Look("Posts learned from", " ".join(metric.help for metric in followed.values()), "locale", 12, "posts"),
        [promql(total(metric), legend, ref) for ref, (legend, metric) in zip("ABC", followed.items(), strict=True)],
    )


BOARD = Board(
    uid="content-pipeline",
    title="Content pipeline",
    description="Drafts from request to decision: how many, how fast, how good, and why some were refused.",
    variables=(variables.persona(),),
    rows={
        "Throughput and latency": _throughput,
        "Quality and decisions": _quality,
        "Under way": _under_way,
        "Learning": _learning,
    },
)
