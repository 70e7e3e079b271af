"""The tables and views of the newest migration are what records, counters and the viral rule say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import numpy as np
import psycopg
import pytest

from agents.kpis.formulas import are_viral
from schemas.catalogue import topic_named
from schemas.engagement import (
    COUNTER_OF,
    ENGAGING_COUNTERS,
    POST_COUNTERS,
    VIRAL_LEAST_VIEWS,
    VIRAL_VIEWS_BY_ENGAGEMENT,
)
from sinks.postgres.column_tables import COLUMN_TABLES
from sinks.postgres.connection import connect
from sinks.postgres.migrations import migrate
from sinks.postgres.row_tables import ROW_TABLES
from sinks.postgres.table import PLACE
from streams.json_records import parse_record
from tests.conftest import REPOSITORY, Stack
from tests.support.postgres_tables import own_database, query

TIMEOUT_S = 20.0
WAY_OUT = (
    "add the column in a new file of sinks/postgres/migrations (nullable or with the default of the .avsc), or name "
    "the field in left_out of the table's RecordColumns (row_tables.py)"
)
WRITTEN = {
    table.name: {*table.row_of(parse_record(topic_named(table.topics[0]).record, text)), *table.place}
    for table in ROW_TABLES
    for text in [(REPOSITORY / "tests" / "golden" / f"{table.topics[0]}.json").read_text(encoding="utf-8")]
} | {table.name: {*table.columns, *PLACE} for table in COLUMN_TABLES}
AMOUNTS = {name: 10**place for place, name in enumerate(COUNTER_OF.values())}  # no two sums are the same


@pytest.fixture(scope="module")
def tables(stack: Stack) -> Iterator[str]:
    """A database with the newest tables."""
    with own_database(stack.postgres_dsn) as dsn:
        asyncio.run(brought_up_to_date(dsn))
        yield dsn


async def brought_up_to_date(dsn: str) -> None:
    connection = await connect(dsn, TIMEOUT_S)
    try:
        await migrate(connection, TIMEOUT_S)
    finally:
        await connection.close()


def columns(dsn: str, table: str, condition: str = "TRUE") -> set[str]:
    rows = query(
        dsn, f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' AND ({condition})"
    )
    return {name for (name,) in rows}


def add_posts(dsn: str, names: Sequence[str], posts: Sequence[Sequence[int]]) -> None:
    """Add posts by number, with their values of some columns."""
    with psycopg.connect(dsn) as connection:
        for number, values in enumerate(posts):
            connection.execute(
                f"INSERT INTO post_totals (persona_id, post_id, is_published, stale, {', '.join(names)}) "
                f"VALUES ('nova', {number}, TRUE, FALSE, {', '.join(map(str, values))})".encode()
            )


@pytest.mark.parametrize("table", sorted(WRITTEN))
def test_a_table_has_a_column_for_every_field_and_no_other(tables: str, table: str) -> None:
    there = columns(tables, table, "is_generated = 'NEVER'")
    assert there == WRITTEN[table], (
        f"{table} lacks {sorted(WRITTEN[table] - there)}, has besides {sorted(there - WRITTEN[table])}: {WAY_OUT}"
    )


@pytest.mark.parametrize(
    ("relation", "counters"),
    [
        ("post_totals", POST_COUNTERS),
        ("post_kpis", (*POST_COUNTERS, "engagements")),
        ("daily_kpis", (*COUNTER_OF.values(), "engagements")),
        ("kpi_current", (*COUNTER_OF.values(), "engagements")),
    ],
)
def test_every_counter_is_a_column_where_it_is_read(tables: str, relation: str, counters: Sequence[str]) -> None:
    assert set(counters) <= columns(tables, relation)


def test_engagements_of_a_post_are_the_sum_of_what_engages(dsn: str) -> None:
    asyncio.run(brought_up_to_date(dsn))
    add_posts(dsn, POST_COUNTERS, [[AMOUNTS[name] for name in POST_COUNTERS]])
    names = ", ".join((*POST_COUNTERS, "engagements"))
    engagements = sum(AMOUNTS[name] for name in ENGAGING_COUNTERS)
    assert query(dsn, f"SELECT {names} FROM post_kpis") == [(*(AMOUNTS[name] for name in POST_COUNTERS), engagements)]


def test_the_counters_of_a_day_are_those_of_its_kinds(dsn: str) -> None:
    asyncio.run(brought_up_to_date(dsn))
    with psycopg.connect(dsn) as connection:
        for kind, counter in COUNTER_OF.items():
            connection.execute(
                "INSERT INTO day_totals VALUES ('nova', '2026-11-26', %s, FALSE, %s, 1)", (kind, AMOUNTS[counter])
            )
    [found] = query(dsn, f"SELECT {', '.join(AMOUNTS)}, engagements FROM daily_kpis")
    assert found == (*AMOUNTS.values(), sum(AMOUNTS[name] for name in ENGAGING_COUNTERS))


def test_a_post_is_viral_in_the_view_exactly_where_it_is_in_the_kpis(dsn: str) -> None:
    asyncio.run(brought_up_to_date(dsn))
    least, by = VIRAL_LEAST_VIEWS, VIRAL_VIEWS_BY_ENGAGEMENT
    at_views = [0, 1, by, least - 1, *range(least, least + 2 * by + 1), 10 * least + by - 1, 10**12 + 1]
    posts = [(max(views // by + more, 0), views) for views in at_views for more in (-1, 0, 1, 2)]
    add_posts(dsn, (ENGAGING_COUNTERS[0], "views"), posts)
    engagements, views = np.array(posts, dtype=np.int64).T
    expected = are_viral(engagements, views).tolist()
    assert {*expected} == {True, False}
    assert [viral for (viral,) in query(dsn, "SELECT viral FROM post_kpis ORDER BY post_id::bigint")] == expected
