"""What the gateway tells of itself: how long requests took, by route template, and how they ended."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.metrics import Metric

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SERVICE = "gateway"

HTTP_REQUEST_DURATION = Metric(
    "http_request_duration_seconds",
    "histogram",
    ("service", "method", "endpoint"),
    "Time from a request's head to the end of its answer, seconds, by route template.",
    BUCKETS,
)
HTTP_REQUESTS = Metric(
    "http_requests_total",
    "counter",
    ("service", "method", "endpoint", "status"),
    "Requests that were answered, by route template and HTTP status.",
)

LIVE_FEEDS = Metric("gateway_live_feeds", "gauge", (), "Live feeds that are open.")

METRICS = (HTTP_REQUEST_DURATION, HTTP_REQUESTS, LIVE_FEEDS)


class RequestMetrics:
    """The series of one gateway, with a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        duration, requests = HTTP_REQUEST_DURATION, HTTP_REQUESTS
        self._duration = Histogram(
            duration.name, duration.help, duration.labels, buckets=duration.buckets, registry=self.registry
        )
        self._requests = Counter(requests.name, requests.help, requests.labels, registry=self.registry)
        self._feeds = Gauge(LIVE_FEEDS.name, LIVE_FEEDS.help, registry=self.registry)
        self._series: dict[tuple[str, str, int], tuple[Histogram, Counter]] = {}

    def tell_feeds(self, count: Callable[[], float]) -> None:
        """Tell how many live feeds are open, whenever it is asked."""
        self._feeds.set_function(count)

    def observe(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        key = (method, endpoint, status)
        series = self._series.get(key)
        if series is None:  # few: methods and templates are the table's
            duration = self._duration.labels(SERVICE, method, endpoint)
            series = self._series[key] = (duration, self._requests.labels(SERVICE, method, endpoint, str(status)))
        series[0].observe(seconds)
        series[1].inc()
