"""Poison in the midst of large slices: each record of it is set aside as it came, and its neighbours count exactly."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import EngagementEvent
from schemas.registries.registry import open_registry
from streams.embedded.ports import free_port
from streams.embedded.process import stop
from streams.embedded.registry import RegistryServer
from streams.embedded.server import run_server
from streams.kafka.producer import EventProducer
from tests.faults.conftest import WorkerProcess
from tests.support.faults.dead_letters import dead_letters
from tests.support.faults.engagement_load import load
from tests.support.faults.fault_report import BeginFault
from tests.support.faults.next_version import KIND_OF_TOMORROW, NextVersion
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.faults.poison import poison

TOPIC = topic_named("engagement.events")
PARTITIONS = 4
POISON_SHARE = 0.01
NEXT_VERSION_SHARE = 0.05
CODEC = RowCodec(open_registry(None))

Pair = tuple[bytes | None, bytes | None]


@pytest.fixture
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


@pytest.fixture
def registry_url(tmp_path: Path) -> Iterator[str]:
    server = RegistryServer(tmp_path / "schemas", free_port())
    process = run_server(server, tmp_path)
    yield server.address
    stop(process, server.launch().stop_signal)


class Mixture:
    """Events, one in twenty of the next schema version, and poison between them, by partition."""

    def __init__(
        self, events: list[EngagementEvent], poisons: list[bytes | None], ahead: NextVersion, seed: int
    ) -> None:
        self.pairs: list[list[Pair]] = [[] for _ in range(PARTITIONS)]
        self.poison: dict[tuple[int, int], bytes | None] = {}
        random_ = random.Random(seed)
        for event in events:
            partition = int(event.event_id[:8], 16) % PARTITIONS  # the same for its repetition
            if random_.random() < POISON_SHARE:
                self._set_between(partition, random_.choice([*poisons, ahead.value(event, kind=KIND_OF_TOMORROW)]))
            is_ahead = random_.random() < NEXT_VERSION_SHARE
            value = ahead.value(event) if is_ahead else CODEC.encode(TOPIC, event)
            self.pairs[partition].append((event.persona_id.encode(), value))

    def _set_between(self, partition: int, value: bytes | None) -> None:
        self.poison[partition, len(self.pairs[partition])] = value
        self.pairs[partition].append((b"poison", value))

    async def append(self, broker: OwnBroker) -> None:
        """Append it to empty partitions in whole batches: a record's place in the list is its offset."""
        producer = EventProducer(broker.cluster, open_registry(None))
        await producer.start()
        try:
            for partition, pairs in enumerate(self.pairs):
                assert await producer.append_raw(TOPIC.name, partition, pairs) == len(pairs) - 1
        finally:
            await producer.stop()


@pytest.mark.timeout(300)
async def test_poison_within_slices_is_set_aside_and_its_neighbours_count_exactly(
    broker: OwnBroker, registry_url: str, tmp_path: Path, seed: int, begin_fault: BeginFault
) -> None:
    run = begin_fault("poison within slices")
    load_ = load(seed, 60_000)
    ahead = NextVersion(registry_url)
    poisons = {what: value for what, value in poison(TOPIC, broker.settings).items() if what != "oversized"}
    mixture = Mixture(load_.events, list(poisons.values()), ahead, seed)
    await mixture.append(broker)
    run.inflicted["poison record"] = len(mixture.poison)
    assert set(mixture.poison.values()) >= set(poisons.values())
    worker = WorkerProcess(broker, ("kpis",), "0", tmp_path / "worker.log", THREADS_REGISTRY_URL=registry_url)
    try:
        assert await run.settle(broker, load_) == 0, worker.log()[-3_000:]
        assert worker.process.poll() is None
    finally:
        worker.stop()
    found = [letter async for _, letter in dead_letters(broker)]
    assert {(each.source_partition, each.source_offset): each.value for each in found} == mixture.poison
    assert Counter(each.consumer for each in found) == {"kpis": len(mixture.poison)}
    assert {each.error_class for each in found} == {"RecordFault"}
