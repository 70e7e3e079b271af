"""Call the first model that answers: bounded attempts, a circuit breaker for each model, then the next tier."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from agents.llm.faults.faults import ModelMissing, NoMoreAnswers, wait_reason
from agents.llm.model_breaker import BreakerLimits, BreakerReading, ModelBreaker
from streams.engine.retry import Backoff
from streams.errors import RecordFault, Unavailable

logger = logging.getLogger(__name__)
T = TypeVar("T")

MISSING_FOR_S = 600.0  # for so long a model that the provider does not have is not asked for again


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Bounds of a call: attempts for each model, the waits between them, and the longest Retry-After waited out."""

    attempts: int = 3
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.5, max_s=5.0))
    longest_wait_s: float = 5.0
    breaker: BreakerLimits = field(default_factory=BreakerLimits)


class ModelCaller:
    """Make calls to models of one provider. One for all calls of a process, so that they share what they learn.

    Calls may run at the same time; how many do is the caller's. `on_change` is told every change of a breaker.
    """

    def __init__(
        self,
        limits: CallLimits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
        on_change: Callable[[BreakerReading], None] | None = None,
    ) -> None:
        self._limits = limits or CallLimits()
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self._on_change = on_change
        self._breakers: dict[str, ModelBreaker] = {}
        self._missing: dict[str, tuple[ModelMissing, float]] = {}

    async def call(self, models: Sequence[str], ask: Callable[[str], Awaitable[T]]) -> T:
        """Return what `ask(model)` returns for the first model that answers, in the order given.

        Raises:
            RecordFault, SettingsError: as `ask` raised them, at once.
            ModelMissing: the provider has none of the models.
            NoMoreAnswers: as `ask` raised it, at once.
            Unavailable: none answers; `retry_after_s` says when the soonest may be asked again.
        """
        if not models:
            raise ValueError("expected at least one model to call, got none")
        away: list[Unavailable] = []
        missing: ModelMissing | None = None
        for model in dict.fromkeys(models):
            try:
                return await self._call_model(model, ask)
            except ModelMissing as fault:
                missing = missing or fault
            except NoMoreAnswers:
                raise
            except Unavailable as fault:
                away.append(fault)
        if missing is not None and not away:
            raise missing
        raise _none_left(away)

    def readings(self) -> tuple[BreakerReading, ...]:
        """Return the state of every model that was called, by name."""
        return tuple(self._breakers[model].reading() for model in sorted(self._breakers))

    async def _call_model(self, model: str, ask: Callable[[str], Awaitable[T]]) -> T:
        known = self._missing.get(model)
        if known is not None and self._clock() < known[1]:
            raise known[0]
        breaker = self._breaker(model)
        fault: Unavailable | None = None
        for attempt in range(1, self._limits.attempts + 1):
            try:
                return await self._attempt(breaker, ask)
            except ModelMissing as error:
                self._remember_missing(model, error)
                raise
            except NoMoreAnswers:
                raise
            except Unavailable as error:
                fault = error
            wait_s = self._limits.backoff.delay_s(attempt, fault.retry_after_s, self._draw())
            if breaker.wait_s() > 0 or attempt == self._limits.attempts:
                break
            await self._sleep(wait_s)
        raise Unavailable(f"model {model}: {fault}", retry_after_s=max(breaker.wait_s(), wait_s)) from fault

    async def _attempt(self, breaker: ModelBreaker, ask: Callable[[str], Awaitable[T]]) -> T:
        permit = breaker.enter()
        if permit is None:
            raise Unavailable("it failed repeatedly and is left alone for now", retry_after_s=breaker.wait_s())
        try:
            answer = await ask(breaker.model)
        except Unavailable as fault:
            wanted = fault.retry_after_s
            away_s = wanted if wanted and wanted > self._limits.longest_wait_s else None
            breaker.failed(permit, away_s=away_s, reason=wait_reason(fault), why=str(fault))
            raise
        except RecordFault:  # it refuses this prompt, so it is there
            breaker.succeeded(permit)
            raise
        except BaseException:  # cancelled, or a fault that says nothing of the model
            breaker.abandoned(permit)
            raise
        breaker.succeeded(permit)
        return answer

    def _breaker(self, model: str) -> ModelBreaker:
        if model not in self._breakers:
            self._breakers[model] = ModelBreaker(
                model, self._limits.breaker, clock=self._clock, draw=self._draw, on_change=self._on_change
            )
        return self._breakers[model]

    def _remember_missing(self, model: str, fault: ModelMissing) -> None:
        if model not in self._missing:
            logger.error("model %s is passed over where there is another: %s", model, fault)
        self._missing[model] = (fault, self._clock() + MISSING_FOR_S)


def _none_left(away: Sequence[Unavailable]) -> Unavailable:
    soonest = min(fault.retry_after_s or 0.0 for fault in away)
    said = "; ".join(str(fault) for fault in away)
    return Unavailable(f"no model is left to ask: {said}", retry_after_s=soonest)
