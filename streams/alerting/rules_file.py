"""The rules file: the alerts in the form that Prometheus reads."""

from __future__ import annotations

from typing import Any

import yaml

from streams.alerting.alert import Alert, AlertGroup, alert_groups
from streams.alerting.settings import AlertingSettings
from streams.settings import Settings

HEADING = "# Written by `threads-agent alerts rules`; the thresholds are settings, see deploy/README.md.\n"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def render_rules(settings: Settings) -> str:
    """Render the rules of all alerts with their labels and annotations.

    Raises:
        SettingsError: a setting names an alert that there is not.
    """
    base = settings.of(AlertingSettings).runbooks_url.rstrip("/")
    groups = [_group(group, base) for group in alert_groups(settings)]
    return HEADING + yaml.dump({"groups": groups}, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)


def _group(group: AlertGroup, runbooks: str) -> dict[str, Any]:
    interval = {} if group.interval is None else {"interval": group.interval}
    return {"name": group.name, **interval, "rules": [_rule(alert, runbooks) for alert in group.alerts]}


def _rule(alert: Alert, runbooks: str) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression.strip(),
        "for": alert.hold,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{runbooks}/{alert.runbook}",
        },
    }
