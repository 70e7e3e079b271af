"""The alerts of HTTP services: failures and slow answers, as thresholds and as burn rates."""

from __future__ import annotations

from streams.alerting.alert import Alert, AlertGroup
from streams.alerting.burn_rate import EVALUATION_INTERVAL, FAST, SLOW, burn_expression
from streams.alerting.settings import AlertingSettings
from streams.settings import Settings

FAST_ANSWER_S = 0.5  # a bound of the histogram's buckets


def groups(settings: Settings) -> tuple[AlertGroup, ...]:
    """Return the alerts about HTTP requests; burn rates in a group of their own, for they are looked at less often."""
    wanted = settings.of(AlertingSettings)
    return (
        AlertGroup("http", (_slow(wanted.alert_http_slow_s), _errors(wanted.alert_http_failed_share))),
        AlertGroup(
            "http-burn-rates",
            (*_error_burns(wanted.alert_http_objective), *_latency_burns(wanted.alert_http_fast_objective)),
            EVALUATION_INTERVAL,
        ),
    )


def _slow(seconds: float) -> Alert:
    buckets = "sum by (service, le) (rate(http_request_duration_seconds_bucket[5m]))"
    return Alert(
        "HttpSlow",
        "warning",
        f"95th percentile of the answer time over {seconds:g} s",
        f"histogram_quantile(0.95, {buckets}) > {seconds:.12g}",
        "{{ $labels.service }} answers slowly",
        "One request in twenty to {{ $labels.service }} takes longer than {{ $value | humanizeDuration }}.",
        hold="10m",
    )


def _errors(share: float) -> Alert:
    return Alert(
        "HttpErrors",
        "critical",
        f"More than {share:.4g} of all requests fail in the server (5xx)",
        f"{_failed_share('5m')} > {share:.12g}",
        "{{ $labels.service }} fails {{ $value | humanizePercentage }} of its requests",
        "{{ $labels.service }} answered {{ $value | humanizePercentage }} of the requests of the last five minutes "
        "with a 5xx status.",
        hold="5m",
    )


def _failed_share(window: str) -> str:
    failed = f'sum by (service) (rate(http_requests_total{{status=~"5.."}}[{window}]))'
    return f"{failed} / sum by (service) (rate(http_requests_total[{window}]))"


def _slow_share(window: str) -> str:
    name = "http_request_duration_seconds"
    fast = f'sum by (service) (rate({name}_bucket{{le="{FAST_ANSWER_S}"}}[{window}]))'
    return f"1 - {fast} / sum by (service) (rate({name}_count[{window}]))"


def _requests(window: str) -> str:
    return f"sum by (service) (increase(http_requests_total[{window}]))"


def _error_burns(objective: float) -> tuple[Alert, Alert]:
    fails = "{{ $labels.service }} fails {{ $value | humanizePercentage }} of its requests"
    failing = f"Of {objective:.4g} that must not fail, what may is used up "
    return (
        Alert(
            "HttpErrorBurnFast",
            "critical",
            f"{failing}6 to 14.4 times too fast",
            burn_expression(FAST, objective, _failed_share, _requests),
            fails,
            "{{ $labels.service }} fails so often that a month's allowance is gone within days.",
        ),
        Alert(
            "HttpErrorBurnSlow",
            "warning",
            f"{failing}1 to 3 times too fast",
            burn_expression(SLOW, objective, _failed_share, _requests),
            fails,
            "{{ $labels.service }} has failed for a day or longer more often than its objective allows.",
        ),
    )


def _latency_burns(objective: float) -> tuple[Alert, Alert]:
    slow = "{{ $labels.service }} answers {{ $value | humanizePercentage }} of its requests late"
    late = f"Of {objective:.4g} to be answered in {FAST_ANSWER_S:g} s, what need not is used up "
    return (
        Alert(
            "HttpLatencyBurnFast",
            "critical",
            f"{late}6 to 14.4 times too fast",
            burn_expression(FAST, objective, _slow_share, _requests),
            slow,
            "{{ $labels.service }} is late so often that a month's allowance is gone within days.",
        ),
        Alert(
            "HttpLatencyBurnSlow",
            "warning",
            f"{late}1 to 3 times too fast",
            burn_expression(SLOW, objective, _slow_share, _requests),
            slow,
            "{{ $labels.service }} has been late for a day or longer more often than its objective allows.",
        ),
    )
