"""PgBouncer in front of a PostgreSQL server, in transaction mode: no SET is kept, startup options are refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from streams.embedded.ports import LOOPBACK
from streams.embedded.process import Launch, give, unprivileged_account
from streams.embedded.server import Server

CACHED = Path("pgbouncer")
SESSIONS = 2

CONFIGURATION = """\
[databases]
* = host={host} port={port}

[pgbouncer]
listen_addr = {loopback}
listen_port = {listen_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {sessions}
"""


def find_pgbouncer(cache: Path) -> Path | None:
    """Return the program: on PATH, where Debian puts it, or as run_tests.sh unpacked it in the cache."""
    places = (shutil.which("pgbouncer"), "/usr/sbin/pgbouncer", cache / CACHED / "usr/sbin/pgbouncer")
    return next((Path(place) for place in places if place is not None and Path(place).is_file()), None)


class TransactionPooler(Server):
    """A pooler with two sessions for each database and user; `users` are those it lets in, with their passwords."""

    role: ClassVar[str] = "pgbouncer"

    def __init__(self, program: Path, folder: Path, server_dsn: str, port: int, users: dict[str, str]) -> None:
        self._program = program
        self._folder = folder
        self._server_dsn = server_dsn
        self._server = conninfo_to_dict(server_dsn)
        self._port = port
        self._users = {str(self._server["user"]): str(self._server["password"]), **users}

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self._port}"

    @property
    def endpoints(self) -> dict[str, str]:
        return {}

    def through(self, dsn: str) -> str:
        """Return a DSN of the server as one that goes through the pooler."""
        return make_conninfo(dsn, host=LOOPBACK, port=self._port)

    def prepare(self) -> None:
        """Write the configuration, and copy the program to where an account without rights can reach it."""
        self._folder.mkdir(parents=True)
        shutil.copy(self._program, self._folder / "pgbouncer")
        for library in (self._program.parents[1] / "lib").rglob("*.so.*") if self._is_unpacked() else ():
            shutil.copy(library, self._folder / library.name)
        users = self._folder / "users"
        users.write_text("".join(f'"{name}" "{password}"\n' for name, password in self._users.items()))
        (self._folder / "pgbouncer.ini").write_text(
            CONFIGURATION.format(
                **self._server, loopback=LOOPBACK, listen_port=self._port, users=users, sessions=SESSIONS
            )
        )
        for file in (self._folder, *self._folder.iterdir()):
            give(file, unprivileged_account())

    def _is_unpacked(self) -> bool:
        return CACHED.name in {parent.name for parent in self._program.parents}

    def launch(self) -> Launch:
        command = (str(self._folder / "pgbouncer"), str(self._folder / "pgbouncer.ini"))
        environment = {"LD_LIBRARY_PATH": str(self._folder)}
        return Launch(command, self._folder, environment=environment, account=unprivileged_account())

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.through(self._server_dsn)).close()
        except psycopg.OperationalError:
            return False
        return True
