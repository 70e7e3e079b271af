"""The budgets stage: spend.totals, and the limits of personas -> alerts, each once -> budget.alerts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from agents.costs.budget import EVERYONE, BudgetLimits, BudgetPolicy
from agents.personas.directory import PersonaDirectory
from agents.spend.budget_watch import BudgetWatch
from agents.spend.budgets import limits_of_persona
from schemas.records import SpendTotal
from streams.engine.batch import RowBatch, TopicPartition
from streams.engine.stage import Effects, Output, Part, Rejection, Stage
from streams.errors import RecordFault
from streams.wall_clock import utc_now

LOOK_EVERY = timedelta(seconds=30)  # also without new totals: periods end, and personas get other limits


class BudgetsPart(Part[RowBatch[SpendTotal]]):
    """The budgets that the totals of a partition tell of."""

    def __init__(self, watch: BudgetWatch, clock: Callable[[], datetime]) -> None:
        self.watch = watch
        self._clock = clock

    async def add(self, batch: RowBatch[SpendTotal]) -> Sequence[Rejection]:
        now, rejections = self._clock(), []
        for row in batch.rows:
            try:
                self.watch.apply(row.record, now)
            except RecordFault as fault:
                rejections.append(Rejection(row.offset, fault))
        return rejections

    def flush(self) -> Effects:
        return Effects(
            changes=list(self.watch.take_state(self._clock())),
            outputs=[Output("budget.alerts", alert) for alert in self.watch.take_due()],
        )


class BudgetsStage(Stage[BudgetsPart]):
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
        limits: BudgetLimits,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Watch the budgets of the directory's personas, and `limits` for all of them together."""
        self._directory = directory
        self._policy = policy
        self._limits = limits
        self._clock = clock
        self._looked_at: datetime | None = None

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> BudgetsPart:
        del source
        self._looked_at = None
        return BudgetsPart(BudgetWatch(self._policy, state), self._clock)

    def idle_flush_due(self, parts: Collection[BudgetsPart]) -> bool:
        unsent = any(part.watch.has_work for part in parts)
        return bool(parts) and (unsent or self._look_due())

    def _look_due(self) -> bool:
        looked_at = self._looked_at
        return looked_at is None or not timedelta() <= self._clock() - looked_at < LOOK_EVERY

    async def flush(self, parts: Mapping[TopicPartition, BudgetsPart]) -> Mapping[TopicPartition, Effects]:
        """Look at all budgets with the personas as they are now, and at all personas every half minute."""
        await self._directory.refresh()
        now, at_all = self._clock(), self._look_due()
        if at_all:
            self._looked_at = now
        for part in parts.values():
            part.watch.look(self._limits_of, now, at_all=at_all)
        return await super().flush(parts)

    def _limits_of(self, persona_id: str) -> BudgetLimits:
        if persona_id == EVERYONE:
            return self._limits
        applied = self._directory.find(persona_id)
        return BudgetLimits() if applied is None else limits_of_persona(applied.persona)

    async def close(self) -> None:
        await self._directory.close()
