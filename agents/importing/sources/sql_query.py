"""The rows of a SQL query on PostgreSQL, by a server-side cursor in one read-only transaction, which sees one state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg.conninfo import conninfo_to_dict

from agents.importing.cells.visible_text import ImportFault
from agents.importing.sources.nested import plain
from agents.importing.sources.source import Digest, IsHeader, Row, Table, Unit
from streams.postgres_session import CONNECT_TIMEOUT_S, SETTINGS, startup

FETCH_ROWS = 5_000
CURSOR = "threads_import"


@dataclass(slots=True)
class SqlQuery:
    """A query whose rows are read from the beginning as often as it is opened, the same rows until it is closed.

    `dsn` is told nowhere: it may hold a password. Statements end after `timeout_s` seconds.
    """

    sql: str
    dsn: str = field(repr=False)
    timeout_s: float
    _connection: psycopg.Connection | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """Return the name of the database: that of a query would be its text."""
        return f"sql:{self._part('dbname')}"

    @property
    def unit(self) -> Unit:
        """Return that places are rows."""
        return "row"

    @property
    def size(self) -> int:
        """Return that the size is unknown."""
        return 0

    @property
    def described(self) -> str:
        """Return where the query is answered, without user and password."""
        return f"SQL query on {self._part('dbname')} at {self._part('host')}"

    @contextmanager
    def open(self, digest: Digest | None = None, is_header: IsHeader | None = None) -> Iterator[Table]:  # noqa: ARG002
        """Ask the server; the digest takes the query, the database's name and the rows.

        Raises:
            ImportFault: the server is away, refuses the query, or takes too long for it; nothing of the DSN is told.
        """
        try:
            connection = self._connected()
            with connection.cursor(CURSOR) as cursor:
                cursor.itersize = FETCH_ROWS
                cursor.execute(self.sql.strip().rstrip(";").encode())
                columns = cursor.description or []
                if digest is not None:
                    digest.update(f"{self._part('dbname')}\n{self.sql}\n".encode())
                header = [column.name for column in columns]
                types = {column.name: column.type_display for column in columns}
                yield Table(header, _rows(cursor, digest), self, types=types)
        except psycopg.Error as error:
            self.close()
            why = str(error).strip().splitlines()[0].replace(self.dsn, "the DSN")
            raise ImportFault(f"The query on {self._part('dbname')} failed: {why}") from None

    def close(self) -> None:
        """End the transaction and disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> psycopg.Connection:
        if self._connection is None:
            silent_ms = int(self.timeout_s * 1000)
            connection = psycopg.connect(
                self.dsn, connect_timeout=CONNECT_TIMEOUT_S, tcp_user_timeout=silent_ms, **startup()
            )
            try:
                _begin(connection, self.timeout_s)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _part(self, name: str) -> str:
        try:
            return str(conninfo_to_dict(self.dsn).get(name) or "the default")
        except psycopg.ProgrammingError:
            raise ImportFault("The DSN is not readable; write it like postgresql://user@host:5432/database.") from None


def _begin(connection: psycopg.Connection, timeout_s: float) -> None:
    """Begin a transaction of one snapshot, in which the same query gives its rows in the same order."""
    connection.autocommit = False
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    wanted = {
        **SETTINGS,
        "statement_timeout": f"{int(timeout_s * 1000)}ms",
        "idle_in_transaction_session_timeout": "0",  # while rows are sent, nothing is asked
        "synchronize_seqscans": "off",  # a scan begins at the table's beginning, not where another one is
    }
    for name, value in wanted.items():
        connection.execute("SELECT set_config(%s, %s, true)", (name, value))


def _rows(cursor: psycopg.ServerCursor, digest: Digest | None) -> Iterator[Row]:
    for number, cells in enumerate(cursor, start=1):
        if digest is not None:
            digest.update(repr(cells).encode())
        yield Row(number, number, plain(cells))
