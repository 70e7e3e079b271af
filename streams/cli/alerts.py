"""`threads-agent alerts`: the alert rules, and what fires."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from streams.cli.table import Cell, Column, Table, print_table, wide_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

TIMEOUT_S = 10.0
_COLUMNS = (
    Column("state"),
    Column("severity"),
    Column("alert", "id"),
    Column("since", minor=1),
    Column("summary", "text"),
    Column("runbook", "id", minor=1),
)


@click.group("alerts", epilog="Example: threads-agent alerts list")
def alerts() -> None:
    """See which alerts fire, and write the rules for a Prometheus of your own."""


@alerts.command("rules", epilog="Example: threads-agent alerts rules > grafana/alerts/threads-agent.yml")
def rules() -> None:
    """Print the alert rules as Prometheus reads them, with the thresholds of the settings THREADS_ALERT_*."""
    from streams.alerting.rules_file import render_rules
    from streams.settings import current_settings

    click.echo(render_rules(current_settings()), nl=False)


@alerts.command("list", epilog="Example: threads-agent alerts list --json")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects: state, severity, alert, labels, ...")
def list_(*, wide: bool, as_json: bool) -> None:
    """List the alerts that are pending or fire now, as Prometheus sees them."""
    entries = [_entry(alert) for alert in _active()]
    if as_json:
        click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
    elif entries:
        print_table(Table(_COLUMNS, [_cells(entry) for entry in entries]), wide=wide)
    else:
        click.echo("no alert is pending or fires")


def _active() -> Sequence[Mapping[str, Any]]:
    import httpx

    from streams.endpoints import resolve
    from streams.errors import SettingsError, ThreadsError
    from streams.settings import current_settings

    address = resolve(current_settings()).prometheus
    if address is None:
        raise SettingsError(
            "There is no Prometheus to ask: start one with `threads-agent up`, or set THREADS_PROMETHEUS_URL"
        )
    try:
        answer = httpx.get(f"{address.rstrip('/')}/api/v1/alerts", timeout=TIMEOUT_S).raise_for_status()
        found: Sequence[Mapping[str, Any]] = answer.json()["data"]["alerts"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise ThreadsError(
            f"Prometheus at {address} does not tell its alerts ({error}): see whether it runs"
        ) from error
    return found


def _entry(alert: Mapping[str, Any]) -> dict[str, Any]:
    labels, annotations = dict(alert["labels"]), alert["annotations"]
    return {
        "state": alert["state"],
        "severity": labels.pop("severity", ""),
        "alert": labels.pop("alertname"),
        "since": alert["activeAt"],
        "summary": annotations.get("summary", ""),
        "description": annotations.get("description", ""),
        "runbook": annotations.get("runbook_url", ""),
        "labels": labels,
    }


def _cells(entry: Mapping[str, Any]) -> Sequence[Cell]:
    return tuple(str(entry[column]) for column in ("state", "severity", "alert", "since", "summary", "runbook"))
