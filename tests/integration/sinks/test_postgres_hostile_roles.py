"""Roles of any settings, and a pooler in transaction mode: PostgreSQL holds and tells the same as for a plain role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from agents.caching.postgres_cache import PostgresCache
from agents.generation.past_posts import BestPosts
from sinks.postgres.connection import connect
from sinks.postgres.migrations import migrations
from sinks.reports.commands import costs, drafts, kpis
from streams.embedded.ports import free_port
from streams.embedded.preconditions import require_configured_servers
from streams.engine.batch import ColumnBatch
from streams.postgres_session import SETTINGS, begin
from streams.settings import Settings, current_settings
from streams.wall_clock import now_ms
from tests.conftest import CACHE, Stack
from tests.support.hostile_roles import NAME, PASSWORD, VARIANTS, hostile_database, hostile_settings
from tests.support.llm_questions import question, reply
from tests.support.postgres_tables import SINK_TIMEOUT_S, load, query, write
from tests.support.printed_commands import parsed, printed
from tests.support.sink_batches import columns, engagement
from tests.support.sink_batches_of_all import every_kind_of_batch
from tests.support.transaction_pooler import TransactionPooler, find_pgbouncer

Route = Callable[[str], str]
REPORTS = (
    (kpis, ()),
    (kpis, ("posts",)),
    (kpis, ("daily", "--since", "2026-03-01")),
    (costs, ()),
    (costs, ("--saved",)),
    (drafts, ()),
    (drafts, ("report", "--since", "2026-02-01")),
    (drafts, ("trace", "request-1")),
)
ODD_TEXTS = ['nul \x00, quote ", back\\slash', "emoji 🥖, Zürich, Київ", "東京\r\n"]


@pytest.fixture(scope="module")
def pooler(stack: Stack) -> TransactionPooler:
    program = find_pgbouncer(CACHE)
    if program is None:
        pytest.skip("no pgbouncer on PATH, nor fetched by run_tests.sh")
    pooler = TransactionPooler(program, stack.home / "pgbouncer", stack.postgres_dsn, free_port(), {NAME: PASSWORD})
    stack.start(pooler)
    return pooler


@pytest.fixture(params=["directly", "through a pooler"])
def route(request: pytest.FixtureRequest) -> Route:
    """Turn the DSN of a database into the one to use."""
    if request.param == "directly":
        return lambda dsn: dsn
    pooler: TransactionPooler = request.getfixturevalue("pooler")
    return pooler.through


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Make a DSN this process's setting."""

    def _use(dsn: str) -> None:
        monkeypatch.setenv("THREADS_POSTGRES_DSN", dsn)
        current_settings.cache_clear()

    yield _use
    current_settings.cache_clear()


def loaded() -> list[ColumnBatch]:
    """Return engagement of two posts, told twice in another order, so that rows are replaced and sums taken back."""
    ids = [f"of-post-{number}" for number in range(40)]
    return [
        engagement(0, ids, first_offset=900, post_id="p1"),
        engagement(0, ids[::2], first_offset=500, post_id="p2", kind="like"),
    ]


def contents(dsn: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table that the sink makes."""
    tables = [name for (name,) in query(dsn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]
    tables.remove("schema_migrations")
    return {name: sorted(query(dsn, f"SELECT * FROM {name}"), key=repr) for name in tables}


def told() -> list[object]:
    """Return what every report says, to programs and to people."""
    said: list[object] = [parsed(command, *arguments) for command, arguments in REPORTS]
    return said + [printed(command, *arguments) for command, arguments in REPORTS]


@pytest.mark.parametrize("variant", range(VARIANTS))
def test_rows_and_reports_are_the_same_whatever_the_settings_of_the_role(
    stack: Stack, dsn: str, route: Route, use: Callable[[str], None], variant: int
) -> None:
    batches = [*every_kind_of_batch(), *loaded()]
    load(dsn, *batches)
    use(dsn)
    expected, expected_rows = told(), contents(dsn)
    assert len(expected_rows["engagement"]) == 90
    hostile = hostile_settings(stack.postgres_dsn, variant)
    assert len(hostile) > 60
    with hostile_database(stack.postgres_dsn, hostile) as of_role:
        use(route(of_role))
        load(route(of_role), *batches)
        assert told() == expected
        as_plain = psycopg.conninfo.make_conninfo(
            stack.postgres_dsn, dbname=psycopg.conninfo.conninfo_to_dict(of_role)["dbname"]
        )
        assert contents(as_plain) == expected_rows
        assert query(as_plain, "SELECT count(*) FROM schema_migrations") == [(len(migrations()),)]


@pytest.mark.parametrize("variant", range(VARIANTS))
async def test_answers_are_kept_and_found_whatever_the_settings_of_the_role(
    stack: Stack, route: Route, variant: int
) -> None:
    with hostile_database(stack.postgres_dsn, hostile_settings(stack.postgres_dsn, variant)) as of_role:
        for _ in range(2):  # the second connection finds the tables made
            cache = PostgresCache(route(of_role), 100_000, 60.0)
            for number, text in enumerate(ODD_TEXTS * 3):  # more often than psycopg would prepare a statement
                asked = question(variation=str(number))
                await cache.put(asked, reply(text))
                assert await cache.get(asked) == reply(text)
            await cache.sweep()
            await cache.close()


@pytest.mark.parametrize("variant", range(VARIANTS))
async def test_the_best_posts_are_found_whatever_the_settings_of_the_role(
    stack: Stack, route: Route, variant: int
) -> None:
    with hostile_database(stack.postgres_dsn, hostile_settings(stack.postgres_dsn, variant)) as of_role:
        await write(route(of_role), recent_posts())
        for _ in range(2):
            posts = BestPosts(route(of_role))
            assert await posts.of("nova") == ("Київ \\ Zürich", "東京")
            await posts.close()


def recent_posts() -> list[ColumnBatch]:
    """Return two posts of this hour that many saw, the second less liked."""
    texts = {"p1": "Київ \\ Zürich", "p2": "東京"}
    now = [now_ms()] * 2
    common = {"post_id": ["p1", "p2"], "occurred_at": now, "source": "test", "simulated": False}
    return [
        columns(
            "posts.published", {"event_id": ["of p1", "of p2"], "draft_id": "", "text": [*texts.values()], **common}
        ),
        engagement(0, ["seen p1", "seen p2"], post_id=["p1", "p2"], count=[200, 200], occurred_at=now),
        engagement(0, ["liked p1", "liked p2"], post_id=["p1", "p2"], kind="like", count=[40, 30], occurred_at=now),
    ]


def test_a_session_that_a_pooler_kept_from_before_a_migration_is_no_obstacle(
    stack: Stack, dsn: str, pooler: TransactionPooler
) -> None:
    through = pooler.through(dsn)
    with psycopg.connect(through) as one, psycopg.connect(through) as other:  # every session that the pooler has
        for connection in (one, other):
            connection.execute("CREATE TEMPORARY TABLE staged_drafts (draft_id text) ON COMMIT DELETE ROWS")
    load(through, *every_kind_of_batch())
    assert query(dsn, "SELECT count(*) FROM drafts") == [(5,)]


async def test_what_a_transaction_sets_ends_with_it(dsn: str) -> None:
    connection = await connect(dsn, SINK_TIMEOUT_S)
    before = await shown(connection)
    await connection.execute(begin(7.0))
    within = await shown(connection)
    await connection.execute("ROLLBACK")
    assert within | SETTINGS == within
    assert await shown(connection) == before != within
    await connection.close()


async def shown(connection: psycopg.AsyncConnection) -> dict[str, str]:
    cursor = await connection.execute("SELECT name, current_setting(name) FROM pg_settings WHERE context <> 'internal'")
    return dict(await cursor.fetchall())


@pytest.mark.parametrize("variant", range(VARIANTS))
def test_a_server_of_the_settings_is_found_reachable(stack: Stack, route: Route, variant: int) -> None:
    with hostile_database(stack.postgres_dsn, hostile_settings(stack.postgres_dsn, variant)) as of_role:
        require_configured_servers(Settings(postgres_dsn=SecretStr(route(of_role))))
