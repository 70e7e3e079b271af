"""The dashboard "API": the gateway's requests by route, how long they took and how they ended."""

from __future__ import annotations

from collections.abc import Iterator

from agents.gateway.metrics import HTTP_REQUEST_DURATION, HTTP_REQUESTS, LIVE_FEEDS
from agents.webhooks.metrics import WEBHOOKS_OLDEST, WEBHOOKS_UNDER_WAY, WEBHOOKS_WAITING
from grafana.board import Board, Panel
from grafana.panels import Look, buckets, described, lines
from grafana.promql import RATE_WINDOW, by_bucket, per_second, quantile
from grafana.sources import promql
from grafana.targets import ERROR_SHARE, RESPONSE_SECONDS

ROUTE = ("service", "method", "endpoint")
OF_ROUTE = "{{method}} {{endpoint}}"
PERCENTILES = (50, 95, 99)
FAILED = f'{HTTP_REQUESTS.name}{{status=~"5.."}}'
INTERPOLATED = "Percentiles, interpolated within the histogram's buckets."


def _requests() -> Iterator[Panel]:
    rate = described(HTTP_REQUESTS, "Here a second.")
    yield lines(Look("Requests by route", rate, "reqps", 12, ""), [promql(per_second(HTTP_REQUESTS, ROUTE), OF_ROUTE)])
    yield lines(
        Look("Answers by status", rate, "reqps", 6, ""), [promql(per_second(HTTP_REQUESTS, ("status",)), "{{status}}")]
    )
    share = "Answers with a status from 500 on / all answers."
    look = Look("Failed", f"{share} Target: {ERROR_SHARE.wording}.", "percentunit", 6, "", None, ERROR_SHARE)
    failed = f"sum (rate({FAILED}{RATE_WINDOW})) or vector(0)"
    yield lines(look, [promql(f"({failed}) / {per_second(HTTP_REQUESTS)}", "failed")])
    yield lines(
        Look("Live feeds", described(LIVE_FEEDS), "short", 24, ""), [promql(f"sum({LIVE_FEEDS.name})", "feeds")]
    )


def _durations() -> Iterator[Panel]:
    took = described(HTTP_REQUEST_DURATION, INTERPOLATED, target=RESPONSE_SECONDS)
    yield lines(
        Look("Response time", took, "s", 12, "", None, RESPONSE_SECONDS),
        [promql(quantile(each / 100, HTTP_REQUEST_DURATION, ()), f"p{each}", f"P{each}") for each in PERCENTILES],
    )
    spread = described(HTTP_REQUEST_DURATION, "How many in each bucket, over time.")
    yield buckets(
        Look("Distribution of response times", spread, "s", 12, ""), promql(by_bucket(HTTP_REQUEST_DURATION), "{{le}}")
    )
    by_route = described(HTTP_REQUEST_DURATION, "Here the 95th percentile.", target=RESPONSE_SECONDS)
    yield lines(
        Look("Response time by route, p95", by_route, "s", 24, "", None, RESPONSE_SECONDS),
        [promql(quantile(0.95, HTTP_REQUEST_DURATION, ROUTE), OF_ROUTE)],
    )


def _webhooks() -> Iterator[Panel]:
    for metric, unit, title in (
        (WEBHOOKS_WAITING, "short", "Webhooks that wait"),
        (WEBHOOKS_UNDER_WAY, "short", "Webhooks under way"),
        (WEBHOOKS_OLDEST, "s", "Oldest webhook"),
    ):
        yield lines(Look(title, described(metric), unit, 8, ""), [promql(f"max({metric.name})", title.lower())])


BOARD = Board(
    uid="api",
    title="API",
    description="The gateway's requests by route template: how many, how long they took, how they ended.",
    variables=(),
    rows={"Requests": _requests, "Response times": _durations, "Webhooks": _webhooks},
    since="now-3h",
)
