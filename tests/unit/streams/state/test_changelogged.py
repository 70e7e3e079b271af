"""Changelogged state: the changelog is the truth; a local store that is behind, lost or of another log is made good."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from streams.engine.batch import TopicPartition
from streams.engine.stage import Change
from streams.kafka.hidden import NOTHING, Hidden
from streams.state.changelogged import ChangeloggedState
from streams.state.local_store import LocalStore, MemoryStore, RocksStore, StoreDamaged, open_store
from tests.support.memory_changelog import LogInMemory

SOURCE = TopicPartition("engagement.events", 1)


def change(key: str, value: str | None) -> Change:
    return key.encode(), None if value is None else value.encode()


async def write(state: ChangeloggedState, *changes: Change) -> None:
    state.store(await state.append({SOURCE: changes}))


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
    await state.append(
        {SOURCE: [change("a", None), change("c", "3")]}
    )  # acknowledged; the worker dies before the local store
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


def _given(store: LocalStore, _: Path) -> LocalStore:
    return store


class _FullDisk(MemoryStore):
    """A store whose disk takes `room` writes, until it is cleared."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def apply(self, changes: Iterable[tuple[bytes, bytes | None]], position: int) -> None:
        if self.room == 0:
            raise StoreDamaged("no space left")
        self.room -= 1
        super().apply(changes, position)

    def clear(self) -> None:
        super().clear()
        self.room = 1_000


async def test_a_local_store_that_takes_no_writes_any_more_is_dropped_and_nothing_is_lost() -> None:
    log, stores = LogInMemory(), [_FullDisk(2), _FullDisk(0), _FullDisk(1_000)]
    first = ChangeloggedState(log, Path("x"), lambda _: stores[0])
    assert dict(await first.restore(SOURCE)) == {}
    for number in range(4):
        await write(first, change("a", str(number)), change(f"k{number}", "v"))
    everything = {b"a": b"3"} | {f"k{number}".encode(): b"v" for number in range(4)}
    for store in stores[1:]:
        later = ChangeloggedState(log, Path("x"), partial(_given, store))
        assert dict(await later.restore(SOURCE)) == everything


def flip_a_byte(folder: Path) -> None:
    for path in folder.rglob("*.sst"):
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 0xFF
        path.write_bytes(content)


async def test_a_damaged_block_that_compaction_meets_ends_no_worker(tmp_path: Path) -> None:
    log = LogInMemory()
    state = ChangeloggedState(log, tmp_path, open_store)
    await state.restore(SOURCE)
    for number in range(2_000):
        await write(state, change(f"key {number:05}", "v" * 200))
    state.close()
    again = ChangeloggedState(log, tmp_path, open_store)
    await again.restore(SOURCE)  # what was in the write-ahead log goes to data files
    again.close()
    flip_a_byte(tmp_path)
    damaged = ChangeloggedState(log, tmp_path, open_store)
    restored = dict(await damaged.restore(SOURCE))
    assert len(restored) == 2_000
    await write(damaged, change("key 00000", "new"))
    damaged.close()
    last = ChangeloggedState(log, tmp_path, open_store)
    assert dict(await last.restore(SOURCE))[b"key 00000"] == b"new"
    last.close()


def overwrite(store: LocalStore, rounds: int) -> None:
    for number in range(rounds):
        store.apply([(b"%05d" % key, random.randbytes(100)) for key in range(2_000)], number)


@pytest.mark.parametrize("end", [RocksStore.clear, RocksStore.close, RocksStore.remove])
def test_a_store_whose_compaction_met_a_damaged_block_can_be_emptied_closed_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Callable[[RocksStore], None]
) -> None:
    monkeypatch.setattr("streams.state.local_store.WRITE_BUFFER_BYTES", 2**16)
    before = RocksStore(tmp_path / "db")
    overwrite(before, 1)
    before.close()
    flip_a_byte(tmp_path)
    store = RocksStore(tmp_path / "db")
    with pytest.raises(StoreDamaged, match="takes no writes any more"):
        overwrite(store, 100)
    end(store)
    if end is RocksStore.clear:
        overwrite(store, 2)
        assert len(list(store.items())) == 2_000
    assert (tmp_path / "db").exists() == (end is not RocksStore.remove)


@pytest.mark.parametrize("lost", ["CURRENT", "MANIFEST-*", "*.sst"])
def test_a_store_that_lost_a_file_never_passes_off_the_rest_as_all(tmp_path: Path, lost: str) -> None:
    folder, killed = tmp_path / "db", tmp_path / "killed"
    first = RocksStore(folder)
    first.apply([(b"old", b"1")], 5)
    first.close()  # into a data file
    second = RocksStore(folder)
    second.apply([(b"new", b"2")], 9)  # into the write-ahead log
    shutil.copytree(folder, killed)
    second.close()
    for path in killed.glob(lost):
        path.unlink()
    for _ in range(2):
        store = open_store(killed)
        found = store.position(), dict(store.items())
        store.close()
        assert found == (None, {})


def marked(log: LogInMemory, folder: Path) -> ChangeloggedState:
    """Return a state that knows which log its source is."""
    return ChangeloggedState(log, folder, open_store, lambda _: "log 1")


@pytest.mark.parametrize("unnoticed", [0, 1, 5])
async def test_a_changelog_that_was_made_again_gets_the_local_copy(tmp_path: Path, unnoticed: int) -> None:
    state = marked(LogInMemory("first"), tmp_path)
    await state.restore(SOURCE)
    await write(state, change("a", "1"), change("b", "2"), change("b", None), change("c", "3"))
    fresh = LogInMemory("second")
    state._changelog = fresh
    for number in range(unnoticed):  # the worker goes on, and what it appends is no whole state
        await write(state, change("a", f"more {number}"))
    state.close()
    again = marked(fresh, tmp_path)
    whole = dict(await again.restore(SOURCE))
    assert whole == {b"a": b"1" if unnoticed == 0 else b"more %d" % (unnoticed - 1), b"c": b"3"}
    again.close()
    shutil.rmtree(tmp_path / "engagement.events-1")
    elsewhere = marked(fresh, tmp_path)
    assert dict(await elsewhere.restore(SOURCE)) == whole
    elsewhere.close()


async def test_a_copy_that_was_written_in_part_is_written_again(tmp_path: Path) -> None:
    state = marked(LogInMemory("first"), tmp_path)
    await state.restore(SOURCE)
    await write(state, *(change(f"key {number}", "1") for number in range(9)))
    state.close()
    fresh = LogInMemory("second")
    await fresh.append(SOURCE, [(b"key 0", b"1"), (b"key 1", b"1")])  # then the worker died
    again = marked(fresh, tmp_path)
    assert len(dict(await again.restore(SOURCE))) == 9
    again.close()


async def test_a_changelog_with_its_mark_is_believed_more_than_a_local_copy(tmp_path: Path) -> None:
    old, new = LogInMemory("first"), LogInMemory("second")
    state = marked(old, tmp_path)
    await state.restore(SOURCE)
    await write(state, *(change(f"key {number}", "1") for number in range(9)))
    state.close()
    other = marked(new, tmp_path / "other")
    await other.restore(SOURCE)
    await write(other, change("key 0", "2"))
    other.close()
    again = marked(new, tmp_path)
    assert dict(await again.restore(SOURCE)) == {b"key 0": b"2"}
    again.close()


async def test_entries_of_a_key_that_became_hidden_are_deleted_once_and_later_ones_stay(tmp_path: Path) -> None:
    log, now = LogInMemory(), [NOTHING]

    def made() -> ChangeloggedState:
        return ChangeloggedState(
            log, tmp_path, open_store, owner_of=lambda key, _: key.decode().split("|")[0], hidden=lambda: now[0]
        )

    state = made()
    await state.restore(SOURCE)
    await write(state, change("ada|1", "1"), change("bob|1", "2"))
    now[0] = Hidden({b"ada": 100})
    assert dict(await state.restore(SOURCE)) == {b"bob|1": b"2"}
    assert dict(log.log[SOURCE])[b"ada|1"] is None
    await write(state, change("ada|2", "new"))
    state.close()
    state = made()  # another worker, without the memory of this one
    assert dict(await state.restore(SOURCE)) == {b"bob|1": b"2", b"ada|2": b"new"}
    now[0] = Hidden({b"ada": 200})
    assert dict(await state.restore(SOURCE)) == {b"bob|1": b"2"}
    state.close()
