"""Budgets: what a worker knows of spending, and what the money spent so far allows a persona to do now."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from agents.costs.budget import (
    EVERYONE,
    BudgetLevel,
    BudgetLimits,
    BudgetPolicy,
    BudgetUse,
    periods_at,
    worst_level,
)
from agents.personas.persona import Persona
from agents.spend.spend_book import SpendBook, first_day_needed
from schemas.records import SpendTotal
from streams.errors import RecordFault
from streams.kafka.tailed_table import Tail, TailedTable
from streams.wall_clock import utc_now

logger = logging.getLogger(__name__)


class SpendDirectory(TailedTable[SpendTotal]):
    """The spend of the days that budgets look at."""

    def __init__(
        self,
        tail: Tail[SpendTotal],
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(tail, monotonic)
        self._clock = clock
        self.book = SpendBook()

    def put(self, record: SpendTotal) -> None:
        """Add a total to the book, which forgets the days that nobody asks for any more."""
        needed = first_day_needed(self._clock())
        self.book.forget_before(needed)
        try:
            if record.day >= needed:
                self.book.apply(record)
        except RecordFault as fault:
            logger.warning("Passed over a total of spend.totals: %s", fault)


class Budgets:
    """Tell the level of a persona: the worst of its own budgets and those of all personas, of the hour and the day.

    It knows what spend.totals said at the last `refresh`. Calls under way are not in it yet, so a budget can be passed
    by what is in flight between two looks; the pause at less than the whole limit leaves room for that.
    """

    def __init__(self, directory: SpendDirectory, policy: BudgetPolicy, limits: BudgetLimits) -> None:
        """Hold personas to their own limits, and all of them together to `limits`."""
        self._directory = directory
        self._policy = policy
        self._limits = limits

    async def refresh(self, *, max_age_s: float = 0.0) -> None:
        """Catch up with what was spent, unless that was done in the last `max_age_s` seconds.

        Raises:
            Unavailable: it can't be read.
        """
        await self._directory.refresh(max_age_s=max_age_s)

    def level(self, persona: Persona, now: datetime) -> BudgetLevel:
        """Return what the persona may do at a moment in UTC."""
        book = self._directory.book
        own = budget_uses(book, persona.persona_id, limits_of_persona(persona), now)
        return worst_level([*own, *budget_uses(book, EVERYONE, self._limits, now)], self._policy)

    async def close(self) -> None:
        """Disconnect."""
        await self._directory.close()


def budget_uses(book: SpendBook, persona_id: str, limits: BudgetLimits, now: datetime) -> Iterator[BudgetUse]:
    """Yield what a persona, or EVERYONE, has spent of its limits in the hour and in the day of now."""
    for period in periods_at(now):
        yield BudgetUse(persona_id, period, book.spent_micros(persona_id, period), limits.of_period(period.kind))


def limits_of_persona(persona: Persona) -> BudgetLimits:
    """Return the limits that a persona sets itself."""
    return BudgetLimits(persona.budget.hourly_micros, persona.budget.daily_micros)
