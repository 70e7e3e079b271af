"""Local stores: a partition's state on this machine, so that a restart reads only the changelog's tail."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from rocksdict import Options, Rdict, WriteBatch

logger = logging.getLogger(__name__)

WRITE_BUFFER_BYTES = 4 * 2**20  # a partition of a stage holds it up to twice; RocksDB's own 64 MB outgrow the rest
_HELD = re.compile("While lock file|lock hold by current process")  # RocksDB's words for a store that is in use
_STATE = b"s"  # prefix of the keys of the state
_SIZES = ("rocksdb.total-sst-files-size", "rocksdb.cur-size-all-mem-tables")
_POSITION = b"t"  # key of the next changelog offset, behind all of the state: who reads on to it has read all


class StoreDamaged(Exception):
    """A local store does not give all it was given, or takes no more: its files are damaged, or its disk is full."""


class LocalStore(Protocol):
    """The state of one partition up to an offset of its changelog; `apply` is atomic: all changes and the position."""

    def position(self) -> int | None:
        """Return the changelog offset up to which changes are in, None when the store is new."""

    def apply(self, changes: Iterable[tuple[bytes, bytes | None]], position: int) -> None:
        """Put and delete (None), and move the position.

        Raises:
            StoreDamaged: nothing can be written any more; none of these changes is in.
        """

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key; None also where it can't be read."""

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield every key with its value.

        Raises:
            StoreDamaged: after the last that can be read; what was yielded is not all.
        """

    def size_bytes(self) -> int:
        """Return about how much it takes, in files and in memory."""

    def clear(self) -> None:
        """Forget everything, the position too."""

    def remove(self) -> None:
        """Release files and locks for good, and leave no file behind."""

    def close(self) -> None:
        """Release files and locks."""


class MemoryStore:
    """A store that lives as long as its worker."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._position: int | None = None

    def position(self) -> int | None:
        return self._position

    def apply(self, changes: Iterable[tuple[bytes, bytes | None]], position: int) -> None:
        apply_to(self._values, changes)
        self._position = position

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(list(self._values.items()))

    def size_bytes(self) -> int:
        return sum(len(key) + len(value) for key, value in self._values.items())

    def clear(self) -> None:
        self._values.clear()
        self._position = None

    def remove(self) -> None:
        self.clear()

    def close(self) -> None:
        self._values.clear()


def apply_to(values: dict[bytes, bytes], changes: Iterable[tuple[bytes, bytes | None]]) -> None:
    """Apply puts and deletes (None) to a mapping."""
    for key, value in changes:
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value


class RocksStore:
    """A store in a RocksDB folder; one process has it open at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._db = self._open()

    def _open(self) -> Rdict:
        options = Options(raw_mode=True)
        options.create_if_missing(True)  # noqa: FBT003 - RocksDB's own signature
        options.set_write_buffer_size(WRITE_BUFFER_BYTES)
        return Rdict(str(self._folder), options=options)

    def position(self) -> int | None:
        found = self._db.get(_POSITION)
        return None if found is None else int(found)

    def apply(self, changes: Iterable[tuple[bytes, bytes | None]], position: int) -> None:
        batch = WriteBatch(raw_mode=True)
        for key, value in changes:
            if value is None:
                batch.delete(_STATE + key)
            else:
                batch.put(_STATE + key, value)
        batch.put(_POSITION, str(position).encode())
        try:
            self._db.write(batch)
        except Exception as error:  # rocksdict raises bare Exceptions: a damaged block met by compaction, a full disk
            raise StoreDamaged(f"the local store in {self._folder} takes no writes any more: {error}") from error

    def get(self, key: bytes) -> bytes | None:
        try:
            found = self._db.get(_STATE + key)
        except Exception:  # noqa: BLE001 - rocksdict raises bare Exceptions; reading all of it tells of the damage
            return None
        return None if found is None else bytes(found)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._db.items(from_key=_STATE):
            if key == _POSITION:
                return
            yield key[len(_STATE) :], value
        if self.position() is not None:  # else it is new and empty
            # RocksDB ends an iteration at a block whose checksum is wrong, and rocksdict does not tell
            raise StoreDamaged(f"the local store in {self._folder} ends before its end; it has a damaged block")

    def size_bytes(self) -> int:
        found = (self._db.property_int_value(name) for name in _SIZES)
        return sum(size for size in found if size is not None)

    def clear(self) -> None:
        self.remove()
        self._db = self._open()

    def remove(self) -> None:
        self.close()
        shutil.rmtree(self._folder)

    def close(self) -> None:
        try:
            self._db.close()  # writes what is in memory; where that fails the database is closed all the same
        except Exception as error:  # noqa: BLE001 - rocksdict raises bare Exceptions
            logger.warning("Local state in %s is not whole (%s); the changelog has the rest", self._folder, error)


def open_store(folder: Path) -> LocalStore:
    """Open the RocksDB store of a partition, anew where it is damaged; in memory where another process holds it.

    The local store only shortens a restart: the changelog has everything.
    """
    try:
        return _opened(folder)
    except Exception as error:  # noqa: BLE001 - rocksdict raises bare Exceptions: locked, corrupt, full disk
        logger.warning("Local state in %s can't be used (%s); restoring from the changelog into memory", folder, error)
        return MemoryStore()


def _opened(folder: Path) -> RocksStore:
    """Open a store; one that can't be opened or read is removed first.

    RocksDB must not try again over what is left of it: without its index it begins an empty database, and takes what
    its write-ahead log still has for all there is.
    """
    if _lost_its_index(folder):
        logger.warning("Local state in %s is not whole; restoring from the changelog", folder)
        shutil.rmtree(folder)
    try:
        return _readable(RocksStore(folder))
    except Exception as error:
        if _HELD.search(str(error)):
            raise
        logger.warning("Local state in %s is damaged (%s); restoring from the changelog", folder, error)
        shutil.rmtree(folder, ignore_errors=True)
        return _readable(RocksStore(folder))


def _lost_its_index(folder: Path) -> bool:
    """Tell whether a database's files are there without the file that names its index."""
    return folder.is_dir() and not (folder / "CURRENT").exists() and any(folder.glob("*.*"))


def _readable(store: RocksStore) -> RocksStore:
    try:
        store.position()  # damage may show here first
    except Exception:
        store.close()
        raise
    return store
