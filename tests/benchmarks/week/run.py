"""One run: the week passes with its faults and kills, then it is waited for what is left, then it is compared."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from agents.personas.persona_file import SAMPLES, read_personas
from agents.personas.persona_topic import apply_personas
from agents.simulator.audience import FULL_AGE_S
from agents.simulator.faults import FAULTS
from schemas.catalogue import topic_named
from schemas.records import InsightsSnapshot, KpiUpdate, Record
from schemas.registries.registry import open_registry
from streams.endpoints import read_endpoints
from streams.errors import ThreadsError
from streams.kafka.producer import EventProducer
from streams.kafka.topic_tail import WHOLE, Beginning, TopicTail
from streams.settings import Settings
from tests.benchmarks.running.own_broker import Broker
from tests.benchmarks.week.operator import Operator
from tests.benchmarks.week.processes import KILLED, Processes
from tests.benchmarks.week.script import DAY_S, HOUR_S, Script, script_of
from tests.benchmarks.week.verdict import Snapshots, Truth, Verdict, judged
from tests.support.faults.shifted_clock import ShiftedClock

LOOK_S = 0.2
STALL_S = 120.0  # of real time without any change
CALL_S = 60.0
LOOK_AGAIN_S, LOOKS_IN_A_ROW = 1.0, 3  # at what must differ by nothing
JUMP_S = FULL_AGE_S + DAY_S
"""The clock is set so far ahead in the end: no total changes any more."""
SPARE_S = 1_800.0
"""The clock may run for so long beside the week, in real time, and is still behind: brokers refuse the future."""
KPI_REACH = 20_000
REVOKED_AT = 0.4  # the share of the days after which a token is revoked
FROM_S, FOR_S = 6 * HOUR_S, 12 * HOUR_S  # at which time of that day, UTC, and for how long: the persona has slots then


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run is asked for."""

    days: int
    personas: int
    posts_per_day: int
    speed: float
    kills: int
    fault_rate: float
    seed: int


@dataclass(slots=True)
class Report:
    """What a run came to; `settled_s` is how long it took after the week until all was right."""

    accepted: int
    verdict: Verdict
    faults: Mapping[str, int]
    kills: Sequence[str]
    by_hand: Mapping[str, int]
    seconds: float
    settled_s: float

    @property
    def is_good(self) -> bool:
        return self.verdict.is_good

    def figures(self) -> dict[str, float]:
        """Return the figures of the report, as JSON has them."""
        return {
            "accepted": self.accepted,
            "published": self.verdict.published,
            "duplicates": self.verdict.duplicates,
            "lost": self.verdict.lost,
            "kpi_differences": self.verdict.kpi_differences,
            "faults": sum(self.faults.values()),
            "kills": len(self.kills),
            "seconds": round(self.seconds, 1),
        }


def fault_rates(rate: float) -> dict[str, float]:
    """Return the share of calls that each kind of fault befalls.

    A kind that befalls certain calls befalls this share of them; those that befall any call do so together.
    """
    of_any = [name for name, fault in FAULTS.items() if not fault.routes]
    return {name: rate if fault.routes else rate / len(of_any) for name, fault in FAULTS.items()}


def begin(clock: ShiftedClock, terms: Terms) -> datetime:
    """Set the clock to the beginning of the week, and return it."""
    start = datetime.now(UTC) - timedelta(days=terms.days, seconds=JUMP_S + SPARE_S * terms.speed)
    start = start.replace(hour=0, minute=0, second=0, microsecond=0)
    clock.run(_ms(start), 1.0)
    return start


@dataclass(slots=True)
class Week:
    """A week that passes; `told` gets lines of progress."""

    broker: Broker
    clock: ShiftedClock
    running: Processes
    terms: Terms
    start: datetime
    told: Callable[[str], object]
    kills: list[str] = field(default_factory=list)
    truth: Truth = field(default_factory=dict)

    async def pass_by(self) -> Report:
        """Let it pass, and report.

        Raises:
            ThreadsError: a role ended, or nothing goes on.
        """
        began, terms = time.monotonic(), self.terms
        samples = read_personas(SAMPLES)
        script = script_of(
            samples, seed=terms.seed, days=terms.days, personas=terms.personas, posts_per_day=terms.posts_per_day
        )
        operator = Operator(script.wanted)
        await apply_personas(self._settings(), script.personas, self._now())
        states = self._tail(WHOLE, "posts.states", "platform.accounts")
        try:
            async with (
                EventProducer(self.broker.cluster(), open_registry(None)) as producer,
                httpx.AsyncClient(timeout=CALL_S, trust_env=False) as http,
            ):
                await self._control(http, "POST", "/control/faults", {"rates": fault_rates(terms.fault_rate)})
                self.clock.run(_ms(self.start), terms.speed)
                await self._live(script, operator, states, producer, http)
                over = time.monotonic()
                await self._control(http, "DELETE", "/control/faults")
                await self._until_published(script, operator, states, producer)
                self.clock.run(self.clock.now_ms() + int(JUMP_S * 1000), terms.speed)
                verdict = await self._settled(script, http)
        finally:
            await states.close()
        verdict.words += [f"not at its end: {each}" for each in operator.left()]
        seconds = time.monotonic() - began, time.monotonic() - over
        return Report(script.accepted, verdict, self.truth["faults"], self.kills, operator.acts, *seconds)

    def _settings(self) -> Settings:
        return Settings(home=self.broker.home, kafka=self.broker.bootstrap)

    def _tail(self, beginning: Beginning, *topics: str) -> TopicTail[Record]:
        return TopicTail(
            self.broker.cluster(), open_registry(None), {topic_named(name): beginning for name in topics}, Record
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)

    def _passed_s(self) -> float:
        return (self._now() - self.start).total_seconds()

    def _kill_times(self) -> list[tuple[float, str]]:
        """Return when what is killed, in seconds of the week."""
        chance = random.Random(f"kills {self.terms.seed}")
        of_each = self.terms.days * DAY_S * 0.95 / max(self.terms.kills, 1)
        return [
            ((number + chance.uniform(0.15, 0.85)) * of_each, KILLED[number % len(KILLED)])
            for number in range(self.terms.kills)
        ]

    async def _live(
        self,
        script: Script,
        operator: Operator,
        states: TopicTail[Record],
        producer: EventProducer,
        http: httpx.AsyncClient,
    ) -> None:
        """Append what the script asks for when its time has come, kill, and revoke a token, until the week is over."""
        moments, kills = list(script.moments), self._kill_times()
        revoked_s = int(self.terms.days * REVOKED_AT) * DAY_S + FROM_S
        changes = [(revoked_s, "revoke"), (revoked_s + FOR_S, "restore")]
        while moments or kills or changes or self._passed_s() < self.terms.days * DAY_S:
            passed_s = self._passed_s()
            due = [each for each in moments if each.at_s <= passed_s and (each.of is None or operator.states(each.of))]
            moments = [each for each in moments if each not in due]
            await producer.append_all([each.make(self._now()) for each in due])
            if kills and kills[0][0] <= passed_s:
                _, role = kills.pop(0)
                self.running.kill(role)
                self.kills.append(role)
            if changes and changes[0][0] <= passed_s:
                change = changes.pop(0)[1]
                await self._control(http, "POST", "/control/tokens", {"user": script.revoked, "change": change})
                (operator.locked_out.add if change == "revoke" else operator.locked_out.discard)(script.revoked)
            await self._look(script, operator, states, producer)
            await asyncio.sleep(LOOK_S)

    async def _look(
        self, script: Script, operator: Operator, states: TopicTail[Record], producer: EventProducer
    ) -> None:
        self.running.check()
        for record in await states.news():
            operator.take(record)
        await producer.append_all(operator.answers(self._now(), time.monotonic()))
        self.told(
            f"day {self._passed_s() / DAY_S:.1f} of {self.terms.days}, {operator.published():,} of "
            f"{script.accepted:,} posts published, {len(self.kills)} of {self.terms.kills} kill -9, "
            f"{sum(operator.acts.values())} times acted by hand"
        )

    async def _until_published(
        self, script: Script, operator: Operator, states: TopicTail[Record], producer: EventProducer
    ) -> None:
        """Wait until all that is to be there is said to be, or nothing changes any more."""
        known, changed_at = -1, time.monotonic()
        while operator.left() and time.monotonic() - changed_at < STALL_S:
            await self._look(script, operator, states, producer)
            if operator.published() != known:
                known, changed_at = operator.published(), time.monotonic()
            await asyncio.sleep(LOOK_S)

    async def _settled(self, script: Script, http: httpx.AsyncClient) -> Verdict:
        """Compare until nothing differs though every post was asked for again, or until the same differs for long."""
        since, right = self._now(), 0
        updates, snapshots = self._tail(Beginning(KPI_REACH), "kpi.updates"), self._tail(WHOLE, "insights.snapshots")
        lifetime: dict[str, KpiUpdate] = {}
        said = Snapshots()
        verdict, changed_at = Verdict(), time.monotonic()
        try:
            while True:
                self.running.check()
                for update in await updates.news():
                    if isinstance(update, KpiUpdate) and update.window == "lifetime":
                        lifetime[update.persona_id] = update
                for snapshot in await snapshots.news():
                    assert isinstance(snapshot, InsightsSnapshot), "of that topic"
                    said.take(snapshot)
                self.truth = await self._control(http, "GET", "/truth")
                before, verdict = verdict, judged(self.truth, script.wanted, lifetime, said)
                if verdict.words != before.words:
                    changed_at = time.monotonic()
                self.told(
                    f"the clock is {JUMP_S / DAY_S:.0f} days ahead; the KPIs differ by {verdict.kpi_differences:,}"
                )
                right = right + 1 if verdict.is_good and said.is_whole(self.truth, since) else 0
                if right == LOOKS_IN_A_ROW or time.monotonic() - changed_at > STALL_S / 2:
                    return verdict
                await asyncio.sleep(LOOK_AGAIN_S)
        finally:
            await updates.close()
            await snapshots.close()

    async def _control(
        self, http: httpx.AsyncClient, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> Truth:
        """Ask the simulator for something; it may be starting again just now."""
        deadline = time.monotonic() + CALL_S
        while True:
            try:
                answer = await http.request(method, f"{read_endpoints(self.broker.home).simulator}{path}", json=body)
                found: dict[str, Any] = answer.raise_for_status().json()
            except httpx.HTTPError as error:
                if time.monotonic() > deadline:
                    raise ThreadsError(f"the simulator does not answer {path}: {error!r}") from error
                await asyncio.sleep(LOOK_S)
            else:
                return found


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
