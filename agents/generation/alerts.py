"""The alerts of the pipeline: requests that are late or come to nothing, as burn rates."""

from __future__ import annotations

from agents.generation.metrics import GENERATION_REQUESTS
from agents.generation.settings import GenerationSettings
from streams.alerting.alert import Alert, AlertGroup
from streams.alerting.burn_rate import EVALUATION_INTERVAL, FAST, SLOW, burn_expression
from streams.settings import Settings


def groups(settings: Settings) -> tuple[AlertGroup, ...]:
    """Return the alerts about requests."""
    wanted = settings.of(GenerationSettings)
    objective = wanted.alert_request_objective
    late = f"Of {objective:.4g} to be written within {wanted.request_time_s:g} s, what need not is used up "
    summary = "{{ $value | humanizePercentage }} of the requests come late or to nothing"
    alerts = (
        Alert(
            "RequestBurnFast",
            "critical",
            f"{late}6 to 14.4 times too fast",
            burn_expression(FAST, objective, _bad_share, _requests),
            summary,
            "So many requests are late or dead-lettered that a month's allowance is gone within days.",
        ),
        Alert(
            "RequestBurnSlow",
            "warning",
            f"{late}1 to 3 times too fast",
            burn_expression(SLOW, objective, _bad_share, _requests),
            summary,
            "For a day or longer more requests have been late or dead-lettered than the objective allows.",
        ),
    )
    return (AlertGroup("requests", alerts, EVALUATION_INTERVAL),)


def _bad_share(window: str) -> str:
    bad = f'sum(rate({GENERATION_REQUESTS.name}{{outcome!="in_time"}}[{window}]))'
    return f"{bad} / sum(rate({GENERATION_REQUESTS.name}[{window}]))"


def _requests(window: str) -> str:
    return f"sum(increase({GENERATION_REQUESTS.name}[{window}]))"
