"""What the simulator knows, in SQLite: nothing that was answered is lost by a kill -9.

Every statement outside a transaction commits by itself, and answers are given after the commit. WAL with
`synchronous=NORMAL` hands each commit to the operating system, which keeps it whatever becomes of the process; only a
power cut could take the last commits, together with the home's other servers.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from streams.errors import SettingsError
from streams.postgres_session import read_statements

FILE_NAME = "truth.sqlite3"
BUSY_TIMEOUT_S = 10.0
CACHED_STATEMENTS = 256
DIGITS = 17
_LEAST_ID = 10 ** (DIGITS - 1)
_IDS = 9 * _LEAST_ID
_STRIDE = 61_803_398_874_989_47  # without a common factor with _IDS: every number has an id of its own
_SQL = {name: text.decode() for name, text in read_statements("agents.simulator", "truth.sql").items()}

Row: TypeAlias = sqlite3.Row


class Truth:
    """The database of one simulator. Its calls are short and block; it belongs to the thread that opened it."""

    def __init__(self, folder: Path) -> None:
        """Open it, and make it where it is not there.

        Raises:
            SettingsError: it can't be opened.
        """
        path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, cached_statements=CACHED_STATEMENTS
            )
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            with self.transaction():
                for name in _SQL:
                    if name.startswith("create_"):
                        self.run(name)
                self._offset = int(self.kept("offset", secrets.randbelow(_IDS)))
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(
                f"{path}, what the simulator knows, can't be opened ({error}): make it writable, or delete its folder "
                "to begin anew"
            ) from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all or nothing of what is done meanwhile."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def run(self, name: str, /, **values: Any) -> int:  # noqa: ANN401 - values of SQLite
        """Run a statement and return how many rows it changed."""
        return self._connection.execute(_SQL[name], values).rowcount

    def one(self, name: str, /, **values: Any) -> Row | None:  # noqa: ANN401
        """Return the first row of a statement."""
        rows = self.all(name, **values)
        return rows[0] if rows else None

    def all(self, name: str, /, **values: Any) -> list[Row]:  # noqa: ANN401
        """Return the rows of a statement."""
        return self._connection.execute(_SQL[name], values).fetchall()

    def kept(self, key: str, default: Any) -> Any:  # noqa: ANN401 - JSON
        """Return a value that is kept as JSON; the default is kept where there is none."""
        found = self.one("get_kept", key=key)
        if found is None:
            self.keep(key, default)
            return default
        return json.loads(found["value"])

    def keep(self, key: str, value: Any) -> None:  # noqa: ANN401 - JSON
        """Keep a value as JSON."""
        self.run("put_kept", key=key, value=json.dumps(value))

    def new_id(self) -> str:
        """Return an id of 17 digits that nothing else has, neither here nor likely in another home."""
        number = self.all("next_number")[0]["number"]
        return str(_LEAST_ID + (self._offset + number * _STRIDE) % _IDS)

    def close(self) -> None:
        """Close it."""
        self._connection.close()
