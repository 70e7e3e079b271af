"""Every kind of source on the real broker: the same rows count once, whichever of them they come from."""

from __future__ import annotations

import asyncio
import csv
import os
import subprocess
import sys
from pathlib import Path

import fastavro
import polars as pl
import psycopg
import pytest

from agents.importing.cells.visible_text import ImportFault
from agents.importing.presets import mapping_of
from agents.importing.run import import_session
from agents.importing.sources.opening import Origin, SourceForm, SqlSaid, source_of
from streams.operations.runs import read_runs
from tests.conftest import Stack
from tests.integration.agents.importing.test_run import engagement

DEADLINE_S = 120.0
MAPS = ["post_id=id", "occurred_at=at", "views=seen", "likes=liked"]
ROWS = [
    (f"p{number % 20}", 1_790_000_000 + number // 4, number % 7, 1) for number in range(100)
]  # some share their time
QUERY = """
SELECT 'p' || number % 20 AS id, to_timestamp(1790000000 + number / 4) AS at, number % 7 AS seen, 1::bigint AS liked
FROM generate_series(0, 99) AS number ORDER BY number
"""


def frame() -> pl.DataFrame:
    table = pl.DataFrame(ROWS, schema=["id", "at", "seen", "liked"], orient="row")
    return table.with_columns(pl.from_epoch("at").dt.replace_time_zone("UTC"))


def written(folder: Path) -> dict[str, Path]:
    paths = {kind: folder / f"export.{kind}" for kind in ("csv", "jsonl", "parquet", "avro")}
    with paths["csv"].open("w", newline="") as file:
        csv.writer(file).writerows([["id", "at", "seen", "liked"], *ROWS])
    texts = frame().with_columns(pl.col("at").dt.to_string("iso:strict"))
    texts.write_ndjson(paths["jsonl"])
    frame().write_parquet(paths["parquet"], row_group_size=30)
    fields = [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    ]
    fields += [{"name": name, "type": ["null", "long"]} for name in ("seen", "liked")]
    with paths["avro"].open("wb") as file:
        fastavro.writer(file, {"type": "record", "name": "Row", "fields": fields}, frame().to_dicts(), sync_interval=99)
    return paths


async def test_the_same_rows_count_once_whichever_kind_of_source_they_come_from(stack: Stack, tmp_path: Path) -> None:
    paths = written(tmp_path)
    origins: list[Origin] = [
        paths["parquet"],
        paths["csv"],
        paths["jsonl"],
        paths["avro"],
        SqlSaid(QUERY, stack.postgres_dsn, 20.0),
    ]
    sent = {}
    async with import_session(stack.settings) as session:
        for origin in origins:
            source = source_of(origin, SourceForm())
            time_format = "epoch" if source.name.endswith(".csv") else "iso8601"
            mapping = mapping_of(preset=None, maps=MAPS, persona_id="kinds", time_format=time_format)
            report = await session.import_source(source, mapping, on_rows=lambda *_: None)
            sent[source.name] = (report.rows_sent, report.bad_rows, report.records_sent)
            source.close()
    first, *others = sent.values()
    assert first == (100, 0, 100 + sum(1 for row in ROWS if row[2]))
    assert others == [(100, 0, 0)] * 4
    assert len(await engagement(stack, "import:export.parquet")) == first[2]


async def test_a_query_and_files_are_one_run_in_which_a_bad_file_stops_nobody(stack: Stack, tmp_path: Path) -> None:
    paths = written(tmp_path)
    bad = tmp_path / "cut.parquet"
    bad.write_bytes(paths["parquet"].read_bytes()[:500])
    faulty = tmp_path / "faulty.jsonl"
    faulty.write_text('{"id": "q1", "at": "2026-03-01T10:00:00Z", "seen": 3, "liked": 0}\n{"id": "q2", "at": "soon"}\n')
    maps = [word for each in MAPS for word in ("--map", each)]
    arguments = ["--persona", "mixed", "--sql", QUERY, "--dsn", stack.postgres_dsn, "--rejects", str(tmp_path / "bad")]
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "streams.cli.main", "import", "engagement", str(bad), str(faulty), *maps, *arguments],
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "cut.parquet: not readable as Parquet" in done.stdout
    assert "3 files: 2 imported, 0 already imported, 1 refused; 101 rows" in done.stdout
    assert "occurred_at 'soon'" in (tmp_path / "bad" / "faulty.jsonl.rejects.csv").read_text()
    (run,) = [run for run in (await read_runs(stack.cluster)).values() if "cut.parquet" in run.selection]
    assert (run.operation, run.status, run.read, run.refused) == ("import", "done", 102, 1)
    assert run.selection.startswith("cut.parquet faulty.jsonl sql:")
    assert stack.postgres_dsn not in run.selection


@pytest.mark.parametrize(
    ("query", "password", "expected"),
    [
        ("SELECT nothing FROM nowhere", None, "nowhere"),
        ("SELECT pg_sleep(9)", None, "statement timeout"),
        ("DELETE FROM personas", None, "syntax error"),
        ("SELECT 1", "s3cret", "password authentication failed"),
    ],
)
def test_a_query_that_fails_tells_nothing_of_the_dsn(
    stack: Stack, query: str, password: str | None, expected: str
) -> None:
    dsn = psycopg.conninfo.make_conninfo(stack.postgres_dsn, **({"password": password} if password else {}))
    source = source_of(SqlSaid(query, dsn, 1.0))
    with pytest.raises(ImportFault, match=expected) as caught, source.open() as table:
        list(table.rows)
    told = [str(caught.value), repr(source), source.described, source.name]
    assert not any("s3cret" in text or dsn in text or stack.postgres_dsn in text for text in told)
