"""The role `sink-prometheus`."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.prometheus.settings import ExpositionSettings
from sinks.prometheus.stage import PrometheusStage
from sinks.surroundings.probes import probes_of
from streams.endpoints import update_endpoints
from streams.engine.stage import AnyStage
from streams.role import Role
from streams.settings import Settings


def _stages(settings: Settings) -> Sequence[AnyStage]:
    def announce(url: str) -> None:
        update_endpoints(settings.home, metrics=url)

    shown = settings.of(ExpositionSettings)
    where = (shown.metrics_window, shown.metrics_host, shown.metrics_port)
    return (PrometheusStage(*where, announce, probes_of(settings)),)


ROLE = Role("sink-prometheus", _stages)
