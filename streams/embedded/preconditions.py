"""What must hold before the stack starts: a writable home with space, and servers named by settings that answer."""

from __future__ import annotations

import shutil
import socket
import time

import psycopg
from psycopg.conninfo import conninfo_to_dict

from streams.endpoints import CHOOSE, make_home
from streams.errors import SettingsError
from streams.settings import Settings

CONNECT_TIMEOUT_S = 5.0
RETRY_INTERVAL_S = 0.25


def require_home(settings: Settings) -> None:
    """Make the home.

    Raises:
        SettingsError: it can't be written, or its file system is too full.
    """
    home = make_home(settings)
    free = shutil.disk_usage(home).free
    if free < settings.min_free_bytes:
        raise SettingsError(
            f"The file system of {home} has {free / 2**20:,.0f} MiB free, "
            f"{settings.min_free_bytes / 2**20:,.0f} MiB are needed: free some space, {CHOOSE}, "
            "or lower THREADS_MIN_FREE_BYTES"
        )


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.strip().rpartition(":")
    if not host or not port.isdigit():
        raise SettingsError(f"THREADS_KAFKA: expected host:port[,host:port], got {address!r}")
    return host.strip("[]"), int(port)


def require_reachable_kafka(bootstrap: str, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
    """Check that one of the bootstrap servers accepts connections.

    Raises:
        SettingsError: an address is malformed, or none answered within `timeout_s`.
    """
    servers = [_split(address) for address in bootstrap.split(",")]
    deadline = time.monotonic() + timeout_s
    problem = ""
    while time.monotonic() < deadline:
        for server in servers:
            try:
                socket.create_connection(server, max(0.1, deadline - time.monotonic())).close()
            except OSError as error:
                problem = str(error)
            else:
                return
        time.sleep(RETRY_INTERVAL_S)
    raise SettingsError(
        f"Kafka at {bootstrap} does not answer ({problem}): start it, correct THREADS_KAFKA, or unset it for the "
        "embedded one"
    )


def require_reachable_postgres(dsn: str, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
    """Check that the database accepts a session.

    Raises:
        SettingsError: it does not; the message holds no password.
    """
    try:
        shown = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        raise SettingsError(
            "THREADS_POSTGRES_DSN is not a DSN: expected postgresql://user:password@host:port/database"
        ) from None  # the cause quotes the text, password and all
    try:
        psycopg.connect(dsn, connect_timeout=max(2, int(timeout_s))).close()
    except psycopg.OperationalError as error:
        place = f"{shown.get('host', 'localhost')}:{shown.get('port', 5432)}/{shown.get('dbname', '')}"
        raise SettingsError(
            f"PostgreSQL at {place} can't be used ({str(error).strip().splitlines()[0]}): start it, correct "
            "THREADS_POSTGRES_DSN, or unset it for the embedded one"
        ) from error


def require_configured_servers(settings: Settings) -> None:
    """Check the servers that settings name instead of embedded ones.

    Raises:
        SettingsError: the first that does not answer.
    """
    if settings.kafka is not None:
        require_reachable_kafka(settings.kafka)
    if settings.postgres_dsn is not None:
        require_reachable_postgres(settings.postgres_dsn.get_secret_value())
