"""A persona is erased from every store and state, through kill -9; nothing of the log brings it back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from agents.privacy.erasure import holdings_of, places_without
from agents.privacy.export import export_persona
from schemas.records import EngagementEvent
from sinks.qdrant.role import vector_store
from streams.engine.stage import Output
from streams.errors import ThreadsError, Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.consumer_lag import LagReader
from streams.kafka.producer import EventProducer
from streams.letters.reading import read_letters
from streams.operations.runs import read_runs
from streams.settings import current_settings
from tests.conftest import Stack
from tests.faults.conftest import WorkerProcess
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.persona_life import EVENTS, life
from tests.support.postgres_tables import own_database, query

ROLES = ("kpis", "spend", "publishing", "sink-postgres", "sink-qdrant", "sink-prometheus")
OTHERS = """
SELECT md5(string_agg(row, ',' ORDER BY row)) FROM (
    SELECT e::text AS row FROM engagement AS e WHERE persona_id = 'other'
    UNION ALL SELECT d::text FROM drafts AS d WHERE persona_id = 'other'
    UNION ALL SELECT d::text FROM day_totals AS d WHERE persona_id = 'other'
    UNION ALL SELECT p::text FROM post_totals AS p WHERE persona_id = 'other'
    UNION ALL SELECT r::text FROM revenue AS r WHERE persona_id = 'other'
    UNION ALL SELECT c::text FROM costs AS c WHERE persona_id = 'other'
) AS rows"""
LIFETIME = "SELECT views FROM kpi_current WHERE window_name = 'lifetime' AND persona_id = '{}'"


class House:
    """A broker, a database and a worker of the test's own."""

    def __init__(self, broker: OwnBroker, dsn: str, folder: Path) -> None:
        self.cluster = broker.cluster
        self.dsn = dsn
        self._environment = {"THREADS_POSTGRES_DSN": dsn, "THREADS_SESSION_TIMEOUT_S": "6"}
        self.environment = {**broker.environment(), **self._environment}
        self.worker = WorkerProcess(broker, ROLES, "erasure", folder / "worker.log", **self._environment)

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "streams.cli.main", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def told(self, *arguments: str, fails: bool = False) -> str:
        """Run a command to its end, which may be to fail, and return what it prints."""
        process = self.command(*arguments)
        out, err = process.communicate(timeout=120)
        assert fails or process.returncode == 0, err
        return out

    async def read_all_again(self) -> None:
        """Have the sink begin at the beginning of the log."""
        self.worker.stop()
        async with asyncio.timeout(120):  # until the session of the stopped member has ended
            while "is set" not in self.told(
                "groups", "reset", "sink-postgres", "--to", "beginning", "--yes", fails=True
            ):
                await asyncio.sleep(0.5)
        self.worker.start()
        await self.settle()

    async def produce(self, *outputs: Output) -> None:
        async with EventProducer(self.cluster, self.cluster.open_registry()) as producer:
            await producer.append_all(outputs)

    async def settle(self) -> None:
        """Wait until every role has done all there is."""
        async with asyncio.timeout(120):
            while not await self._is_settled():
                await asyncio.sleep(0.3)

    async def _is_settled(self) -> bool:
        try:
            async with LagReader(self.cluster) as reader:
                lags = await reader.lags(ROLES)
        except Unavailable:  # a group's coordinator is not there yet
            return False
        has_committed = {each.group for each in lags if each.has_committed}
        return has_committed == set(ROLES) and not sum(each.records for each in lags)

    async def until(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        async with asyncio.timeout(60):
            while (found := query(self.dsn, statement)) != rows:
                assert self.worker.process.poll() is None, self.worker.log()[-2_000:]
                await asyncio.sleep(0.2)
        assert found == rows

    async def holdings(self, persona_id: str) -> dict[str, int]:
        current_settings.cache_clear()
        found = await holdings_of(self.cluster, persona_id, places_without(()))
        return {f"{each.place}: {each.what}": each.count for each in found if each.count}


@pytest.fixture
def house(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with own_broker() as broker, own_database(stack.postgres_dsn) as dsn:
        made = House(broker, dsn, tmp_path)
        for name in ("THREADS_POSTGRES_DSN", "THREADS_KAFKA", "THREADS_HOME"):
            monkeypatch.setenv(name, made.environment[name])
        current_settings.cache_clear()
        made.cluster = Cluster(broker.bootstrap, current_settings())
        try:
            yield made
        finally:
            made.worker.stop()


@pytest.mark.timeout(500)
async def test_an_erased_persona_is_gone_from_everywhere_and_nothing_brings_it_back(
    house: House, tmp_path: Path
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    await house.produce(*life("gone", now), *life("other", now))
    async with EventProducer(house.cluster, house.cluster.open_registry()) as producer:
        await producer.send_raw("engagement.events", b"gone", b"no event")  # becomes a dead letter with its bytes
    await house.settle()
    await house.until(LIFETIME.format("other"), [(EVENTS,)])
    await house.until("SELECT count(*) FROM dead_letters WHERE record_key = 'gone'", [(2,)])  # of two readers
    others, dry = query(house.dsn, OTHERS), json.loads(house.told("persona", "erase", "gone", "--json"))
    before = {(each["place"], each["what"]): each["count"] for each in dry["places"] if each["count"]}
    assert not dry["done"]
    assert before.keys() >= {
        ("state of kpis", "entries of merge"),
        ("state of publishing", "entries of publish"),  # the draft's post, which is not out yet
        ("qdrant", "points"),
        ("kafka", "days in spend.totals"),
    }
    assert before["postgres", "engagement"] == EVENTS

    await _exported_whole(house, tmp_path / "export", now)
    broken_off = house.command("persona", "erase", "gone", "--yes", "--by", "test")
    assert broken_off.stderr is not None
    while "waiting" not in broken_off.stderr.readline():
        assert broken_off.poll() is None
    broken_off.kill()
    broken_off.communicate(timeout=30)

    told = json.loads(house.told("persona", "erase", "gone", "--yes", "--json"))
    assert told["done"]
    kept = {each["topic"]: each["records"] for each in told["log"]}
    assert kept["engagement.events"] == EVENTS + 1
    assert kept["dead.letters"] == 2

    assert await house.holdings("gone") == {}
    assert query(house.dsn, OTHERS) == others
    registry = house.cluster.open_registry()
    assert [letter async for letter in read_letters(house.cluster, registry) if letter.key == b"gone"] == []
    assert await vector_store(house.cluster.settings).count_of("other") == 1
    run = next(each for each in (await read_runs(house.cluster)).values() if each.operation == "persona_erasure")
    assert (run.status, run.requested_by) == ("done", "test")

    await house.read_all_again()
    assert await house.holdings("gone") == {}
    assert query(house.dsn, OTHERS) == others

    resets = [each for each in (await read_runs(house.cluster)).values() if each.operation == "offset_reset"]
    assert {each.target for each in resets} == {"offsets of sink-postgres"}
    moved = next(each for run in resets for each in run.positions if each.topic == "engagement.events" and each.end)
    assert (moved.start, moved.next) == (moved.end, 0)

    again = [
        EngagementEvent(event_id=f"new {number}", occurred_at=now, persona_id="gone", kind="view")
        for number in range(3)
    ]
    await house.produce(*(Output("engagement.events", each) for each in again))
    await house.until(LIFETIME.format("gone"), [(3,)])
    assert query(house.dsn, LIFETIME.format("other")) == [(EVENTS,)]


async def _exported_whole(house: House, folder: Path, now: datetime) -> None:
    """Export a persona, and compare it with what it was made of."""
    await export_persona(house.cluster, "gone", folder, "test")
    manifest = json.loads((folder / "manifest.json").read_text())
    for each in manifest["files"]:
        content = (folder / each["name"]).read_bytes()
        assert (sha256(content).hexdigest(), content.count(b"\n")) == (each["sha256"], each["records"])
    told = {each["topic"]: each["records"] for each in manifest["files"]}
    made = Counter(output.topic for output in life("gone", now))
    made["engagement.events"] += 1  # the one that can't be decoded is there as it came
    made["posts.states"] = told["posts.states"]  # the publisher is at work on the draft
    assert {name: told[name] for name in made} == made
    assert told.keys() - made.keys() == {"posts.commands", "kpi.updates", "spend.totals", "dead.letters"}
    views = [json.loads(line) for line in (folder / "engagement.events.jsonl").read_text().splitlines()]
    assert sum(each["record"]["count"] for each in views if "record" in each) == EVENTS
    assert [each["undecoded"] for each in views if "undecoded" in each] == [b64encode(b"no event").decode()]
    with pytest.raises(ThreadsError, match="is there already"):
        await export_persona(house.cluster, "gone", folder)
    with pytest.raises(ThreadsError, match="nothing of a persona 'nobody'"):
        await export_persona(house.cluster, "nobody", folder.with_name("none"))
    assert sorted(path.name for path in folder.parent.glob("*export*")) == ["export"]
