"""The budgets stage: spend.totals, and the limits of personas -> alerts, each once -> budget.alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from agents.costs.budget import EVERYONE, BudgetPolicy, Limits
from agents.personas.directory import PersonaDirectory
from agents.spend.budget_watch import BudgetWatch
from agents.spend.gate import limits_of_persona
from schemas.records import SpendTotal
from streams.engine.batch import Batch, RowBatch, TopicPartition
from streams.engine.stage import Effects, Output, Rejection, Stage, StateChange
from streams.errors import RecordFault
from streams.wall_clock import utc_now

LOOK_EVERY = timedelta(seconds=30)  # also without new totals: periods end, and personas get other limits


class BudgetsStage(Stage):
    """Tell when spending reaches a level of a budget, when a paused one is free again, and when an hour is a spike.

    Reads spend.totals, writes budget.alerts; agents/costs/alerts.py decides. What is looked at are the hour and the day
    of now: a backfill of older costs alarms nobody.
    """

    name: ClassVar[str] = "budgets"
    topics: ClassVar[tuple[str, ...]] = ("spend.totals",)
    stateful: ClassVar[bool] = True

    def __init__(
        self,
        directory: PersonaDirectory,
        policy: BudgetPolicy,
        limits: Limits,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Watch the budgets of the directory's personas, and `limits` for all of them together."""
        self._directory = directory
        self._policy = policy
        self._limits = limits
        self._clock = clock
        self._watches: dict[TopicPartition, BudgetWatch] = {}
        self._looked_at: datetime | None = None

    async def restore(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> None:
        self._watches[source] = BudgetWatch(self._policy, state)
        self._looked_at = None

    async def add(self, batch: Batch) -> Sequence[Rejection]:
        assert isinstance(batch, RowBatch)
        watch, now, rejections = self._watches[batch.source], self._clock(), []
        for row in batch.rows:
            assert isinstance(row.record, SpendTotal)
            try:
                watch.apply(row.record, now)
            except RecordFault as fault:
                rejections.append(Rejection(row.offset, fault))
        return rejections

    def idle_flush_due(self) -> bool:
        unsent = any(watch.has_work for watch in self._watches.values())
        return bool(self._watches) and (unsent or self._look_due())

    def _look_due(self) -> bool:
        looked_at = self._looked_at
        return looked_at is None or not timedelta() <= self._clock() - looked_at < LOOK_EVERY

    async def flush(self) -> Effects:
        await self._directory.refresh()
        effects, now, at_all = Effects(), self._clock(), self._look_due()
        if at_all:
            self._looked_at = now
        for source, watch in self._watches.items():
            watch.look(self._limits_of, now, at_all=at_all)
            effects.state += [StateChange(source, key, value) for key, value in watch.take_state(now)]
            effects.outputs += [Output("budget.alerts", alert) for alert in watch.take_due()]
        return effects

    def _limits_of(self, persona_id: str) -> Limits:
        if persona_id == EVERYONE:
            return self._limits
        applied = self._directory.find(persona_id)
        return Limits() if applied is None else limits_of_persona(applied.persona)

    async def drop(self, source: TopicPartition) -> None:
        self._watches.pop(source, None)

    async def close(self) -> None:
        await self._directory.close()
