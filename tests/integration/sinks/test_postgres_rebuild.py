"""`rebuild postgres` on the real servers: rebuilt tables equal the live ones row by row, and take their place whole."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
from click.testing import CliRunner, Result

import sinks.postgres.rebuilding.rebuild as rebuild_module
from sinks.postgres.rebuilding.commands import postgres
from sinks.postgres.rebuilding.tables import COMPARED
from sinks.postgres.sink import PostgresSink
from streams.engine.batch import Batch, RowBatch, Slice, TopicPartition
from streams.engine.decoding import Decoder
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import read_range
from streams.operations.runs import read_runs
from streams.settings import current_settings
from tests.support.batch_records import outputs_of, produce
from tests.support.postgres_tables import SINK_TIMEOUT_S, load, query
from tests.support.sink_batches import engagement, rows
from tests.support.sink_batches_of_all import every_kind_of_batch
from tests.support.stage_driver import DrivenStage

LOST_OFFSET = 2**40  # of records that no log has


class Servers(Protocol):
    """The part of the session's stack that is used here."""

    bootstrap: str
    cluster: Cluster

    def environment(self) -> dict[str, str]: ...


@pytest.fixture(scope="module")
def logged(stack: Servers) -> list[Batch]:
    """Records of every topic in the log; return all that the sink takes of the log, decoded."""
    return asyncio.run(_logged(stack.cluster))


async def _logged(cluster: Cluster) -> list[Batch]:
    await produce(cluster, [output for batch in every_kind_of_batch() for output in outputs_of(batch)])
    decoder, batches = Decoder(cluster.open_registry(), cluster.settings), []
    for topic in PostgresSink.topics:
        async for source, records in read_range(cluster, topic):
            batch = decoder.decode(Slice(source, records, None, 0)).batch
            if batch is not None:
                batches.append(batch)
    return batches


@pytest.fixture
def live(
    stack: Servers, dsn: str, logged: list[Batch], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[str]:
    """A database that has the log's rows, written in another order and grouping than a rebuild writes them."""
    environment = {"THREADS_HOME": str(tmp_path), "THREADS_POSTGRES_DSN": dsn, "THREADS_KAFKA": stack.bootstrap}
    for variable, value in (stack.environment() | environment).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(rebuild_module, "SETTLING_S", (0.0, 0.0))  # no sink works here
    current_settings.cache_clear()
    asyncio.run(_written(dsn, random.Random(1).sample(logged, len(logged))))
    yield dsn
    current_settings.cache_clear()


async def _written(dsn: str, batches: list[Batch]) -> None:
    sink = DrivenStage(PostgresSink(dsn, SINK_TIMEOUT_S))
    await sink.open()
    try:
        for batch in batches:
            await sink.add(batch)
            await sink.flush()
    finally:
        await sink.close()


def rebuild(*arguments: str) -> Result:
    return CliRunner().invoke(postgres, arguments, catch_exceptions=False)


def checksums(dsn: str, schema: str = "public") -> dict[str, Any]:
    """Return count and MD5 of the rows of every table, made apart from what is tested; rebuilds' own runs left out."""
    found = {}
    for table in COMPARED:
        which = " WHERE operation <> 'rebuild'" if table.name == "operation_runs" else ""
        sums = "SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text))"
        found[table.name] = query(dsn, f"{sums} FROM {schema}.{table.name} AS t{which}")[0]
    return found


def execute(dsn: str, *wanted: str) -> None:
    with psycopg.connect(dsn) as connection:
        for statement in wanted:
            connection.execute(statement.encode())


def schemas(dsn: str) -> list[str]:
    found = query(dsn, "SELECT nspname FROM pg_namespace WHERE nspname ~ '_[0-9]+$' AND nspname !~ '^pg_' ORDER BY 1")
    return [name for (name,) in found]


def test_rebuilt_tables_equal_the_live_ones_row_by_row_and_take_their_place(stack: Servers, live: str) -> None:
    before = checksums(live)
    assert all(count > 0 for count, _ in before.values()), before
    execute(live, "GRANT SELECT ON costs TO PUBLIC", "CREATE INDEX mine ON costs (latency_ms)")
    built = rebuild("--json")
    assert built.exit_code == 0, built.output
    found = json.loads(built.stdout)
    assert found["differences"] == [], found["differences"]
    assert checksums(live) == before == checksums(live, "rebuild_1")
    switched = rebuild("--switch", "--by", "ada")
    assert switched.exit_code == 0, switched.output
    assert "going on with rebuild_1" in switched.stderr
    assert schemas(live) == ["before_1"]
    assert checksums(live) == before == checksums(live, "before_1")
    assert query(live, "SELECT count(*) FROM kpi_current") == query(live, "SELECT count(*) FROM before_1.kpi_current")
    assert query(live, "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname = 'mine'")
    assert query(live, "SELECT relacl::text LIKE '%=r/%' FROM pg_class WHERE oid = 'public.costs'::regclass") == [
        (True,)
    ]
    asyncio.run(_written(live, every_kind_of_batch()))  # the sink goes on with the new tables
    runs = [run for run in asyncio.run(read_runs(stack.cluster)).values() if run.operation == "rebuild"]
    assert [(run.target, run.status) for run in runs[-2:]] == [("postgres", "done")] * 2
    assert runs[-1].requested_by == "ada"
    assert json.loads(runs[-1].detail or "")["old_version"] == "before_1"
    assert runs[-2].read > 100
    assert rebuild("--drop", "before_1", "--yes").exit_code == 0
    assert schemas(live) == []


def test_what_differs_is_listed_and_the_log_is_right(live: str) -> None:
    before = checksums(live)
    execute(
        live,
        "UPDATE engagement SET count = count + 1 WHERE event_id = 'event-7'",
        "DELETE FROM costs WHERE event_id = 'cost-1'",
        "INSERT INTO requests SELECT 'nobody', persona_id, brief, language, draft_count, causation_id, occurred_at,"
        " source_partition, source_offset FROM requests WHERE event_id = 'request-1'",
    )
    result = rebuild("--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    kinds = {name: each["differing"] for name, each in found["tables"].items() if each["differing"]}
    kinds.pop("operation_runs", None)  # rebuilds of other tests are told in the log, and not in this database
    assert kinds == {"engagement": {"different": 1}, "costs": {"rebuilt": 1}, "requests": {"live": 1}}
    [changed] = [each for each in found["differences"] if each["table"] == "engagement"]
    assert changed["key"] == ["event-7"]
    assert list(changed["columns"]) == ["count"]
    refused = rebuild("--switch")
    assert refused.exit_code == 1
    assert "not switched: rebuild_1 lacks rows that only the live version has: 1 of requests" in refused.stderr
    assert "--leave-behind" in refused.stderr
    assert "nobody" in refused.stdout
    assert schemas(live) == ["rebuild_1"]
    assert rebuild("--switch", "--leave-behind").exit_code == 0
    assert checksums(live) == before
    assert query(live, "SELECT count(*) FROM before_1.requests WHERE event_id = 'nobody'") == [(1,)]


def test_rows_whose_records_the_log_has_lost_are_told_as_such_and_carried_over(live: str) -> None:
    ids = [f"lost-{number}" for number in range(30)]
    lost: list[Batch] = [
        engagement(0, ids, first_offset=LOST_OFFSET, persona_id="lost-persona"),
        engagement(-1, ["event-7"], count=[99]),  # an earlier record than the one that the log still has
        rows("persona.requests", 0, [every_request(each) for each in ids[:3]], first_offset=LOST_OFFSET),
    ]
    load(live, *lost)
    before = checksums(live)
    refused = rebuild("--switch")
    assert refused.exit_code == 1
    assert "engagement: 31 rows: live has it of a record that is no longer in the log" in refused.stdout
    assert "`--carry` takes them over" in refused.stderr
    carried = rebuild("--switch", "--carry", "--json")
    assert carried.exit_code == 0, carried.output
    assert json.loads(carried.stdout)["carried"] == {"requests": 3, "engagement": 31}
    assert checksums(live) == before


def every_request(event_id: str) -> Any:
    [batch] = [each for each in every_kind_of_batch() if each.source == TopicPartition("persona.requests", 0)]
    assert isinstance(batch, RowBatch)
    return replace(batch.rows[0].record, event_id=event_id)


def out_of_room(*_: Any) -> Any:
    raise psycopg.errors.DiskFull("could not extend file: No space left on device")


def terminated(*_: Any) -> Any:
    """End all sessions of the database, as a server does that goes down."""
    dsn = current_settings().postgres_dsn
    assert dsn is not None
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
    query(dsn.get_secret_value(), f"{ended} AND pid <> pg_backend_pid()")
    raise psycopg.errors.AdminShutdown("terminating connection due to administrator command")


@pytest.mark.parametrize(
    ("step", "fault", "message"),
    [
        (
            "sinks.postgres.rebuilding.switching.add_changed",
            terminated,
            r"^could not put the rebuilt tables in place: ",
        ),
        ("sinks.postgres.rebuilding.switching.Switch._swap", out_of_room, r"No space left on device; see that"),
    ],
)
def test_a_database_that_fails_half_way_is_one_line_and_the_next_run_goes_on(
    live: str, monkeypatch: pytest.MonkeyPatch, step: str, fault: Any, message: str
) -> None:
    before = checksums(live)
    with monkeypatch.context() as patched:
        patched.setattr(step, fault)
        with pytest.raises(Unavailable, match=message) as raised:
            rebuild("--switch")
    assert len(str(raised.value).splitlines()) == 1
    assert schemas(live) == ["rebuild_1"]
    assert checksums(live) == before
    result = rebuild("--switch")
    assert result.exit_code == 0, result.output
    assert "going on with rebuild_1" in result.stderr
    assert schemas(live) == ["before_1"]
    assert checksums(live) == before


def test_what_stands_in_the_way_is_one_line_and_changes_nothing(live: str) -> None:
    execute(live, "CREATE VIEW mine AS SELECT persona_id FROM costs")
    in_the_way = pytest.raises(Exception, match=r"^mine of yours stand on the live tables")
    with in_the_way:
        rebuild("--switch")
    before = checksums(live)
    with psycopg.connect(live) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtext('threads-agent-stack rebuild'))")
        with pytest.raises(Exception, match="another rebuild of this database is under way"):
            rebuild()
    assert rebuild("--dry-run").exit_code == 0
    assert "rebuild_1" in rebuild("--list").stdout
    with pytest.raises(Exception, match=r"there is no version 7 to choose; there are: rebuild_1"):
        rebuild("--drop", "7")
    assert checksums(live) == before
