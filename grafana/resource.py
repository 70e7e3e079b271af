"""The resource form of a dashboard: what Grafana's API takes under dashboard.grafana.app, the same panels in rows.

File provisioning refuses it, so it stands beside the classic form, which it is made of.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as classic
from grafana_foundation_sdk.models import dashboardv2beta1 as v2
from grafana_foundation_sdk.models.resource import DashboardKind, DashboardV2Beta1, Manifest, Metadata

NOT_THE_QUERYS_OWN = ("datasource", "refId", "hide")
TEXT_QUERY = "__legacyStringValue"  # where Grafana keeps a variable's query that is a text


def resource(made: classic.Dashboard) -> Manifest:
    """Return the resource of a dashboard in its classic form."""
    panels = made.panels or []
    spec = v2.Dashboard(
        annotations=[_annotation(each) for each in (made.annotations.list_val or [] if made.annotations else [])],
        cursor_sync=_named(v2.DashboardCursorSync, made.graph_tooltip or classic.DashboardCursorSync.OFF),
        description=made.description,
        editable=made.editable,
        elements={_name(each): _panel(each) for each in panels if isinstance(each, classic.Panel)},
        layout=v2.RowsLayoutKind(v2.RowsLayoutSpec(list(_rows(panels)))),
        links=[v2.DashboardLink.from_json(_plain(each)) for each in made.links or []],
        tags=made.tags,
        time_settings=_times(made),
        title=made.title or "",
        variables=[_variable(each) for each in (made.templating.list_val or [] if made.templating else [])],
    )
    return Manifest(DashboardV2Beta1, DashboardKind, Metadata(name=made.uid or ""), spec)


def _plain(model: object) -> Any:  # noqa: ANN401 - what JSON can hold
    return json.loads(json.dumps(model, cls=JSONEncoder))


def _named(kind: Any, value: Enum) -> Any:  # noqa: ANN401 - the enum of the same names in the other form
    return kind[value.name]


def _name(panel: classic.Panel) -> str:
    return f"panel-{panel.id_val}"


def _rows(panels: Iterable[classic.Panel | classic.RowPanel]) -> Iterator[v2.RowsLayoutRowKind]:
    """Yield the rows; places count from the top of each."""
    title, top, items = "", 0, list[v2.GridLayoutItemKind]()
    for panel in panels:
        assert panel.grid_pos is not None
        if isinstance(panel, classic.Panel):
            items.append(_placed(panel, top))
            continue
        if items:
            yield _row(title, items)
        title, top, items = panel.title or "", panel.grid_pos.y + panel.grid_pos.h, []
    yield _row(title, items)


def _row(title: str, items: list[v2.GridLayoutItemKind]) -> v2.RowsLayoutRowKind:
    layout = v2.GridLayoutKind(v2.GridLayoutSpec(items))
    return v2.RowsLayoutRowKind(v2.RowsLayoutRowSpec(title=title, collapse=False, layout=layout))


def _placed(panel: classic.Panel, top: int) -> v2.GridLayoutItemKind:
    at = panel.grid_pos
    assert at is not None
    return v2.GridLayoutItemKind(v2.GridLayoutItemSpec(at.x, at.y - top, at.w, at.h, v2.ElementReference(_name(panel))))


def _panel(panel: classic.Panel) -> v2.PanelKind:
    options = v2.QueryOptionsSpec(interval=panel.interval)
    data = v2.QueryGroupSpec([_query(each) for each in panel.targets or []], [], options)
    fields = v2.FieldConfigSource.from_json(_plain(panel.field_config))
    viz = v2.VizConfigKind(panel.type_val, spec=v2.VizConfigSpec(_plain(panel.options), fields))
    return v2.PanelKind(
        v2.PanelSpec(
            id_val=panel.id_val or 0,
            title=panel.title or "",
            description=panel.description,
            links=[v2.DataLink(each.title, each.url or "", each.target_blank) for each in panel.links or []],
            data=v2.QueryGroupKind(data),
            viz_config=viz,
        )
    )


def _query(target: object) -> v2.PanelQueryKind:
    found = _plain(target)
    return v2.PanelQueryKind(v2.PanelQuerySpec(_asked(found), found["refId"], hidden=bool(found.get("hide"))))


def _asked(found: dict[str, Any]) -> v2.DataQueryKind:
    """Return a query of a source: its own fields, beside which source it is."""
    source = found["datasource"]
    own = {name: value for name, value in found.items() if name not in NOT_THE_QUERYS_OWN}
    return _of_source(source, own)


def _of_source(source: dict[str, str], own: dict[str, Any]) -> v2.DataQueryKind:
    name = v2.Dashboardv2beta1DataQueryKindDatasource(source["uid"])
    return v2.DataQueryKind(source["type"], datasource=name, spec=own)


def _annotation(each: classic.AnnotationQuery) -> v2.AnnotationQueryKind:
    found = _plain(each)
    query = _of_source(found["datasource"], {k: v for k, v in found["target"].items() if k not in NOT_THE_QUERYS_OWN})
    more = {k: found[k] for k in ("expr", "step", "titleFormat", "textFormat", "useValueForTime") if k in found}
    return v2.AnnotationQueryKind(
        v2.AnnotationQuerySpec(
            query, each.enable, bool(each.hide), each.icon_color, each.name, legacy_options=more or None
        )
    )


def _times(made: classic.Dashboard) -> v2.TimeSettingsSpec:
    assert made.time is not None
    return v2.TimeSettingsSpec(made.timezone, made.time.from_val, made.time.to, made.refresh or "")


def _variable(each: classic.VariableModel) -> v2.VariableKind:
    found = _plain(each)
    common = {key: found[key] for key in ("name", "label", "description", "current") if key in found}
    several = {"multi": bool(each.multi), "includeAll": bool(each.include_all), "options": found.get("options", [])}
    if each.type_val == classic.VariableType.TEXTBOX:
        return v2.TextVariableKind(v2.TextVariableSpec.from_json({**common, "query": each.query}))
    if each.type_val == classic.VariableType.CUSTOM:
        return v2.CustomVariableKind(v2.CustomVariableSpec.from_json({**common, **several, "query": each.query}))
    spec = v2.QueryVariableSpec.from_json({**common, **several, "allValue": each.all_value})
    spec.query = _of_source(found["datasource"], {TEXT_QUERY: each.query})
    spec.refresh = _named(v2.VariableRefresh, each.refresh or classic.VariableRefresh.ON_DASHBOARD_LOAD)
    spec.sort = _named(v2.VariableSort, each.sort or classic.VariableSort.DISABLED)
    return v2.QueryVariableKind(spec)
