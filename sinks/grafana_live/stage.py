"""The Grafana Live stage: the newest KPI update of each persona and window, pushed at every checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from schemas.records import KpiUpdate
from sinks.grafana_live.grafana import Grafana
from sinks.grafana_live.lines import has_channel, line
from streams.engine.batch import RowBatch, TopicPartition
from streams.engine.stage import Effects, Part, Rejection, Stage


class NewestPart(Part[RowBatch[KpiUpdate]]):
    """The newest update of each persona and window of a partition, since the last push."""

    def __init__(self) -> None:
        self.newest: dict[tuple[str, str], KpiUpdate] = {}

    async def add(self, batch: RowBatch[KpiUpdate]) -> Sequence[Rejection]:
        for row in batch.rows:
            update = row.record
            known = self.newest.get((update.persona_id, update.window))
            if has_channel(update) and (known is None or known.window_end <= update.window_end):
                self.newest[update.persona_id, update.window] = update
        return ()


class GrafanaLiveStage(Stage[NewestPart]):
    """Push KPI updates to Grafana Live; what it shows is now, so of several updates between two pushes the newest goes.

    So a Grafana that is slow or away holds up no memory: at most one update of each persona and window waits, the
    partition pauses meanwhile, and nobody else is held up. Updates may be pushed twice after a crash; a panel shows the
    same point.
    """

    name: ClassVar[str] = "sink-grafana-live"
    topics: ClassVar[tuple[str, ...]] = ("kpi.updates",)
    done_by_add: ClassVar[bool] = True

    def __init__(self, grafana: Grafana) -> None:
        self._grafana = grafana

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> NewestPart:
        del source, state
        return NewestPart()

    async def flush(self, parts: Mapping[TopicPartition, NewestPart]) -> Mapping[TopicPartition, Effects]:
        """Push what is new of all partitions, the oldest first."""
        updates = [update for part in parts.values() for update in part.newest.values()]
        if updates:
            await self._grafana.push([line(update) for update in sorted(updates, key=lambda each: each.window_end)])
            for part in parts.values():
                part.newest.clear()
        return {}

    async def close(self) -> None:
        await self._grafana.close()
