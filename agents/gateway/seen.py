"""What a caller sees: personas of the own tenant and their budgets; others are as if they were not there."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import datetime
from typing import Any

from agents.costs.budget import EVERYONE, BudgetLimits, BudgetPolicy
from agents.gateway.auth.caller import ALL_TENANTS, Caller
from agents.gateway.problems import not_found
from agents.personas.directory import AppliedPersona, PersonaDirectory
from agents.spend.budget_report import BudgetLine, budget_lines, budgets_object
from agents.spend.budgets import limits_of_persona
from agents.spend.spend_book import day_of
from agents.spend.spend_topics import alerts_since, spend_directory
from schemas.records import BudgetAlert
from schemas.registries.registry import SchemaRegistry
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.wall_clock import utc_now


class PersonasSeen:
    """The personas in force, by who asks."""

    def __init__(self, directory: PersonaDirectory) -> None:
        self.directory = directory

    def visible(self, caller: Caller, persona_id: str) -> bool:
        """Tell whether a caller sees what belongs to a persona; one that is not in force any more is nobody's but *."""
        found = self.directory.find(persona_id)
        return caller.owns(found.persona.tenant if found else ALL_TENANTS)

    def seen_by(self, caller: Caller) -> list[AppliedPersona]:
        """Return the personas in force that a caller sees, by id."""
        return [each for each in self.directory.known() if caller.owns(each.persona.tenant)]

    async def require(self, caller: Caller, persona_id: str) -> AppliedPersona:
        """Return a persona in force that a caller sees.

        Raises:
            Refused: there is none, or it is another tenant's.
        """
        found = self.directory.find(persona_id)
        if found is None:
            with contextlib.suppress(Unavailable):  # what was known before stays so
                await self.directory.refresh()  # one reading for all who look for one at the moment
            found = self.directory.find(persona_id)
        if found is None or not caller.owns(found.persona.tenant):
            raise not_found("persona", persona_id, "/v1/personas")
        return found


MAX_AGE_S = 1.0
ALERTS_MAX_AGE_S = 5.0  # they are read from their topic anew


class BudgetsSeen:
    """What was spent of the budgets, kept up with spend.totals when somebody asks."""

    def __init__(self, cluster: Cluster, registry: SchemaRegistry, personas: PersonasSeen) -> None:
        self._cluster = cluster
        self._registry = registry
        self._personas = personas
        self._spend = spend_directory(cluster, registry)
        self._alerts: list[BudgetAlert] = []
        self._alerts_read_s = float("-inf")
        self._lock = asyncio.Lock()

    async def close(self) -> None:
        """Disconnect from the topic."""
        await self._spend.close()

    async def shown_to(self, caller: Caller) -> dict[str, Any]:
        """Return the object of the command `budgets`; who sees one tenant alone sees no total of all.

        Raises:
            Unavailable: Kafka does not answer.
        """
        await self._spend.refresh(max_age_s=MAX_AGE_S)
        now = utc_now()
        shown = budgets_object(self._lines(now), await self._alerts_of(day_of(now)))
        if caller.tenant == ALL_TENANTS:
            return shown
        return {
            "total": None,
            "personas": [each for each in shown["personas"] if self._personas.visible(caller, each["persona_id"])],
            "alerts_today": [
                each for each in shown["alerts_today"] if self._personas.visible(caller, each["persona_id"])
            ],
        }

    async def paused(self) -> dict[str, BudgetLine]:
        """Return the personas whose budget lets nothing be written now, with EVERYONE where that holds for all.

        While Kafka is away, by what was known before.
        """
        with contextlib.suppress(Unavailable):
            await self._spend.refresh(max_age_s=MAX_AGE_S)
        return {each.persona_id: each for each in self._lines(utc_now()) if each.level.kind == "pause"}

    def _lines(self, now: datetime) -> list[BudgetLine]:
        settings = self._cluster.settings
        limits = {each.persona.persona_id: limits_of_persona(each.persona) for each in self._personas.directory.known()}
        everyone = {EVERYONE: BudgetLimits.of(settings)}
        return budget_lines(self._spend.book, limits | everyone, BudgetPolicy.of(settings), now)

    async def _alerts_of(self, day: datetime) -> list[BudgetAlert]:
        async with self._lock:
            if time.monotonic() - self._alerts_read_s >= ALERTS_MAX_AGE_S:
                self._alerts = await alerts_since(self._cluster, self._registry, day)
                self._alerts_read_s = time.monotonic()
            return self._alerts
