"""Data sources by the uids that provisioning/datasources/datasources.yaml gives them, and queries to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="threads-prometheus")
POSTGRES = DataSourceRef(type_val="grafana-postgresql-datasource", uid="threads-postgres")
GRAFANA = DataSourceRef(type_val="grafana", uid="-- Grafana --")  # built in: annotations
LIVE = DataSourceRef(type_val="datasource", uid="grafana")  # built in: what is pushed to Grafana Live
MIXED = DataSourceRef(type_val="datasource", uid="-- Mixed --")  # built in: each query names its own
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


class PlainQuery(Builder[Dataquery], Dataquery):
    """A query of a source which the SDK has no builder for; it builds and encodes like the SDK's own."""

    def __init__(self, source: DataSourceRef, **fields: Any) -> None:  # noqa: ANN401 - what JSON can hold
        """Take the fields that the source reads."""
        self._source = source
        self._fields = fields

    def build(self) -> Dataquery:
        """Return the query."""
        return self

    def dataquery_type(self) -> str:
        """Return the type of the source."""
        return str(self._source.type_val)

    def to_json(self) -> dict[str, Any]:
        """Return what the source takes."""
        return {"datasource": self._source, **self._fields}


def sql(name: str, form: Literal["table", "time_series"] = "table", **names: str) -> PlainQuery:
    """Return the query of PostgreSQL with the statement of sql/NAME.sql; `names` are what is filled in as {name}."""
    statement = (SQL_FOLDER / f"{name}.sql").read_text(encoding="utf-8").strip()
    for placeholder, filled_in in names.items():
        statement = statement.replace(f"{{{placeholder}}}", filled_in)
    return PlainQuery(POSTGRES, editorMode="code", format=form, rawQuery=True, rawSql=statement, refId="A")


def pushed(channel: str, fields: list[str], ref_id: str) -> PlainQuery:
    """Return the query of what is pushed to a channel of Grafana Live from now on, with these fields of it."""
    return PlainQuery(
        LIVE, queryType="measurements", channel=channel, filter={"fields": ["time", *fields]}, refId=ref_id
    )


def annotated(tag: str) -> PlainQuery:
    """Return the query of annotations that were written into Grafana with a tag."""
    return PlainQuery(GRAFANA, type="tags", tags=[tag], matchAny=False, limit=100)
