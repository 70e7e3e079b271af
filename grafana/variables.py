"""Variables of dashboards: personas, roles, windows, and where the live page is."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh, VariableSort

from grafana.sources import PROMETHEUS
from sinks.prometheus.metrics import ENGAGEMENTS, POSTS_GENERATED
from sinks.surroundings.metrics import CONSUMER_LAG
from streams.metrics import Metric

PERSONA, ROLE, WINDOW, GATEWAY = "persona", "role", "window", "gateway"
WINDOWS = ("1h", "24h", "7d", "30d", "lifetime")
FIRST_WINDOW = "24h"
PAGE_URL = "http://127.0.0.1:8080"


def persona() -> dashboard.QueryVariable:
    """Return the choice of personas: one is offered once it has engagement or a draft."""
    return _offered(PERSONA, "persona", (ENGAGEMENTS, POSTS_GENERATED), "persona_id")


def role() -> dashboard.QueryVariable:
    """Return the choice of worker roles, which are consumer groups; all of them are those without a group, too."""
    return _offered(ROLE, "role", (CONSUMER_LAG,), "consumergroup").all_value(".*")


def _offered(name: str, label: str, metrics: Sequence[Metric], of_label: str) -> dashboard.QueryVariable:
    names = "|".join(metric.name for metric in metrics)
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .query(f'label_values({{__name__=~"{names}"}}, {of_label})')
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .current(VariableOption(text=["All"], value=["$__all"]))
    )


def window(label: str, *, several: bool) -> dashboard.CustomVariable:
    """Return the choice of a window of the KPIs, or of several."""
    variable = (
        dashboard.CustomVariable(WINDOW)
        .label(label)
        .values(", ".join(WINDOWS))
        .multi(multi=several)
        .options([VariableOption(each == FIRST_WINDOW, each, each) for each in WINDOWS])
    )
    chosen: str | list[str] = [FIRST_WINDOW] if several else FIRST_WINDOW
    return variable.current(VariableOption(selected=True, text=chosen, value=chosen))


def gateway() -> dashboard.TextBoxVariable:
    """Return the address of the gateway, whose live page the panels lead to."""
    return (
        dashboard.TextBoxVariable(GATEWAY)
        .label("live page")
        .description("The gateway's address, as `threads-agent status` shows it.")
        .default_value(PAGE_URL)
        .current(VariableOption(selected=True, text=PAGE_URL, value=PAGE_URL))
    )
