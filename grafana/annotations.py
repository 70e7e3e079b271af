"""Annotations of dashboards: what was done to the platform, over what it did."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import AnnotationQuery

from grafana.sources import GRAFANA, PROMETHEUS, annotated, promql
from sinks.grafana_live.notes import REPLAY_TAG
from sinks.surroundings.metrics import CONSUMER_OFFSET
from streams.metrics import PROCESS_START, WORKER_BUILD

STARTS = f"1000 * {PROCESS_START.name} * on (instance) group_left (version) {WORKER_BUILD.name}"
SET_BACK = f"max by (consumergroup, topic) (resets({CONSUMER_OFFSET.name}[1m])) > 0"


def all_annotations() -> list[Builder[AnnotationQuery]]:
    """Return what all dashboards show: deploys and restarts, replays, and groups that were set back."""
    return [_deploys(), _replays(), _set_back()]


def _deploys() -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name("Deploys and restarts")
        .datasource(PROMETHEUS)
        .icon_color("blue")
        .target(promql(STARTS, ""))
        .expr(STARTS)
        .use_value_for_time(use_value_for_time=True)
        .title_format("{{role}} starts")
        .text_format("version {{version}} at {{instance}}")
    )


def _replays() -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name("Replays")
        .datasource(GRAFANA)
        .icon_color("purple")
        .target(annotated(REPLAY_TAG))
    )


def _set_back() -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name("Groups set back")
        .datasource(PROMETHEUS)
        .icon_color("orange")
        .target(promql(SET_BACK, ""))
        .expr(SET_BACK)
        .step("60s")
        .title_format("{{consumergroup}} was set back")
        .text_format("in {{topic}}: its records are processed again")
    )
