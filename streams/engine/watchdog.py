"""The watchdog: it ends a worker that gets nowhere while records wait, so that another start can help."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from streams.engine.health import StageHealth, WorkerHealth
from streams.errors import ThreadsError, Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.consumer_lag import LagReader

logger = logging.getLogger(__name__)

EXIT_STATUS = 1
LOOKS = 20  # within the limit
CLOSE_WITHIN_S = 2.0  # it may be in the middle of a question to a broker that is away
LEAST_INTERVAL_S, MOST_INTERVAL_S = 0.05, 5.0


class Watchdog:
    """Look at a worker from a thread of its own, which goes on where the worker's event loop hangs.

    A stage that has records in hand and gets nowhere with them for the limit is stuck. So is one that has none in hand,
    and for the limit got none, although the broker has some: it is asked over connections of their own, and where it
    does not answer, what it last told counts. An event loop that answers nothing for so long hangs. `ends` is told
    what was found, once, on this thread; the process ends, whatever becomes of that, when `within_s` have passed.
    """

    def __init__(
        self,
        health: WorkerHealth,
        cluster: Cluster,
        *,
        ends: Callable[[str, str | None, str | None], None],
        within_s: float,
        exit_process: Callable[[int], object] = os._exit,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        assert health.limit_s is not None, "there is no watchdog without a limit"
        self._health = health
        self._limit_s = health.limit_s
        self._cluster = cluster
        self._ends = ends
        self._within_s = within_s
        self._exit_process = exit_process
        self._monotonic = monotonic
        self._starved_since: dict[tuple[str, str], float] = {}  # that records were seen to wait
        self._asked_at: dict[tuple[str, str], float] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._health.stuck is None:
            self._closing.set()
            self._thread.join(CLOSE_WITHIN_S)

    def _watch(self) -> None:
        interval_s = min(max(self._limit_s / LOOKS, LEAST_INTERVAL_S), MOST_INTERVAL_S)
        while not self._closing.wait(interval_s):
            found = self._look()
            if found is not None and not self._closing.is_set():
                self._end(*found)
                return

    def _end(self, why: str, role: str | None, stage: str | None) -> None:
        self._health.stuck = why
        logger.critical("%s: this worker ends with status %d; what was not durable is done again", why, EXIT_STATUS)
        self._ends(why, role, stage)
        self._closing.wait(self._within_s)
        self._exit_process(EXIT_STATUS)

    def _look(self) -> tuple[str, str | None, str | None] | None:
        """Return what is stuck, with its role and stage where it is one; None where nothing is."""
        try:
            found = self._health.look()
        except Unavailable:
            silent_s = self._health.silent_s
            return (f"Its event loop has hung for {silent_s:.0f} s", None, None) if silent_s > self._limit_s else None
        for role, each in ((role, each) for role, stages in found.items() for each in stages):
            if self._is_stuck(role, each):
                why = f"{role}/{each.now.stage} makes no progress while records wait: it {each.reason}"
                return why, role, each.now.stage
        return None

    def _is_stuck(self, role: str, each: StageHealth) -> bool:
        key = (role, each.now.stage)
        if not each.is_suspicious:
            self._starved_since.pop(key, None)
            self._asked_at.pop(key, None)
            return False
        if not each.is_starved:
            return True
        now = self._monotonic()
        if now - self._asked_at.get(key, float("-inf")) < self._limit_s / 2:
            return False
        self._asked_at[key] = now
        if not self._has_records_waiting(role, each):
            self._starved_since.pop(key, None)
            return False
        return now - self._starved_since.setdefault(key, now) > self._limit_s

    def _has_records_waiting(self, role: str, each: StageHealth) -> bool:
        try:
            return asyncio.run(self._records_wait(role, each))
        except Unavailable as error:
            logger.warning("The watchdog can't ask what waits for %s/%s: %s", role, each.now.stage, error)
            return each.now.behind > 0
        except ThreadsError as error:
            logger.warning("The watchdog can't ask what waits for %s/%s: %s", role, each.now.stage, error)
            return False

    async def _records_wait(self, role: str, each: StageHealth) -> bool:
        """Tell whether the log has records behind where the stage is; holes at its end are none."""
        async with LagReader(self._cluster) as reader:
            if each.now.is_joined:
                going = {source: at for source, at in each.now.positions.items() if source not in each.now.stopped}
                lags = await reader.lags_from(role, going)
            else:
                lags = [lag for lag in await reader.lags([role]) if lag.source.topic in each.now.topics]
        return any(lag.records and lag.seconds is not None for lag in lags)
