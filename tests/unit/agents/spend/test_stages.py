"""The sums of spend are exact under any replay, and what is told of budgets is told once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from agents.costs.budget import BudgetLimits, BudgetPolicy, periods_at
from agents.personas.directory import PersonaDirectory
from agents.personas.persona import PersonaBudget
from agents.spend.budget_report import budget_lines, budgets_object
from agents.spend.budgets import Budgets, SpendDirectory
from agents.spend.spend_book import SpendBook
from agents.spend.stages import BudgetsStage, SpendStage
from schemas.records import BudgetAlert, SpendTotal
from streams.engine.batch import ColumnBatch, TopicPartition
from streams.settings import Settings
from tests.support.drafting import listed, rows, samples
from tests.support.listed_tail import ListedTail
from tests.support.single_outputs import single
from tests.support.stage_driver import DrivenStage, Emitted, StateChange

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
HOUR_MS = 3_600_000
COSTS = TopicPartition("cost.events", 2)
TOTALS = TopicPartition("spend.totals", 0)
POLICY = BudgetPolicy.of(Settings())
State = dict[bytes, bytes]

Cost = tuple[str, int, int | None]  # persona, hours before noon, micro-dollars


def batch(costs: Sequence[Cost], first_offset: int = 0) -> ColumnBatch:
    columns = {
        "persona_id": [persona for persona, _, _ in costs],
        "occurred_at": [NOON_MS - hours * HOUR_MS for _, hours, _ in costs],
        "cost_micros": [micros for _, _, micros in costs],
        "offset": range(first_offset, first_offset + len(costs)),
    }
    types = {"persona_id": pl.String, "occurred_at": pl.Int64, "cost_micros": pl.Int64, "offset": pl.Int64}
    return ColumnBatch(COSTS, pl.DataFrame(columns, schema=types))


def kept(state: State, changes: Sequence[StateChange]) -> State:
    for change in changes:
        if change.value is None:
            state.pop(change.key, None)
        else:
            state[change.key] = change.value
    return state


def totals(effects: Emitted) -> list[SpendTotal]:
    return [each.record for each in single(effects.outputs) if isinstance(each.record, SpendTotal)]


def sums(told: Sequence[SpendTotal]) -> Counter[tuple[str, datetime]]:
    newest = {total.total_id: total for total in told}
    found: Counter[tuple[str, datetime]] = Counter()
    for total in newest.values():
        for hour, micros in enumerate(total.hour_micros):
            found[total.persona_id, total.day + timedelta(hours=hour)] += micros
    return +found


async def test_calls_add_up_by_persona_and_hour_and_unknown_prices_are_counted() -> None:
    stage = DrivenStage(SpendStage(clock=lambda: NOON))
    await stage.restore(COSTS, ())
    await stage.add(batch([("ada", 0, 5), ("ada", 0, 7), ("bob", 1, 3), ("ada", 13, 11), ("ada", 0, None)]))
    told = totals(await stage.flush())
    assert sums(told) == {
        ("ada", NOON): 12,
        ("bob", NOON - timedelta(hours=1)): 3,
        ("ada", NOON - timedelta(hours=13)): 11,
    }
    assert {total.total_id: total.unpriced_calls for total in told} == {
        "ada|2026-11-22|2": 0,
        "ada|2026-11-23|2": 1,
        "bob|2026-11-23|2": 0,
    }
    assert (await stage.flush()).outputs == []


costs_strategy = st.lists(
    st.tuples(st.sampled_from(["ada", "bob"]), st.integers(0, 30), st.one_of(st.none(), st.integers(0, 10**12))),
    min_size=1,
    max_size=30,
)


@given(costs_strategy, st.integers(0, 2**32))
async def test_any_crash_and_replay_ends_in_the_same_sums(costs: list[Cost], seed: int) -> None:
    """A crash keeps any part of the state of a checkpoint, loses its outputs or not, and replays from the commit."""
    random_ = random.Random(seed)
    told: list[SpendTotal] = []
    state: State = {}
    committed = 0
    while committed < len(costs):
        stage = DrivenStage(SpendStage(clock=lambda: NOON))
        await stage.restore(COSTS, list(state.items()))
        end = random_.randint(committed + 1, len(costs))
        await stage.add(batch(costs[committed:end], committed))
        effects = await stage.flush()
        crash = random_.choice(["in state", "before outputs", "before commit", "none"])
        changes = effects.state[: random_.randint(0, len(effects.state))] if crash == "in state" else effects.state
        state = kept(state, changes)
        if crash in ("before commit", "none"):
            told += totals(effects)
        if crash == "none":
            committed = end
    truth: Counter[tuple[str, datetime]] = Counter()
    for persona, hours, micros in costs:
        truth[persona, NOON - timedelta(hours=hours)] += micros or 0
    assert sums(told) == +truth


async def test_days_that_are_not_kept_are_deleted_from_the_state_and_no_longer_counted() -> None:
    now = NOON
    stage = DrivenStage(SpendStage(clock=lambda: now))
    await stage.restore(COSTS, ())
    await stage.add(batch([("ada", 0, 5), ("ada", 24 * 8, 5), ("ada", 24 * 9, 5)]))
    state = kept({}, (await stage.flush()).state)
    assert len(state) == 2
    now += timedelta(days=8)
    assert len(kept(state, (await stage.flush()).state)) == 1
    now += timedelta(days=1)
    assert kept(state, (await stage.flush()).state) == {}


def total(persona_id: str, at: datetime, micros: int, *, partition: int = 0, unpriced: int = 0) -> SpendTotal:
    day = at.replace(hour=0, minute=0)
    return SpendTotal(
        event_id=f"{persona_id}-{at}-{micros}",
        occurred_at=at,
        total_id=f"{persona_id}|{day:%Y-%m-%d}|{partition}",
        persona_id=persona_id,
        day=day,
        source_partition=partition,
        hour_micros=tuple(micros if hour == at.hour else 0 for hour in range(24)),
        unpriced_calls=unpriced,
    )


def spender(daily: str | None = "1.00") -> PersonaDirectory:
    budget = PersonaBudget(daily_dollars=None if daily is None else Decimal(daily))
    return PersonaDirectory(listed([samples()[0].model_copy(update={"budget": budget})]))


SPENDER = samples()[0].persona_id


class Watch:
    """The budgets stage with a clock that is set, and what it has made durable."""

    def __init__(
        self, daily: str | None = "1.00", limits: BudgetLimits | None = None, state: State | None = None
    ) -> None:
        self.now = NOON
        self.state: State = {} if state is None else state
        self.stage = DrivenStage(BudgetsStage(spender(daily), POLICY, limits or BudgetLimits(), clock=lambda: self.now))
        self._offset = 0

    async def begin(self) -> Watch:
        await self.stage.restore(TOTALS, list(self.state.items()))
        return self

    async def told(self, *records: SpendTotal) -> list[BudgetAlert]:
        if records:
            assert await self.stage.add(rows(TOTALS, records, self._offset)) == []
        self._offset += len(records)
        effects = await self.stage.flush()
        kept(self.state, effects.state)
        return [each.record for each in single(effects.outputs) if isinstance(each.record, BudgetAlert)]


def kinds(alerts: Sequence[BudgetAlert]) -> list[str]:
    return [alert.kind for alert in alerts]


async def test_levels_are_told_as_spending_reaches_them_and_never_again() -> None:
    watch = await Watch().begin()
    assert await watch.told(total(SPENDER, NOON, 799_999)) == []
    (warn,) = await watch.told(total(SPENDER, NOON, 800_000))
    assert (warn.kind, warn.persona_id, warn.spent_micros, warn.limit_micros) == ("warn", SPENDER, 800_000, 1_000_000)
    assert kinds(await watch.told(total(SPENDER, NOON, 500_000, partition=1))) == ["downgrade", "pause"]
    assert await watch.told(total(SPENDER, NOON, 600_000, partition=1)) == []
    again = await Watch(state=watch.state).begin()
    assert await again.told(total(SPENDER, NOON, 700_000, partition=1)) == []


async def booked(watch: Watch, hours_ago: int, micros: int, first_offset: int) -> list[BudgetAlert]:
    """Book a cost as an import does, and return the alerts that its total brings."""
    stage = DrivenStage(SpendStage(clock=lambda: NOON))
    await stage.restore(COSTS, ())
    await stage.add(batch([(SPENDER, hours_ago, micros)], first_offset))
    return await watch.told(*totals(await stage.flush()))


async def test_an_imported_bill_of_a_past_day_alarms_nobody_and_one_of_today_is_real_spend() -> None:
    watch = await Watch().begin()
    assert await booked(watch, 13, 50_000_000, 0) == []
    assert await booked(watch, 24 * 7, 50_000_000, 1) == []
    assert used(watch) == {(SPENDER, "day"): 0.0}
    assert kinds(await booked(watch, 11, 950_000, 2)) == ["warn", "downgrade", "pause"]


async def test_all_personas_together_have_a_budget_of_their_own() -> None:
    watch = await Watch(daily=None, limits=BudgetLimits(hour_micros=1_000_000)).begin()
    assert await watch.told(total("ada", NOON, 500_000)) == []
    alerts = await watch.told(total("bob", NOON, 400_000))
    assert [(each.persona_id, each.kind, each.period) for each in alerts] == [
        ("*", "warn", "hour"),
        ("*", "downgrade", "hour"),
    ]


def used(watch: Watch) -> dict[tuple[str, ...], float]:
    """Return the readings of budgets by persona and period."""
    return {reading.labels: reading.value for reading in watch.stage.readings()}


async def test_the_share_of_each_limit_that_is_spent_is_told_for_the_hour_and_day_of_now() -> None:
    watch = await Watch(limits=BudgetLimits(hour_micros=2_000_000)).begin()
    await watch.told(total(SPENDER, NOON, 800_000), total("bob", NOON, 400_000))
    assert used(watch) == {("*", "hour"): 0.6, (SPENDER, "day"): 0.8}
    watch.now = NOON + timedelta(hours=1)
    assert used(watch) == {("*", "hour"): 0.0, (SPENDER, "day"): 0.8}
    watch.now = NOON + timedelta(hours=12)
    assert used(watch) == {("*", "hour"): 0.0, (SPENDER, "day"): 0.0}


async def test_a_limit_of_nothing_is_spent_and_without_limits_nothing_is_told() -> None:
    watch = await Watch(daily=None, limits=BudgetLimits(day_micros=0)).begin()
    assert used(watch) == {("*", "day"): 1.0}
    assert used(await Watch(daily=None).begin()) == {}


async def test_a_partition_that_went_tells_of_no_budget_any_more() -> None:
    watch = await Watch(limits=BudgetLimits(day_micros=1_000_000)).begin()
    await watch.told(total(SPENDER, NOON, 800_000))
    await watch.stage.drop(TOTALS)
    assert used(watch) == {}


async def test_an_alert_that_a_crash_kept_from_being_sent_is_sent_by_the_next_worker_with_its_id() -> None:
    watch = await Watch().begin()
    (lost,) = await watch.told(total(SPENDER, NOON, 820_000))  # its state was durable, its output perhaps not
    again = await Watch(state=watch.state).begin()
    assert again.stage.idle_flush_due()
    assert await again.told() == [lost]
    assert await again.told() == []
    third = await Watch(state=again.state).begin()
    assert await third.told() == []


async def test_a_pause_is_resumed_when_the_day_is_over_without_any_new_total() -> None:
    watch = await Watch().begin()
    await watch.told(total(SPENDER, NOON, 990_000))
    watch.now = NOON + timedelta(hours=12)
    assert watch.stage.idle_flush_due()
    (resume,) = await watch.told()
    assert (resume.kind, resume.period_start) == ("resume", NOON.replace(hour=0))
    watch.now += timedelta(minutes=5)
    assert await watch.told() == []
    watch.now += timedelta(days=4)
    await watch.told()
    assert watch.state == {}


async def test_costs_of_other_days_alarm_nobody() -> None:
    watch = await Watch().begin()
    assert await watch.told(total(SPENDER, NOON - timedelta(days=1), 10**9)) == []
    assert await watch.told(total(SPENDER, NOON - timedelta(days=5), 10**9)) == []


async def test_an_hour_out_of_line_is_a_spike_without_any_limit() -> None:
    watch = await Watch(daily=None).begin()
    for hours in (3, 2, 1):
        hour = total("ada", NOON - timedelta(hours=hours), 1_000_000, partition=hours)
        assert await watch.told(hour) == []
    alerts = await watch.told(total("ada", NOON, 3_000_000))
    assert [(each.persona_id, each.kind, each.limit_micros) for each in alerts] == [
        ("*", "spike", 1_000_000),
        ("ada", "spike", 1_000_000),
    ]


async def test_a_total_that_is_no_day_is_refused() -> None:
    watch = await Watch().begin()
    short = SpendTotal(
        event_id="x",
        occurred_at=NOON,
        total_id="x",
        persona_id="x",
        day=NOON.replace(hour=0),
        source_partition=0,
        hour_micros=(1, 2),
    )
    (refused,) = await watch.stage.add(rows(TOTALS, [short]))
    assert "expected 24 hours" in str(refused.fault)


async def test_the_gate_tells_the_worst_of_own_and_common_budgets_and_frees_with_the_period() -> None:
    log = ListedTail[SpendTotal]()
    budget = PersonaBudget(daily_dollars=Decimal(10), hourly_dollars=Decimal(1))
    persona = samples()[0].model_copy(update={"budget": budget})
    budgets = Budgets(SpendDirectory(log, clock=lambda: NOON), POLICY, BudgetLimits(day_micros=20_000_000))
    await budgets.refresh()
    assert budgets.level(persona, NOON).kind == "free"
    log.append(SPENDER, total(SPENDER, NOON, 960_000))
    await budgets.refresh()
    paused = budgets.level(persona, NOON + timedelta(minutes=59))
    assert (paused.kind, paused.until) == ("pause", NOON + timedelta(hours=1))
    assert budgets.level(persona, NOON + timedelta(hours=1)).kind == "free"
    log.append("ada", total("ada", NOON, 18_000_000))
    await budgets.refresh()
    assert budgets.level(persona, NOON).kind == "pause"
    later = budgets.level(persona, NOON + timedelta(hours=1))
    assert (later.kind, later.until) == ("downgrade", NOON.replace(day=24, hour=0))
    assert "all personas together have spent $18.96 of $20.00" in later.reason
    assert budgets.level(persona, NOON + timedelta(days=1)).kind == "free"
    await budgets.close()


async def test_an_older_total_that_comes_late_takes_nothing_back() -> None:
    log = ListedTail[SpendTotal]()
    directory = SpendDirectory(log, clock=lambda: NOON)
    log.append("ada", total("ada", NOON, 5))
    log.append("ada", total("ada", NOON, 9, unpriced=1))
    log.append("ada", total("ada", NOON, 7, unpriced=1))
    await directory.refresh()
    assert [directory.book.spent_micros("ada", period) for period in periods_at(NOON)] == [9, 9]
    assert directory.book.unpriced_calls("*", NOON.replace(hour=0)) == 1


def test_the_report_has_everyone_first_and_each_persona_that_spent_or_has_a_limit() -> None:
    book = SpendBook()
    book.apply(total("ada", NOON, 960_000, unpriced=2))
    lines = budget_lines(
        book, {"bob": BudgetLimits(day_micros=5), "*": BudgetLimits(hour_micros=1_000_000)}, POLICY, NOON
    )
    assert [(each.persona_id, each.day.spent_micros, each.level.kind) for each in lines] == [
        ("*", 960_000, "pause"),
        ("ada", 960_000, "free"),
        ("bob", 0, "free"),
    ]
    shown = budgets_object(lines, [])
    assert shown["total"]["hour"] == {
        "start": "2026-11-23T12:00:00+00:00",
        "spent_micros": 960_000,
        "limit_micros": 1_000_000,
        "spent_share": 0.96,
    }
    assert shown["total"]["until"] == "2026-11-23T13:00:00+00:00"
    assert shown["personas"][0]["unpriced_calls_today"] == 2
