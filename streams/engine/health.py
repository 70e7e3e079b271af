"""A worker's health: whether each stage works, waits, is idle or stuck; what /livez and /readyz tell, and why."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Literal, Protocol

from streams.engine.asking import asked
from streams.engine.batch import TopicPartition
from streams.engine.retry import BreakerState
from streams.errors import Unavailable

ANSWER_TIMEOUT_S = 5.0
JOIN_WITHIN_S = 60.0  # others may take so long to give partitions up: the rebalance time-out
LIVE, READY = "/livez", "/readyz"

State = Literal[
    "starting", "joining", "restoring", "unassigned", "idle", "working", "waiting", "stopped", "failing", "stuck"
]
NOT_READY: frozenset[State] = frozenset({"starting", "joining", "restoring", "waiting", "stopped", "failing", "stuck"})

Doing = Literal["nothing", "room", "trial", "work"]
Answer = tuple[HTTPStatus, Mapping[str, Any]]


class Fetching(Protocol):
    """What a transport knows of its fetching, at any moment of its life."""

    def newest(self, source: TopicPartition) -> int | None:
        """Return the offset behind the newest record that the broker last told of; None where it has not."""

    def is_full(self, source: TopicPartition) -> bool:
        """Tell whether fetching pauses because of what is in flight."""


@dataclass(frozen=True, slots=True)
class LoopNow:
    """Where a loop is at a moment.

    `owned` has the partitions it was given, `positions` the offset that it goes on at in each, None for that of the
    commit. `doing` is the kind of what is under way, `step` says it in words. `progress_s` seconds ago it last got
    anywhere. `has_long_calls` says that calls with time-outs of their own are under way. `stopped` says of partitions
    that do not go past a record which it is, why, and what to do.
    """

    stage: str
    topics: tuple[str, ...]
    is_joined: bool
    owned: frozenset[TopicPartition]
    positions: Mapping[TopicPartition, int | None]
    restoring: frozenset[TopicPartition]
    doing: Doing
    step: str
    progress_s: float
    breaker: BreakerState
    waits_for: str
    has_long_calls: bool
    behind: int = 0
    is_full: bool = False
    stopped: Mapping[TopicPartition, str] = field(default_factory=dict)


class Watched(Protocol):
    """The part of a loop that is looked at."""

    def now(self, fetching: Fetching) -> LoopNow: ...


@dataclass(frozen=True, slots=True)
class StageHealth:
    """What a stage's state is, and why; `is_suspicious` where it has got nowhere for longer than the limit.

    Whether one that is suspicious and has nothing in hand is idle or stuck, only the broker can tell.
    """

    now: LoopNow
    state: State
    reason: str
    is_suspicious: bool = False

    @property
    def is_starved(self) -> bool:
        """Tell whether it may be stuck for want of records: it has none in hand."""
        return self.is_suspicious and self.now.doing == "nothing"


def health_of(now: LoopNow, limit_s: float | None) -> StageHealth:
    """Judge a stage; without a limit none is suspicious.

    It never is while a breaker is open (the reason is told), while state is restored or calls are under way that have
    their own time-outs, or while records under suspicion are tried.
    """
    patience_s = 0.0 if now.is_joined else JOIN_WITHIN_S
    is_late = limit_s is not None and now.progress_s > limit_s + patience_s
    since = f"for {now.progress_s:.0f} s"
    if now.breaker != "closed":
        return StageHealth(now, "waiting", f"waits for what it needs: {now.waits_for or 'no reason was told'}")
    if not now.is_joined:
        return StageHealth(now, "joining", f"joins its group {since}", is_late)
    if now.restoring:
        names = ", ".join(sorted(f"{source.topic}/{source.partition}" for source in now.restoring))
        return StageHealth(now, "restoring", f"takes over {names} {since}")
    if not now.owned:
        return StageHealth(now, "unassigned", "owns no partition: others of its group have them all")
    found = _of_member(now, since, is_late=is_late)
    if now.stopped:
        told = "; ".join(now.stopped[source] for source in sorted(now.stopped))
        return replace(found, state="stopped", reason=f"{told}. Of its other partitions: {found.reason}")
    return found


def _of_member(now: LoopNow, since: str, *, is_late: bool) -> StageHealth:
    if now.doing == "trial":
        return StageHealth(now, "working", "tries records that a worker ended at")
    if now.doing == "room" or (now.is_full and now.has_long_calls):
        return StageHealth(now, "working", "waits for calls that are under way, which have their own time-outs")
    if now.doing == "work":
        return StageHealth(now, "working", f"{now.step}; the last progress was {now.progress_s:.0f} s ago", is_late)
    if now.behind:
        return StageHealth(now, "working", f"got no records {since}, and {now.behind:,} offsets wait", is_late)
    return StageHealth(now, "idle", f"got no records {since}", is_late)


@dataclass(slots=True)
class _RoleWatch:
    loops: Sequence[Watched] = ()
    fetching: Fetching | None = None
    is_serving: bool = False


@dataclass(slots=True)
class WorkerHealth:
    """Asks the loops of a worker on its event loop where they are, from any thread.

    `limit_s` is the watchdog's, None without one. `stuck` is what the watchdog found.
    """

    event_loop: asyncio.AbstractEventLoop
    roles: Sequence[str]
    failing: Mapping[str, str]
    limit_s: float | None
    answer_timeout_s: float = ANSWER_TIMEOUT_S
    monotonic: Callable[[], float] = time.monotonic
    stuck: str | None = None
    _watched: dict[str, _RoleWatch] = field(default_factory=dict)
    _silent_since: float | None = None

    @contextlib.contextmanager
    def watching(self, role: str, loops: Iterable[Watched], fetching: Fetching) -> Iterator[None]:
        """Look at the loops of a role, too, while the context lasts."""
        yield from self._with(role, _RoleWatch(list(loops), fetching))

    @contextlib.contextmanager
    def serving(self, role: str) -> Iterator[None]:
        """Take a role for a service that is ready, while the context lasts."""
        yield from self._with(role, _RoleWatch(is_serving=True))

    def _with(self, role: str, watch: _RoleWatch) -> Iterator[None]:
        self._watched[role] = watch
        try:
            yield
        finally:
            self._watched.pop(role, None)

    @property
    def silent_s(self) -> float:
        """Return for how long the event loop has not answered; 0 where it did when it was asked last."""
        return 0.0 if self._silent_since is None else self.monotonic() - self._silent_since

    def look(self) -> dict[str, list[StageHealth]]:
        """Return the health of the stages of each role that runs; a service has none.

        Raises:
            Unavailable: the event loop does not answer: it is busy, hangs or has ended.
        """
        began = self.monotonic()
        try:
            found = asked(self.event_loop, self._all, self.answer_timeout_s)
        except Unavailable:
            self._silent_since = began if self._silent_since is None else self._silent_since
            raise
        self._silent_since = None
        return found

    def _all(self) -> dict[str, list[StageHealth]]:
        return {
            role: [health_of(loop.now(watch.fetching), self.limit_s) for loop in watch.loops] if watch.fetching else []
            for role, watch in self._watched.items()
        }

    def live(self) -> Answer:
        """Answer /livez: 503 when only another start can help: the watchdog found it stuck, or its event loop hangs."""
        if self.stuck is not None:
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE, "stuck", [self.stuck])
        try:
            found = self.look()
        except Unavailable as error:
            hangs = self.limit_s is not None and self.silent_s > self.limit_s
            status = HTTPStatus.SERVICE_UNAVAILABLE if hangs else HTTPStatus.OK
            return _answer(status, "stuck" if hangs else "live", [str(error)])
        return _answer(HTTPStatus.OK, "live", [], self._told(found))

    def ready(self) -> Answer:
        """Answer /readyz: 200 when every role works or could, an idle one and one without partitions too."""
        if self.stuck is not None:
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE, "not ready", [self.stuck])
        try:
            told = self._told(self.look())
        except Unavailable as error:
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE, "not ready", [str(error)])
        reasons = [each["reason"] for each in told if each["state"] in NOT_READY]
        if reasons:
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE, "not ready", reasons, told)
        return _answer(HTTPStatus.OK, "ready", [], told)

    def _told(self, found: Mapping[str, Sequence[StageHealth]]) -> list[dict[str, Any]]:
        entries = [_told(role, "failing", f"{role} was given up: {why}") for role, why in self.failing.items()]
        for role in self.roles:
            if role not in found:
                entries.append(_told(role, "starting", f"{role} starts, or stops"))
            elif not found[role]:
                entries.append(_told(role, "working", f"{role} serves"))
            entries += [_of_stage(role, each) for each in found.get(role, ())]
        return entries


def _answer(status: HTTPStatus, word: str, reasons: Sequence[str], stages: Sequence[Mapping[str, Any]] = ()) -> Answer:
    return status, {"status": word, "reasons": list(reasons), "stages": list(stages)}


def _told(role: str, state: State, reason: str) -> dict[str, Any]:
    return {"role": role, "stage": None, "state": state, "reason": reason}


def _of_stage(role: str, health: StageHealth) -> dict[str, Any]:
    return {
        "role": role,
        "stage": health.now.stage,
        "state": health.state,
        "reason": f"{role}/{health.now.stage} {health.reason}",
        "partitions": len(health.now.owned),
        "behind_records": health.now.behind,
        "progress_s": round(health.now.progress_s, 1),
    }
