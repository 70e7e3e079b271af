"""SIGTERM drains: what was folded is durable and committed, and the next worker has nothing to do again."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from agents.kpis.counters import SOURCE_TOPICS
from agents.kpis.partials import TOPIC as PARTIALS
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import KpiPartial
from schemas.registries.registry import open_registry
from streams.engine.batch import TopicPartition
from streams.kafka.log_reader import read_range
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker, WorkerProcess
from tests.support.faults.consumer_group import ConsumerGroup
from tests.support.faults.engagement_load import load, produced
from tests.support.faults.told_counts import settled

STOP_WITHIN_S = 15.0


def stop_in_time(worker: WorkerProcess) -> None:
    """End a worker with SIGTERM; it must have drained in time."""
    began = time.monotonic()
    status = worker.stop()
    took_s = time.monotonic() - began
    assert (status, took_s < STOP_WITHIN_S) == (0, True), f"status {status} after {took_s:.1f} s\n{worker.log()}"


async def folded(stack: Stack) -> dict[TopicPartition, int]:
    """Return the offset behind the last event that went into partials, by source partition."""
    codec, topic = RowCodec(open_registry(None)), topic_named(PARTIALS)
    ends: dict[TopicPartition, int] = {}
    async for _, records in read_range(stack.cluster, PARTIALS):
        for record in records:
            partial = codec.decode(topic, record.value)
            assert isinstance(partial, KpiPartial)
            source = TopicPartition(partial.source_topic, partial.source_partition)
            ends[source] = max(ends.get(source, 0), partial.last_offset + 1)
    return ends


@pytest.mark.timeout(180)
async def test_a_worker_stopped_under_load_has_committed_all_that_it_made_durable(
    stack: Stack, spawn_worker: SpawnWorker, seed: int
) -> None:
    load_ = load(seed, 30_000)
    random_ = random.Random(seed)
    group = ConsumerGroup(stack.cluster, "kpis")
    stops = sorted(random_.sample(range(len(load_.events)), 2))
    worker = spawn_worker("kpis", slot="0")
    await worker.until_running()
    async for sent in produced(stack, load_):
        while stops and stops[0] < sent:
            stops.pop(0)
            await asyncio.sleep(random_.random())  # a random moment of the checkpoint cycle, not a wait for anything
            stop_in_time(worker)
            committed = await group.committed()
            assert {each: end for each, end in (await folded(stack)).items() if end > committed.get(each, 0)} == {}
            worker = spawn_worker("kpis", slot="0")
            await worker.until_running()
    got = await settled(stack, load_.truth)
    assert got == {persona: +of for persona, of in load_.truth.items()}, worker.log()[-3_000:]


@pytest.mark.timeout(180)
async def test_a_worker_that_follows_a_drained_one_reads_nothing_again(
    stack: Stack, spawn_worker: SpawnWorker, seed: int
) -> None:
    load_ = load(seed, 5_000)
    group = ConsumerGroup(stack.cluster, "kpis")
    worker = spawn_worker("kpis", slot="0")
    async for _ in produced(stack, load_):
        pass
    topics = (*SOURCE_TOPICS, PARTIALS)
    await group.until_done(topics, worker.log)
    stop_in_time(worker)
    ends = await group.ends(*topics)
    committed = await group.committed()
    assert {source: committed.get(source) for source in ends} == ends
