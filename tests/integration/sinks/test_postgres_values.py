"""Values in PostgreSQL: they arrive as they were sent, or are refused with what it can't hold."""

from __future__ import annotations

from dataclasses import replace

from schemas.records import PersonaRequest
from sinks.postgres.sink import PostgresSink
from tests.support.postgres_tables import query, write
from tests.support.sink_batches import NOON, NOON_MS, QUALITY, engagement, rows, scored
from tests.support.sink_batches_of_all import every_kind_of_batch
from tests.support.stage_driver import DrivenStage


async def test_values_arrive_as_they_were_sent(dsn: str) -> None:
    await write(dsn, every_kind_of_batch())
    assert query(dsn, "SELECT text, simulated, occurred_at FROM posts") == [('Ünï\r\n,"x" \\.', True, NOON)]
    assert query(dsn, 'SELECT event_id, request_id, cost_dollars::text FROM costs ORDER BY event_id COLLATE "C"') == [
        ("\\.", "", None),
        ("cost-1", "request-1", "0.00123400000000000000"),
        ("cost-2", None, "5.0000010000000000"),
    ]
    letter = query(dsn, "SELECT record_key, record_value, reason, headers FROM dead_letters")
    assert letter == [
        (b"\x00key", None, "got \ufffd\x01", [{"name": "trace", "value": "/w=="}, {"name": "empty", "value": None}])
    ]
    assert query(dsn, "SELECT version, definition FROM personas") == [("v2", '{"voice": "dry"}')]


async def test_records_that_postgres_cannot_hold_are_refused_and_their_neighbours_written(dsn: str) -> None:
    sink = DrivenStage(PostgresSink(dsn, 20))
    await sink.open()
    ids = ["good", "nul\x00", "x" * 1001, "late", "also good"]
    times = [NOON_MS, NOON_MS, NOON_MS, 300_000_000_000_000, NOON_MS]
    refused = list(await sink.add(engagement(0, ids, first_offset=10, occurred_at=times)))
    request = PersonaRequest(event_id="r", occurred_at=NOON, persona_id="nova", brief="good")
    nul = replace(request, event_id="n", brief="a\x00b")
    nan = replace(scored(1), quality=replace(QUALITY, score=float("nan")))
    refused += await sink.add(rows("persona.requests", 0, [request, nul]))
    refused += await sink.add(rows("drafts.scored", 0, [nan, scored(2)]))
    await sink.flush()
    await sink.close()
    assert sorted((rejection.offset, str(rejection.fault).split(":")[1].split(";")[0]) for rejection in refused) == [
        (0, " quality.score is nan, not a finite number"),
        (1, " brief holds a NUL character"),
        (11, " event_id holds a NUL character"),
        (12, " event_id is longer than 1000 bytes"),
        (13, " occurred_at is outside the years 1 to 9999"),
    ]
    assert query(dsn, "SELECT event_id FROM engagement ORDER BY 1") == [("also good",), ("good",)]
    assert query(dsn, "SELECT count(*) FROM requests") == query(dsn, "SELECT count(*) FROM drafts") == [(1,)]
