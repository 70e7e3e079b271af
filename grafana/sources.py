"""Data sources by the uids that provisioning/datasources/datasources.yaml gives them, and queries to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="threads-prometheus")
POSTGRES = DataSourceRef(type_val="grafana-postgresql-datasource", uid="threads-postgres")
SQL_FOLDER = Path(__file__).parent / "sql"


def promql(expression: str, legend: str, ref_id: str = "A") -> prometheus.Dataquery:
    """Return the builder of a query over the dashboard's time range."""
    return (
        prometheus.Dataquery()
        .datasource(PROMETHEUS)
        .expr(expression)
        .legend_format(legend)
        .range()
        .format(PromQueryFormat.TIME_SERIES)
        .editor_mode(QueryEditorMode.CODE)
        .ref_id(ref_id)
    )


class SqlQuery:
    """A query of PostgreSQL, which the SDK has no builder for; it builds and encodes like the SDK's own."""

    def __init__(self, name: str, form: Literal["table", "time_series"] = "table", ref_id: str = "A") -> None:
        """Read the statement from sql/NAME.sql."""
        self._statement = (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8").strip()
        self._form = form
        self._ref_id = ref_id

    def build(self) -> SqlQuery:
        """Return the query."""
        return self

    def to_json(self) -> dict[str, Any]:
        """Return what Grafana's PostgreSQL source takes."""
        return {
            "datasource": POSTGRES,
            "editorMode": "code",
            "format": self._form,
            "rawQuery": True,
            "rawSql": self._statement,
            "refId": self._ref_id,
        }
