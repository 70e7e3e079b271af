"""Roles of PostgreSQL whose every setting is another than the server's, and databases that they own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.postgres_tables import own_database

NAME, PASSWORD = "hostile", "hostile-password"
VARIANTS = 6

OTHERS = {
    "DateStyle": ("German, DMY", "SQL, DMY", "Postgres, YMD", "ISO, DMY"),
    "TimeZone": ("Pacific/Apia", "America/St_Johns", "Asia/Kathmandu", "<-11>11"),
    "timezone_abbreviations": ("Australia", "India"),
    "client_encoding": ("LATIN1", "SJIS", "SQL_ASCII", "WIN1251", "GB18030", "EUC_KR"),
    "search_path": ("nowhere", "", "pg_temp", "pg_catalog", "nowhere, information_schema"),
    "extra_float_digits": ("-15", "0", "3"),
    "statement_timeout": ("200ms",),
    "lock_timeout": ("1ms",),
    "idle_in_transaction_session_timeout": ("200ms",),
    "transaction_timeout": ("200ms",),
    "lc_messages": ("C",),
    "default_statistics_target": ("1",),
    "work_mem": ("64kB",),
    "temp_buffers": ("800kB",),
    "default_tablespace": ("nowhere",),
    "temp_tablespaces": ("nowhere",),
}
"""Settings that are texts or numbers; those with a closed list of values are asked of the server."""

NOT_OURS = {"transaction_isolation", "transaction_read_only", "transaction_deferrable"}  # of the transaction under way

CLOSED_LISTS = """
SELECT name, coalesce(enumvals, ARRAY['on', 'off']), reset_val
FROM pg_settings
WHERE context = 'user' AND vartype IN ('bool', 'enum') AND category <> 'Developer Options'
"""


def hostile_settings(server_dsn: str, variant: int) -> dict[str, str]:
    """Return a value for every setting that a session may change, where there is one that is not the server's."""
    with psycopg.connect(server_dsn) as connection:
        found = connection.execute(CLOSED_LISTS).fetchall()
        known = {name for (name,) in connection.execute("SELECT name FROM pg_settings")}
    closed = {name: [each for each in values if each != now] for name, values, now in found if name not in NOT_OURS}
    of_texts = {name: values for name, values in OTHERS.items() if name in known}
    return {name: _one_of(values, variant) for name, values in {**closed, **of_texts}.items()}


def _one_of(values: Sequence[str], variant: int) -> str:
    return values[variant % len(values)]


@contextmanager
def hostile_database(server_dsn: str, settings: dict[str, str]) -> Iterator[str]:
    """Make a role with the settings, and an empty database of its own; drop both at the end."""
    name = sql.Identifier(NAME)
    with psycopg.connect(server_dsn, autocommit=True) as server:
        server.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(name))
        server.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, PASSWORD))
        for setting, value in settings.items():
            what = sql.Identifier(setting)
            server.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(name, what, value))
        with own_database(server_dsn) as dsn:
            database = sql.Identifier(str(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]))
            server.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, name))
            yield make_conninfo(dsn, user=NAME, password=PASSWORD)
        server.execute(sql.SQL("DROP ROLE {}").format(name))
