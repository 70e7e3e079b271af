"""Migrations on the real server: from empty, from each earlier version, by several workers at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import psycopg
import pytest

from sinks.postgres.connection import connect
from sinks.postgres.migrations import Migration, MigrationError, migrate, migrations

TIMEOUT_S = 20.0
LATEST = len(migrations())


async def applied(dsn: str, wanted: tuple[Migration, ...]) -> list[int]:
    connection = await connect(dsn, TIMEOUT_S)
    try:
        return [migration.version for migration in await migrate(connection, TIMEOUT_S, wanted)]
    finally:
        await connection.close()


def columns(dsn: str) -> list[tuple[str, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
            "WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
        ).fetchall()


@pytest.mark.parametrize("earlier", range(LATEST + 1))
async def test_tables_of_every_earlier_version_are_brought_up_to_date(dsn: str, earlier: int) -> None:
    await applied(dsn, migrations()[:earlier])
    assert await applied(dsn, migrations()) == list(range(earlier + 1, LATEST + 1))
    names = {name for name, *_ in columns(dsn)}
    assert {"requests", "drafts", "posts", "engagement", "costs", "revenue", "kpi_updates", "kpi_current"} <= names
    assert {"savings", "budget_alerts", "draft_reviews", "draft_reviews_in_force"} <= names
    assert {"publications", "insights_snapshots", "platform_notices", "dead_outcomes", "operation_runs"} <= names
    assert "hook_rewards" in names
    assert {"post_totals", "day_totals", "post_kpis", "daily_kpis", "daily_engagement"} <= names
    assert await applied(dsn, migrations()) == []


async def test_workers_that_start_together_apply_each_migration_once(dsn: str) -> None:
    done = await asyncio.gather(*(applied(dsn, migrations()) for _ in range(4)))
    assert sorted(version for versions in done for version in versions) == list(range(1, LATEST + 1))


async def test_a_migration_that_was_changed_after_it_was_applied_is_refused(dsn: str) -> None:
    await applied(dsn, migrations())
    first, *rest = migrations()
    with pytest.raises(MigrationError, match=r"migration 1 \(events\) is not the one that was applied"):
        await applied(dsn, (replace(first, sql=first.sql + b"\n"), *rest))


async def test_a_database_of_a_newer_program_is_refused(dsn: str) -> None:
    await applied(dsn, migrations())
    with pytest.raises(MigrationError, match="a newer version made the tables"):
        await applied(dsn, migrations()[:1])


async def test_a_migration_that_fails_leaves_nothing(dsn: str) -> None:
    broken = Migration(LATEST + 1, "broken", b"CREATE TABLE half (x int); SELECT 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await applied(dsn, (*migrations(), broken))
    assert columns(dsn) == []
