"""Counters of the Prometheus sink: exact after any broken-off checkpoint, any replay and any repeat."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sinks.prometheus.increments import CounterKey, PartitionCounters, SeenDrafts

KEYS: tuple[CounterKey, ...] = (("a", "x"), ("a", "y"), ("b", 'quote " and \\ and 日本'))
events = st.lists(st.dictionaries(st.sampled_from(KEYS), st.integers(0, 10**30), min_size=1), max_size=20)


def expected(log: list[dict[CounterKey, int]]) -> dict[CounterKey, int]:
    return {key: sum(event.get(key, 0) for event in log) for key in {key for event in log for key in event}}


@given(events, st.data())
def test_counters_are_exact_after_a_crash_between_any_two_writes(
    log: list[dict[CounterKey, int]], data: st.DataObject
) -> None:
    durable: dict[bytes, bytes] = {}
    committed = 0
    for _ in range(data.draw(st.integers(0, 4), label="crashes")):
        counters = PartitionCounters()
        for key, value in durable.items():
            counters.restore(key, value)
        reached = data.draw(st.integers(committed, len(log)), label="reached")
        for offset in range(committed, reached):
            counters.apply(offset, log[offset].items())
        changes = counters.changes()
        written = data.draw(st.integers(0, len(changes)), label="written before the crash")
        durable.update(changes[:written])
        if written == len(changes) and data.draw(st.booleans(), label="committed"):
            committed = reached
    last = PartitionCounters()
    for key, value in durable.items():
        last.restore(key, value)
    for offset in range(committed, len(log)):
        last.apply(offset, log[offset].items())
    assert last.values == expected(log)


def test_only_changed_counters_are_written() -> None:
    counters = PartitionCounters()
    counters.apply(0, [(("a",), 1), (("b",), 1)])
    assert len(counters.changes()) == 2
    counters.apply(1, [(("a",), 2)])
    assert counters.changes() == [(b'["a"]', b"3 1")]
    assert counters.changes() == []


def test_a_draft_counts_once_within_the_horizon_and_again_beyond_it() -> None:
    drafts = SeenDrafts(horizon=10)
    assert [drafts.counts("d", offset) for offset in (0, 5, 10, 11)] == [True, False, False, True]


def test_the_record_that_counted_still_counts_when_it_comes_again_after_a_restart() -> None:
    before = SeenDrafts()
    assert before.counts("d", 3)
    after = SeenDrafts()
    after.restore([(draft_id, offset) for draft_id, offset in before.changes() if offset is not None])
    assert after.counts("d", 3)
    assert not after.counts("d", 4)


def test_ids_beyond_the_horizon_are_forgotten_and_their_state_deleted() -> None:
    drafts = SeenDrafts(horizon=2)
    for offset in range(5):
        drafts.counts(f"d{offset}", offset)
    changes = dict(drafts.changes())
    assert changes == {"d0": None, "d1": None, "d2": 2, "d3": 3, "d4": 4}
