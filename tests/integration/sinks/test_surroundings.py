"""What the Prometheus sink tells of broker, groups, database and servers: right, and absent while one is away."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Protocol
from uuid import uuid4

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition
from psycopg.conninfo import make_conninfo

from sinks.surroundings.probes import DatabaseProbe, KafkaProbe, ServersProbe
from sinks.surroundings.watch import Surroundings
from streams.embedded.state_file import ChildStatus, StackState, write_state
from streams.engine.batch import TopicPartition
from streams.engine.readings import Reading
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.consumer_lag import Lag, LagReader
from streams.kafka.topics import ensure_topic
from streams.metrics import PROCESS_MEMORY
from streams.process_mark import mark
from streams.settings import Settings
from tests.support.until import until


def hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


TIMEOUT_S = 10.0


class Servers(Protocol):
    """The part of the session's stack that is used here."""

    settings: Settings
    bootstrap: str
    postgres_dsn: str


async def topic_of(stack: Servers, partitions: int = 2) -> str:
    name = f"lag-{uuid4().hex}"
    await ensure_topic(Cluster.of(stack.settings), name, partitions, {})
    return name


async def produce(stack: Servers, topic: str, partition: int, times: Sequence[datetime], size: int = 1) -> None:
    async with AIOKafkaProducer(bootstrap_servers=stack.bootstrap) as producer:
        for at in times:
            stamp = round(at.timestamp() * 1000)
            await producer.send_and_wait(topic, b"x" * size, partition=partition, timestamp_ms=stamp)


async def commit(stack: Servers, group: str, offsets: dict[KafkaPartition, OffsetAndMetadata]) -> None:
    async with AIOKafkaConsumer(
        bootstrap_servers=stack.bootstrap, group_id=group, enable_auto_commit=False
    ) as consumer:
        consumer.assign(list(offsets))
        await consumer.commit(offsets)


async def lags(stack: Servers, *groups: str) -> dict[tuple[str, int], Lag]:
    async with LagReader(Cluster.of(stack.settings)) as reader:
        return {(lag.group, lag.source.partition): lag for lag in await reader.lags(groups)}


async def test_a_group_lags_by_what_it_has_not_committed_and_by_the_age_of_its_first_record(stack: Servers) -> None:
    topic, group = await topic_of(stack), uuid4().hex
    await produce(stack, topic, 0, [hour_ago(), hour_ago() + timedelta(minutes=30), datetime.now(UTC)])
    await produce(stack, topic, 1, [hour_ago()])
    await commit(stack, group, {KafkaPartition(topic, 0): OffsetAndMetadata(1, "")})
    found = await lags(stack, group)
    assert (found[group, 0].position, found[group, 0].end, found[group, 0].records) == (1, 3, 2)
    assert found[group, 0].seconds == pytest.approx(1800, abs=60)
    assert found[group, 1].records == 1, "of a partition without a commit everything is to be done"
    assert found[group, 1].seconds == pytest.approx(3600, abs=60)


async def test_a_group_that_has_done_all_lags_by_nothing(stack: Servers) -> None:
    topic, group = await topic_of(stack, 1), uuid4().hex
    await produce(stack, topic, 0, [hour_ago()])
    await commit(stack, group, {KafkaPartition(topic, 0): OffsetAndMetadata(1, "")})
    [lag] = (await lags(stack, group)).values()
    assert (lag.records, lag.seconds) == (0, 0.0)


async def test_groups_at_different_places_of_one_partition_each_have_their_own_age(stack: Servers) -> None:
    topic, first, second = await topic_of(stack, 1), uuid4().hex, uuid4().hex
    await produce(stack, topic, 0, [hour_ago(), hour_ago() + timedelta(minutes=30)])
    await commit(stack, first, {KafkaPartition(topic, 0): OffsetAndMetadata(0, "")})
    await commit(stack, second, {KafkaPartition(topic, 0): OffsetAndMetadata(1, "")})
    found = await lags(stack, first, second)
    assert found[first, 0].seconds == pytest.approx(3600, abs=60)
    assert found[second, 0].seconds == pytest.approx(1800, abs=60)


async def test_large_records_on_many_partitions_all_tell_their_age(stack: Servers) -> None:
    topic, group = await topic_of(stack, 8), uuid4().hex
    for partition in range(8):
        await produce(stack, topic, partition, [hour_ago()], size=500_000)
    await commit(stack, group, {KafkaPartition(topic, 0): OffsetAndMetadata(0, "")})
    assert [lag.seconds for lag in (await lags(stack, group)).values()] == [pytest.approx(3600, abs=60)] * 8


async def test_a_commit_in_a_log_that_was_made_again_says_nothing(stack: Servers) -> None:
    topic, group = await topic_of(stack, 1), uuid4().hex
    await produce(stack, topic, 0, [hour_ago()])
    await commit(stack, group, {KafkaPartition(topic, 0): OffsetAndMetadata(1, f"log={'0' * 32}")})
    [lag] = (await lags(stack, group)).values()
    assert (lag.position, lag.records) == (0, 1)


async def test_a_group_whose_members_never_committed_lags_by_all_that_they_read(stack: Servers) -> None:
    topic, other, group = await topic_of(stack), await topic_of(stack, 1), uuid4().hex
    await produce(stack, topic, 0, [hour_ago()] * 3)
    await produce(stack, other, 0, [hour_ago()])
    consumers = [
        AIOKafkaConsumer(*wanted, bootstrap_servers=stack.bootstrap, group_id=group, enable_auto_commit=False)
        for wanted in ([topic], [topic, other])
    ]
    async with consumers[0], consumers[1], LagReader(Cluster.of(stack.settings)) as reader:
        found: list[Lag] = []
        async with asyncio.timeout(TIMEOUT_S):
            while {lag.source.topic for lag in found} != {topic, other}:  # the second one joins
                found = await reader.lags([group])
    assert [lag.committed for lag in found] == [None] * 3
    assert {lag.source: lag.records for lag in found} == {(topic, 0): 3, (topic, 1): 0, (other, 0): 1}
    assert all(lag.seconds == pytest.approx(3600, abs=60) for lag in found if lag.records)


async def test_a_group_that_never_ran_has_no_lag(stack: Servers) -> None:
    assert await lags(stack, uuid4().hex) == {}


async def test_the_sizes_of_logs_are_those_of_what_was_written(stack: Servers) -> None:
    topic = await topic_of(stack)
    await produce(stack, topic, 0, [datetime.now(UTC)], size=100_000)
    async with LagReader(Cluster.of(stack.settings)) as reader:
        [sizes] = (await reader.log_sizes()).values()
    assert 100_000 < sizes[topic] < 110_000


def named(readings: Sequence[Reading], name: str) -> dict[tuple[str, ...], float]:
    return {each.labels: each.value for each in readings if each.metric.name == name}


async def test_kafka_tells_its_brokers_and_the_lag_of_the_roles(
    stack: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, group = await topic_of(stack, 1), uuid4().hex
    await produce(stack, topic, 0, [hour_ago()] * 3)
    await commit(stack, group, {KafkaPartition(topic, 0): OffsetAndMetadata(1, "")})
    monkeypatch.setattr("sinks.surroundings.probes.role_names", lambda: [group])
    probe = KafkaProbe(stack.settings)
    readings = await probe.ask()
    await probe.close()
    at = (group, topic, "0")
    assert named(readings, "kafka_consumergroup_lag") == {at: 2}
    assert named(readings, "kafka_consumergroup_current_offset") == {at: 1}
    assert named(readings, "kafka_consumergroup_lag_seconds") == {at: pytest.approx(3600, abs=60)}
    assert named(readings, "kafka_topic_partition_current_offset") == {at[1:]: 3}
    assert named(readings, "kafka_brokers") == {(): 1}
    assert any(labels[1] == topic for labels in named(readings, "kafka_topic_log_size_bytes"))


async def test_the_database_tells_its_connections_and_its_size(stack: Servers) -> None:
    name = f"load_{uuid4().hex}"
    with psycopg.connect(stack.postgres_dsn, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
        dsn = make_conninfo(stack.postgres_dsn, dbname=name)
        probe = DatabaseProbe(dsn, TIMEOUT_S)
        with psycopg.connect(dsn), psycopg.connect(dsn):
            readings = await probe.ask()
        await probe.close()
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    assert named(readings, "pg_stat_database_numbackends") == {(name,): 3}  # and the one that asks
    assert named(readings, "pg_database_size_bytes")[name,] > 2**20


async def test_a_server_of_the_stack_tells_what_it_takes_and_one_that_has_ended_nothing(tmp_path: Path) -> None:
    me = mark(os.getpid())
    assert me is not None
    gone = ChildStatus("server", "gone", "", "restarting", 1, None)
    write_state(tmp_path, StackState(me, "running", "", (), (ChildStatus("server", "it", "", "running", 0, me), gone)))
    readings = await ServersProbe(tmp_path).ask()
    [memory] = named(readings, "embedded_server_resident_memory_bytes").items()
    assert memory[0] == ("it",)
    assert memory[1] > 2**20
    assert named(readings, "embedded_server_cpu_seconds_total")[("it",)] > 0


async def test_where_no_stack_is_embedded_no_server_is_told_of(tmp_path: Path) -> None:
    assert await ServersProbe(tmp_path).ask() == []


class Told:
    """A probe that answers, is away, or fails, as a test says."""

    name: ClassVar[str] = "the told"

    def __init__(self, *answers: Exception | float) -> None:
        self._answers = list(answers)
        self.asked = self.closed = 0

    async def ask(self) -> Sequence[Reading]:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return [Reading(PROCESS_MEMORY, (), answer)]

    async def close(self) -> None:
        self.closed += 1


def shown(surroundings: Surroundings) -> list[float]:
    return [sample.value for family in surroundings.collect() for sample in family.samples]


async def watched(probe: Told, holds: Callable[[Surroundings], bool]) -> Surroundings:
    surroundings = Surroundings([probe], interval_s=0.001)
    surroundings.start()
    await until(lambda: holds(surroundings))
    return surroundings


@pytest.mark.parametrize("error", [Unavailable("away"), TimeoutError(), ZeroDivisionError()])
async def test_one_that_is_away_is_absent_until_it_is_back(error: Exception) -> None:
    probe = Told(1.0, error, error, 2.0)
    surroundings = await watched(probe, lambda now: shown(now) == [2.0])
    assert probe.closed == 2, "what is open is closed before it is asked again"
    await surroundings.stop()


async def test_one_that_is_away_from_now_on_shows_nothing_old() -> None:
    probe = Told(1.0, Unavailable("away"))
    surroundings = await watched(probe, lambda now: probe.asked > 2 and shown(now) == [])
    await surroundings.stop()


async def test_one_that_hangs_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Told):
        name = "the hanging"

        async def ask(self) -> Sequence[Reading]:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr("sinks.surroundings.watch.ANSWER_TIMEOUT_S", 0.01)
    hanging = Hanging(1.0)
    surroundings = Surroundings([hanging, Told(7.0)], interval_s=0.001)
    surroundings.start()
    await until(lambda: shown(surroundings) == [7.0] and hanging.closed > 1)
    began = time.monotonic()
    await surroundings.stop()
    assert time.monotonic() - began < 1


async def test_a_database_that_is_away_is_told_as_unavailable() -> None:
    with pytest.raises(Unavailable, match="could not ask PostgreSQL for its load"):
        await DatabaseProbe("postgresql://nobody@127.0.0.1:1/nothing", 1.0).ask()


async def test_lag_is_asked_of_partitions_by_their_names(stack: Servers) -> None:
    topic, group = await topic_of(stack, 1), uuid4().hex
    await commit(stack, group, {KafkaPartition(topic, 0): OffsetAndMetadata(0, "")})
    assert [lag.source for lag in (await lags(stack, group)).values()] == [TopicPartition(topic, 0)]
