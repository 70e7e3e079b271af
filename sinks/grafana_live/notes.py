"""Notes in Grafana: what was done to the platform and when, drawn over the charts of all dashboards."""

from __future__ import annotations

from sinks.grafana_live.grafana import Grafana
from sinks.grafana_live.settings import GrafanaSettings
from streams.errors import ThreadsError
from streams.settings import Settings

REPLAY_TAG = "replay"


async def note_replay(settings: Settings, text: str, begin_ms: int, end_ms: int) -> str | None:
    """Write down that something was replayed between two moments, epoch milliseconds; nothing without a Grafana.

    Return why it could not be written: what was replayed is done all the same.
    """
    found = settings.of(GrafanaSettings)
    if not found.grafana_url:
        return None
    try:
        grafana = Grafana(found, settings.io_timeout_s)
        try:
            await grafana.annotate(text, [REPLAY_TAG], begin_ms, end_ms)
        finally:
            await grafana.close()
    except ThreadsError as error:
        return f"the replay is not noted in Grafana: {error}"
    return None
