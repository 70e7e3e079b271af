"""The dashboards' queries, run as Grafana runs them."""

from __future__ import annotations

import json
import math
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

DASHBOARDS = sorted((Path(__file__).resolve().parents[2] / "grafana" / "dashboards").glob("*.json"))
WINDOWS = "'1h','24h','7d','30d','lifetime'"
DEADLINE_S, POLL_S, TIMEOUT_S = 60.0, 0.2, 10
STEP_S, SPAN_S = 2, 300

BOARDS: list[dict[str, Any]] = [json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS]
TARGETS = [(panel, target) for board in BOARDS for panel in board["panels"] for target in panel.get("targets", [])]
PROMQL = [(panel["title"], each["expr"], each["legendFormat"]) for panel, each in TARGETS if "expr" in each]
SQL = [(panel["title"], each["rawSql"]) for panel, each in TARGETS if "rawSql" in each]
VARIABLES = {
    (each["name"], each["query"]) for board in BOARDS for each in board["templating"]["list"] if each["type"] == "query"
}
ANNOTATIONS = {each["expr"] for board in BOARDS for each in board["annotations"]["list"] if "expr" in each}


class Prometheus:
    """The HTTP interface that Grafana uses."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self._url}/api/v1/{path}?{query}", timeout=TIMEOUT_S) as answer:
            return json.load(answer)["data"]

    def series(self, expression: str) -> list[dict[str, Any]]:
        """Return the series over the last minutes as Prometheus tells them."""
        now = time.time()
        span = {"start": str(now - SPAN_S), "end": str(now), "step": str(STEP_S)}
        found: list[dict[str, Any]] = self.ask("query_range", query=expression, **span)["result"]
        return found

    def history(self, expression: str) -> list[tuple[dict[str, str], list[float]]]:
        """Return labels and finite values of each series over the last minutes."""
        values = [(each["metric"], [float(value) for _, value in each["values"]]) for each in self.series(expression)]
        return [(labels, [each for each in found if math.isfinite(each)]) for labels, found in values]

    def awaited(self, expression: str, holds: Callable[[list[float]], bool]) -> list[dict[str, str]]:
        """Return the labels of the series once there is one whose values hold."""
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            found = self.history(expression)
            kept = [labels for labels, values in found if holds(values)]
            if kept:
                return kept
            time.sleep(POLL_S)
        raise AssertionError(f"no such data within {DEADLINE_S:.0f} s for: {expression}")


def is_positive(values: Sequence[float]) -> bool:
    return max(values, default=0) > 0


def filled_in(expression: str, persona: str, role: str, rate_interval: str) -> str:
    """Return an expression with its variables filled in."""
    return expression.replace("$__rate_interval", rate_interval).replace("$persona", persona).replace("$role", role)


def expanded(statement: str, personas: str, span: tuple[datetime, datetime]) -> str:
    """Return a statement with its macros and variables filled in, for all windows; `personas` are SQL literals."""
    within = f"BETWEEN '{span[0].isoformat()}' AND '{span[1].isoformat()}'"
    in_time = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 {within}", statement)
    return in_time.replace("${persona:sqlstring}", personas).replace("${window:sqlstring}", WINDOWS)


def offered(prometheus: Prometheus, query: str) -> list[str]:
    """Return what the query of a variable offers."""
    [(selector, label)] = re.findall(r"^label_values\((.+), (\w+)\)$", query)
    found: list[str] = prometheus.ask(f"label/{label}/values", **{"match[]": selector})
    return found


def table(dsn: str, statement: str) -> list[dict[str, Any]]:
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(statement.encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]
