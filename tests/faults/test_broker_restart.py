"""A broker killed and started again under load: the worker waits it out, and the KPIs are exact."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import WorkerProcess
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.engagement_load import load, produced
from tests.support.faults.fault_report import BeginFault
from tests.support.faults.own_broker import OwnBroker, own_broker


@pytest.fixture
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


@pytest.mark.timeout(300)
async def test_a_broker_that_dies_and_comes_back_costs_no_event_and_no_worker(
    broker: OwnBroker, tmp_path: Path, seed: int, begin_fault: BeginFault
) -> None:
    run = begin_fault("kill -9 of the only broker, started again")
    load_ = load(seed, 30_000)
    moments = sorted(random.Random(seed).sample(range(len(load_.events)), 2))
    worker = WorkerProcess(broker, ("kpis",), "0", tmp_path / "worker.log")
    try:
        await ConsumerGroup(broker.cluster, "kpis").until_members(1, worker.log)
        async for sent in produced(broker, load_):
            while moments and moments[0] < sent:
                moments.pop(0)
                broker.kill()
                run.inflict("kill -9 of the broker")
                broker.start()
        left = await run.settle(broker, load_)
        assert worker.process.poll() is None, worker.log()[-5_000:]
        assert left == 0, worker.log()[-5_000:]
    finally:
        worker.stop()
