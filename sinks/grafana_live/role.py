"""The role `sink-grafana-live`."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.grafana_live.grafana import Grafana
from sinks.grafana_live.settings import ROLE_NAME, GrafanaSettings
from sinks.grafana_live.stage import GrafanaLiveStage
from streams.engine.stage import AnyStage
from streams.role import Role
from streams.settings import Settings


def _stages(settings: Settings) -> Sequence[AnyStage]:
    return (GrafanaLiveStage(Grafana(settings.of(GrafanaSettings), settings.io_timeout_s)),)


ROLE = Role(ROLE_NAME, _stages)
