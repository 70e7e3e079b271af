"""A tailed table says what stands on its topics, whatever was written, removed or compacted meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import topic_named
from schemas.records import SpendTotal
from streams.errors import Unavailable
from streams.kafka.tailed_table import REREAD_AFTER_S, TailedTable, TailReading
from tests.support.faults.poison import golden_record
from tests.support.listed_tail import ListedTail
from tests.support.until import until

GOLDEN = golden_record(topic_named("spend.totals"))
WRITING = st.tuples(st.sampled_from("abc"), st.booleans())
STEP = st.one_of(WRITING, st.sampled_from(["refresh", "compact and sleep", "away"]))


class Totals(TailedTable[SpendTotal]):
    """The newest event of each total; `now_s` is its clock."""

    def __init__(self, tail: ListedTail[SpendTotal], monotonic: Callable[[], float] | None = None) -> None:
        super().__init__(tail, monotonic or (lambda: self.now_s))
        self.now_s = 0.0
        self.newest: dict[str, str] = {}

    def put(self, record: SpendTotal) -> None:
        self.newest[record.total_id] = record.event_id

    def drop(self, key: bytes) -> None:
        self.newest.pop(key.decode(), None)


class SlowTail(ListedTail[SpendTotal]):
    """One whose readings take until `goes_on` is set."""

    def __init__(self) -> None:
        super().__init__([("a", total("a", "first"))])
        self.goes_on = asyncio.Event()

    async def read_on(self, *, anew: bool = False) -> TailReading[SpendTotal]:
        await self.goes_on.wait()
        return await super().read_on(anew=anew)


def total(key: str, event_id: str) -> SpendTotal:
    assert isinstance(GOLDEN, SpendTotal)
    return replace(GOLDEN, event_id=event_id, total_id=key)


@given(st.lists(STEP, max_size=30))
async def test_after_a_refresh_the_table_is_what_stands_on_the_topic(steps: Sequence[str | tuple[str, bool]]) -> None:
    tail = ListedTail[SpendTotal]()
    table, standing, seen = Totals(tail), dict[str, str](), dict[str, str]()
    for number, step in enumerate(steps):
        if isinstance(step, tuple):
            key, is_removed = step
            tail.append(key, None if is_removed else total(key, f"{number}"))
            if is_removed:
                standing.pop(key, None)
            else:
                standing[key] = f"{number}"
        elif step == "away":
            tail.is_away = True
            with pytest.raises(Unavailable):
                await table.refresh()
            tail.is_away = False
        else:
            if step == "compact and sleep":  # so long that tombstones may be gone before they were read
                tail.compact()
                table.now_s += REREAD_AFTER_S + 1
            await table.refresh()
            seen = dict(standing)
        assert table.newest == seen


async def test_who_asks_sees_what_was_there_and_those_who_wait_for_a_reading_share_the_next_one() -> None:
    tail, clock = SlowTail(), itertools.count()
    table = Totals(tail, lambda: next(clock))
    asking = [asyncio.create_task(table.refresh()) for _ in range(50)]
    await asyncio.sleep(0)  # the first one reads, the others wait for it
    tail.append("a", total("a", "second"))
    tail.goes_on.set()
    await asyncio.gather(*asking)
    assert (table.newest, tail.readings) == ({"a": "second"}, 2)


async def test_a_table_is_read_when_it_is_older_than_may_be() -> None:
    tail = ListedTail([("a", total("a", "first"))])
    table = Totals(tail)
    await table.refresh(max_age_s=10.0)
    tail.append("a", total("a", "second"))
    table.now_s = 9.0
    await table.refresh(max_age_s=10.0)
    assert (table.newest, tail.readings) == ({"a": "first"}, 1)
    await table.refresh(max_age_s=5.0)
    assert (table.newest, tail.readings) == ({"a": "second"}, 2)


async def test_a_failed_reading_makes_a_table_no_younger() -> None:
    tail = ListedTail([("a", total("a", "first"))])
    table = Totals(tail)
    tail.is_away = True
    with pytest.raises(Unavailable):
        await table.refresh(max_age_s=10.0)
    tail.is_away = False
    await table.refresh(max_age_s=10.0)
    assert table.newest == {"a": "first"}


async def test_tasks_that_refresh_at_once_read_once() -> None:
    tail = ListedTail([("a", total("a", "first"))])
    table = Totals(tail)
    await asyncio.gather(*(table.refresh(max_age_s=1.0) for _ in range(10)))
    assert tail.readings == 1


async def test_what_is_known_stays_known_when_a_table_is_closed_and_it_reads_on_later() -> None:
    tail = ListedTail([("a", total("a", "first"))])
    table = Totals(tail)
    await table.refresh()
    await table.close()
    assert table.newest == {"a": "first"}
    tail.append("b", total("b", "second"))
    await table.refresh()
    assert table.newest == {"a": "first", "b": "second"}


async def test_a_table_that_is_kept_up_follows_unasked_also_after_an_outage() -> None:
    tail = ListedTail([("a", total("a", "first"))])
    table = Totals(tail, time.monotonic)
    async with table.kept_up(0.01):
        assert table.newest == {"a": "first"}
        tail.is_away = True
        before = tail.readings
        await until(lambda: tail.readings > before + 2)
        tail.append("a", total("a", "second"))
        tail.is_away = False
        await until(lambda: table.newest == {"a": "second"})
    readings = tail.readings
    await asyncio.sleep(0.05)  # nothing reads on any more
    assert tail.readings == readings


async def test_a_table_is_read_once_where_it_can_be() -> None:
    tail = ListedTail([("a", total("a", "first"))])
    assert (await Totals(tail).read_once()).newest == {"a": "first"}
    tail.is_away = True
    with pytest.raises(Unavailable):
        await Totals(tail).read_once()
