"""Three brokers, replication 3, two in sync: the leader of a partition is killed under load, and nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import WorkerProcess
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.engagement_load import load, produced_during
from tests.support.faults.fault_report import BeginFault, FaultRun
from tests.support.faults.own_cluster import OwnCluster, own_cluster

TOPIC = "engagement.events"
LEADERS_KILLED = 2


@pytest.fixture
def brokers() -> Iterator[OwnCluster]:
    with own_cluster() as made:
        yield made


async def kill_leaders(brokers: OwnCluster, random_: random.Random, run: FaultRun) -> None:
    """Kill the leader of some partition, let another take over, start it again, and once more."""
    for partition in random_.sample(range(4), LEADERS_KILLED):
        await brokers.until_in_sync(TOPIC)
        leader = await brokers.leader(TOPIC, partition)
        brokers.kill(leader)
        run.inflict("kill -9 of a leader")
        await brokers.until_led_by_another(TOPIC, partition, leader)
        await brokers.start(leader)
    await brokers.until_in_sync(TOPIC)


@pytest.mark.timeout(600)
async def test_a_leader_that_is_killed_under_load_costs_no_event_and_no_worker(
    brokers: OwnCluster, tmp_path: Path, seed: int, begin_fault: BeginFault
) -> None:
    run = begin_fault("three brokers, the leader killed")
    load_ = load(seed, 60_000)
    worker = WorkerProcess(brokers, ("kpis",), "0", tmp_path / "worker.log")
    try:
        group = ConsumerGroup(brokers.cluster, "kpis")
        await group.until_members(1, worker.log, deadline_s=120.0)
        await produced_during(brokers, load_, kill_leaders(brokers, random.Random(seed), run))
        left = await run.settle(brokers, load_)
        assert worker.process.poll() is None, worker.log()[-5_000:]
        assert left == 0, worker.log()[-5_000:]
        assert await group.ends("dead.letters") == {}
    finally:
        worker.stop()
