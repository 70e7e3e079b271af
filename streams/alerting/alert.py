"""The alerts: what is wrong and from when on; those of the engine stand here, agents and sinks bring theirs.

A group is brought as an entry point (`threads.alerts`): a function of the settings, which hold its thresholds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import Literal

from streams.alerting.settings import AlertingSettings
from streams.errors import SettingsError
from streams.settings import Settings

ENTRY_POINTS = "threads.alerts"
Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. It is pending while `expression` has a result, by the labels of that, and fires after `hold`.

    `threshold` says in words what the expression asks. `summary` and `description` are templates of Prometheus.
    `critical` is for now and for somebody, `warning` for today, `info` for whoever looks.
    """

    name: str
    severity: Severity
    threshold: str
    expression: str
    summary: str
    description: str
    hold: str = "0s"

    @property
    def runbook(self) -> str:
        """Return the name of its runbook: WorkerStuck is explained in worker-stuck.md."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", self.name).lower() + ".md"


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """Alerts that are looked at together, every `interval`; None: as often as Prometheus looks at any."""

    name: str
    alerts: tuple[Alert, ...]
    interval: str | None = None


def alert_groups(settings: Settings) -> tuple[AlertGroup, ...]:
    """Return all groups that are installed, as the settings want them.

    Raises:
        SettingsError: THREADS_ALERTS_FOR or THREADS_ALERTS_OFF names no alert.
        ValueError: two alerts have one name.
    """
    entries = sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name)
    groups: list[AlertGroup] = [group for entry in entries for group in entry.load()(settings)]
    names = [alert.name for group in groups for alert in group.alerts]
    if len(set(names)) < len(names):
        raise ValueError(f"an alert is declared twice, rename one of them: {', '.join(sorted(names))}")
    wanted = settings.of(AlertingSettings)
    _check_names(wanted, names)
    return tuple(replace(group, alerts=tuple(_wanted(group, wanted))) for group in groups)


def _check_names(wanted: AlertingSettings, names: list[str]) -> None:
    for variable, given in (("THREADS_ALERTS_FOR", wanted.alerts_for), ("THREADS_ALERTS_OFF", wanted.alerts_off)):
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise SettingsError(f"{variable}: there is no alert {', '.join(unknown)}; there are {', '.join(names)}")


def _wanted(group: AlertGroup, wanted: AlertingSettings) -> Iterator[Alert]:
    for alert in group.alerts:
        if alert.name not in wanted.alerts_off:
            yield replace(alert, hold=wanted.alerts_for.get(alert.name, alert.hold))
