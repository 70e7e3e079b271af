"""The bill is one number: cost.events, Postgres and Prometheus agree to the micro-dollar, though workers are killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import psycopg
import pytest

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import CostEvent
from schemas.registries.registry import open_registry
from streams.engine.batch import TopicPartition
from streams.kafka.log_reader import LogReader
from streams.kafka.producer import EventProducer
from tests.support.cost_load import PARTITIONS, CostLoad, cost_load
from tests.support.sink_workers import Servers, SinkWorkers, series, sink_workers

EVENTS, ROUNDS = 500, 3
MICROS = 1_000_000

Sums = tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]
"""By persona and model: micro-dollars, and calls of unknown price."""


def sums_of(events: Iterable[CostEvent]) -> Sums:
    micros: Counter[tuple[str, str]] = Counter()
    unpriced: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event.cost_micros is None:
            unpriced[event.persona_id, event.model] += 1
        else:
            micros[event.persona_id, event.model] += event.cost_micros
    return +micros, unpriced


async def sums_of_the_topic(stack: Servers, load: CostLoad) -> Sums:
    codec, topic, personas = RowCodec(open_registry(None)), topic_named("cost.events"), set(load.personas)
    events: dict[str, CostEvent] = {}
    async with LogReader(stack.cluster) as reader:
        bounds = await reader.whole([TopicPartition(topic.name, number) for number in range(PARTITIONS)])
        async for _, block in reader.read(bounds):
            for record in block:
                event = codec.decode(topic, record.value)
                assert isinstance(event, CostEvent)
                if event.persona_id in personas:
                    events.setdefault(event.event_id, event)
    return sums_of(events.values())


def sums_of_postgres(dsn: str, load: CostLoad) -> Sums:
    statement = """
        SELECT persona_id, model, coalesce(sum(cost_micros), 0), count(*) FILTER (WHERE cost_micros IS NULL)
        FROM costs WHERE persona_id = ANY(%s) GROUP BY persona_id, model
    """
    try:
        with psycopg.connect(dsn) as connection:
            rows = connection.execute(statement, (load.personas,)).fetchall()
    except psycopg.errors.UndefinedTable:
        return Counter(), Counter()
    micros = Counter({(persona, model): int(sum_) for persona, model, sum_, _ in rows})
    return +micros, +Counter({(persona, model): unknown for persona, model, _, unknown in rows})


def sums_of_prometheus(home: Path, load: CostLoad) -> Sums:
    found, pairs = series(home), {(event.persona_id, event.model) for event in load.events}
    dollars = {pair: found.get(("llm_cost_dollars_total", *sorted(pair)), 0.0) for pair in pairs}
    unpriced = {pair: int(found.get(("llm_unpriced_calls_total", *sorted(pair)), 0)) for pair in pairs}
    return +Counter({pair: round(value * MICROS) for pair, value in dollars.items()}), +Counter(unpriced)


def calls_in_postgres(workers: SinkWorkers, load: CostLoad, least: int) -> bool:
    try:
        with psycopg.connect(workers.dsn) as connection:
            row = connection.execute(
                "SELECT count(*) FROM costs WHERE persona_id = ANY(%s)", (load.personas,)
            ).fetchone()
    except psycopg.errors.UndefinedTable:
        return False
    assert row is not None
    return int(row[0]) >= least


@pytest.mark.timeout(300)
async def test_the_three_sums_of_cost_are_the_truth_to_the_micro_dollar(
    stack: Servers, seed: int, tmp_path: Path
) -> None:
    load = cost_load(seed, EVENTS, personas=5)
    outputs, share = load.outputs(), -(-len(load.events) // ROUNDS)
    producer = EventProducer(stack.cluster, open_registry(None))
    truth = (+load.model_micros, +load.unpriced_calls)
    async with sink_workers(stack, ("sink-postgres", "sink-prometheus"), tmp_path) as workers:
        for start in range(0, len(outputs), share):
            await producer.append_all(outputs[start : start + share])
            # The kill comes while this round's events are on their way.
            await workers.until(partial(calls_in_postgres, workers, load, start * 9 // 10 + 1))
            await workers.kill()
            await workers.start()
        await producer.stop()
        await workers.until(lambda: sums_of_postgres(workers.dsn, load) == truth)
        await workers.until(lambda: sums_of_prometheus(workers.home, load) == truth)
        assert await sums_of_the_topic(stack, load) == truth
        await workers.stop()
    assert truth == sums_of({event.event_id: event for event in load.events}.values())
    assert truth[0].total() > 0
    assert truth[1].total() > 0
