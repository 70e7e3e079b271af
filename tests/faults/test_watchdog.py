"""A worker that gets nowhere while records wait ends itself: a loop that hangs, a broker that is frozen."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.records import EngagementEvent
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.running_workers import running_workers
from tests.conftest import REPOSITORY
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.hanging_role import ARRIVED, FOLDED, HOLD, ROLE
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.until import until

LIMIT_S = 2
WITHIN_S = 90.0
TOPIC = "engagement.events"


@pytest.fixture(scope="module")
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


class HangingWorker:
    """A process that runs the role in a folder."""

    def __init__(self, broker: OwnBroker, folder: Path, limit_s: float) -> None:
        self._log = folder / "worker.log"
        command = [sys.executable, "-m", "tests.support.faults.hanging_role", str(folder)]
        environment = broker.environment() | {"THREADS_WATCHDOG_S": str(limit_s)}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log)

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    async def ended(self) -> int:
        await until(lambda: self.process.poll() is not None, WITHIN_S)
        return self.process.wait()


@contextmanager
def running(broker: OwnBroker, folder: Path, limit_s: float) -> Iterator[HangingWorker]:
    worker = HangingWorker(broker, folder, limit_s)
    try:
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait(timeout=30)


async def produced(broker: OwnBroker, name: str, count: int, size: int) -> set[str]:
    """Append events of so many bytes to one partition; return their ids."""
    now = datetime.now(UTC)
    events = [
        EngagementEvent(
            event_id=f"{name}-{number}",
            occurred_at=now,
            persona_id="watched",
            post_id=f"{number:0{size}}",
            kind="view",
            count=1,
        )
        for number in range(count)
    ]
    producer = EventProducer(broker.cluster, broker.cluster.open_registry())
    await producer.start()
    try:
        await producer.append_all([Output(TOPIC, event) for event in events])
    finally:
        await producer.stop()
    return {event.event_id for event in events}


def told(url: str) -> tuple[int, dict[str, Any]]:
    """Return what a page of health answers."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


async def test_a_loop_that_hangs_with_records_ends_the_worker_and_commits_nothing(
    broker: OwnBroker, tmp_path: Path
) -> None:
    (tmp_path / HOLD).touch()
    await produced(broker, "hang", 3, 10)
    with running(broker, tmp_path, LIMIT_S) as worker:
        assert await worker.ended() == 1, worker.said
    said = re.findall(r"CRITICAL .*", worker.said)
    assert len(said) == 1, worker.said
    assert re.search(rf"{ROLE}/hang makes no progress while records wait: it folds {TOPIC}/\d from offset 0", said[0])
    assert await ConsumerGroup(broker.cluster, ROLE).committed() == {}
    assert not (tmp_path / FOLDED).exists()


async def test_a_frozen_broker_ends_the_worker_that_has_a_backlog_and_the_next_one_reads_all_of_it(
    broker: OwnBroker, tmp_path: Path
) -> None:
    (tmp_path / HOLD).touch()
    ids = await produced(broker, "frozen", 60, 500_000)  # more than is fetched ahead
    with running(broker, tmp_path, LIMIT_S) as worker:
        await until((tmp_path / ARRIVED).exists, WITHIN_S)
        broker.signal(signal.SIGSTOP)
        try:
            (tmp_path / HOLD).unlink()
            assert await worker.ended() == 1, worker.said
        finally:
            broker.signal(signal.SIGCONT)
    assert f"{ROLE}/hang makes no progress while records wait" in worker.said
    assert len(re.findall(r"CRITICAL ", worker.said)) == 1
    with running(broker, tmp_path, 0) as worker:
        await ConsumerGroup(broker.cluster, ROLE).until_done((TOPIC,), lambda: worker.said, WITHIN_S)
        assert ids <= set((tmp_path / FOLDED).read_text().split())
        [found] = [each for each in running_workers(broker.settings.home) if each.process.pid == worker.process.pid]
        for page, word in (("/livez", "live"), ("/readyz", "ready")):
            status, body = await asyncio.to_thread(told, found.metrics_url.removesuffix("/metrics") + page)
            assert (status, body["status"], body["reasons"]) == (200, word, []), body
            assert [(each["stage"], each["state"]) for each in body["stages"]] == [("hang", "idle")]
        worker.process.terminate()
        assert await worker.ended() == 0
