"""Changelogged state: the changelog is the truth; a local store that is behind, lost or of another log is made good."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.engine.batch import TopicPartition
from streams.engine.stage import StateChange
from streams.state.changelogged import ChangeloggedState
from streams.state.local_store import LocalStore, MemoryStore, RocksStore, open_store
from tests.memory_changelog import LogInMemory

SOURCE = TopicPartition("engagement.events", 1)


def change(key: str, value: str | None) -> StateChange:
    return StateChange(SOURCE, key.encode(), None if value is None else value.encode())


async def write(state: ChangeloggedState, *changes: StateChange) -> None:
    state.store(await state.append(changes))


@pytest.fixture(params=[RocksStore, MemoryStore], ids=["rocksdb", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalStore]:
    made = RocksStore(tmp_path / "db") if request.param is RocksStore else MemoryStore()
    yield made
    made.close()


def test_a_store_holds_what_was_put_and_not_deleted(store: LocalStore) -> None:
    assert store.position() is None
    store.apply([(b"a", b"1"), (b"b", b"2")], 2)
    store.apply([(b"a", None), (b"b", b"3"), (b"", b"empty")], 5)
    assert dict(store.items()) == {b"b": b"3", b"": b"empty"}
    assert store.position() == 5
    store.clear()
    assert (dict(store.items()), store.position()) == ({}, None)


async def test_a_restart_reads_only_the_tail_of_the_changelog(tmp_path: Path) -> None:
    log = LogInMemory()
    state = ChangeloggedState(log, tmp_path, open_store)
    assert dict(await state.restore(SOURCE)) == {}
    await write(state, change("a", "1"), change("b", "2"))
    await state.append([change("a", None), change("c", "3")])  # acknowledged; the worker dies before the local store
    state.close()
    again = ChangeloggedState(log, tmp_path, open_store)
    assert dict(await again.restore(SOURCE)) == {b"b": b"2", b"c": b"3"}
    assert log.read_from == [2]
    again.close()


async def test_a_lost_local_store_is_rebuilt_from_the_changelog(tmp_path: Path) -> None:
    log = LogInMemory()
    first = ChangeloggedState(log, tmp_path / "one", open_store)
    await first.restore(SOURCE)
    await write(first, *(change(str(number % 7), str(number)) for number in range(25)))
    first.close()
    other = ChangeloggedState(log, tmp_path / "two", open_store)
    assert dict(await other.restore(SOURCE)) == {
        str(key).encode(): str(max(range(key, 25, 7))).encode() for key in range(7)
    }
    other.close()


async def test_a_local_store_of_another_log_is_dropped(tmp_path: Path) -> None:
    old = ChangeloggedState(LogInMemory(), tmp_path, open_store)
    await old.restore(SOURCE)
    await write(old, change("stale", "1"), change("stale", "2"))
    old.close()
    log = LogInMemory()
    await log.append(SOURCE, [(b"fresh", b"1")])
    new = ChangeloggedState(log, tmp_path, open_store)
    assert dict(await new.restore(SOURCE)) == {b"fresh": b"1"}
    new.close()


async def test_a_store_in_use_elsewhere_does_not_stop_the_worker(tmp_path: Path) -> None:
    log = LogInMemory()
    holder, other = (ChangeloggedState(log, tmp_path, open_store) for _ in range(2))
    await holder.restore(SOURCE)
    await write(holder, change("a", "1"))
    assert dict(await other.restore(SOURCE)) == {b"a": b"1"}
    holder.close()
    other.close()
