"""Header names and keys that are no text, on the real broker: every way to read a topic reads on."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import EngagementEvent
from schemas.registries.registry import open_registry
from streams.engine.batch import TopicPartition
from streams.kafka.log_reader import log_bounds, read_offsets
from streams.kafka.record_bytes import name_bytes
from streams.kafka.topics import ensure_topic
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker
from tests.integration.streams.kafka.test_commands import _lines, _run
from tests.support.faults.dead_letters import dead_letters
from tests.support.faults.poison import golden_record
from tests.support.faults.told_counts import settled
from tests.support.postgres_tables import query
from tests.support.record_batches import Given, append

TOPIC = topic_named("engagement.events")
CODEC = RowCodec(open_registry(None))
CODECS = range(5)  # none, gzip, snappy, lz4, zstd
HEADERS: Sequence[tuple[bytes, bytes | None]] = (
    (b"n\xe4me", b"\xff"), (b"\xed\xa0\x80", None), (b"a\\b", b""), (b"", b"x"),
)  # fmt: skip
GOOD_KEYS = (b"\xff\xfe", b"", None, b"key")
NAMES = st.one_of(st.sampled_from([b"n\xe4me", b"\xff", b"\\", b"trace"]), st.binary(max_size=9))
CONTENT = st.none() | st.binary(max_size=9)
BATCH = st.lists(
    st.builds(Given, CONTENT, CONTENT, st.lists(st.tuples(NAMES, CONTENT), max_size=3)), min_size=1, max_size=4
)


def event(persona: str) -> bytes:
    made = golden_record(TOPIC)
    assert isinstance(made, EngagementEvent)
    return CODEC.encode(TOPIC, replace(made, event_id=uuid4().hex, persona_id=persona, kind="like", count=1))


async def written(stack: Stack, persona: str) -> int:
    """Append a batch of each codec: a plain record, good ones with such headers and keys, a bad one; return its end."""
    end = 0
    for codec in CODECS:
        batch = [Given(b"key", event(persona)), *(Given(key, event(persona), HEADERS) for key in GOOD_KEYS)]
        end = await append(stack.bootstrap, TOPIC.name, 1, [*batch, Given(b"\xff", b"garbage", HEADERS)], codec=codec)
        end += len(batch) + 1
    return end


@pytest.mark.timeout(180)
async def test_a_worker_counts_such_records_and_a_bad_one_keeps_its_headers_in_its_letter(
    stack: Stack, spawn_worker: SpawnWorker
) -> None:
    persona = f"header names {uuid4().hex}"
    end = await written(stack, persona)
    worker = spawn_worker("kpis", slot="header-names")
    told = await settled(stack, {persona: Counter({"likes": 5 * len(CODECS)})})
    assert told[persona]["likes"] == 5 * len(CODECS), worker.log()
    place = (TOPIC.name, 1, end - 1)
    found = [letter async for _, letter in dead_letters(stack)]
    kept = [each for each in found if (each.source_topic, each.source_partition, each.source_offset) == place]
    assert [(name_bytes(each.name), each.value) for each in kept[0].headers] == list(HEADERS)
    assert (kept[0].key, kept[0].value) == (b"\xff", b"garbage")
    listed = json.loads(_run(stack, "dead-letters", "list", "--json", "--topic", TOPIC.name).stdout)
    assert "n\\xe4me" in [header["name"] for letter in listed for header in letter["headers"]]


@pytest.mark.timeout(180)
async def test_consume_and_replay_read_such_records(stack: Stack, dsn: str) -> None:
    persona = f"header names {uuid4().hex}"
    await written(stack, persona)
    first, end = await log_bounds(stack.cluster, TopicPartition(TOPIC.name, 1))
    counts = [await log_bounds(stack.cluster, TopicPartition(TOPIC.name, at)) for at in (0, 2, 3)]
    everything = end - first + sum(high - low for low, high in counts)
    consumed = await asyncio.to_thread(_run, stack, "consume", TOPIC.name, "--max", str(everything))
    assert consumed.returncode == 0, consumed.stderr
    assert [each["persona_id"] for each in _lines(consumed.stdout)].count(persona) == 5 * len(CODECS)
    replayed = await asyncio.to_thread(
        _run, stack, "replay", TOPIC.name, "--into", "postgres", THREADS_POSTGRES_DSN=dsn
    )
    assert replayed.returncode == 0, replayed.stderr
    rows = query(dsn, f"SELECT count(*) FROM engagement WHERE persona_id = '{persona}'")
    assert rows == [(5 * len(CODECS),)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=BATCH, codec=st.sampled_from(CODECS))
def test_the_broker_gives_back_every_record_as_it_was_written(stack: Stack, batch: list[Given], codec: int) -> None:
    async def there_and_back() -> list[Given]:
        await ensure_topic(stack.cluster, "header.names", 1, {})
        start = await append(stack.bootstrap, "header.names", 0, batch, codec=codec)
        source = TopicPartition("header.names", 0)
        blocks = read_offsets(stack.cluster, source, start, start + len(batch))
        return [_given(record.key, record.value, record.headers) async for records in blocks for record in records]

    assert asyncio.run(there_and_back()) == [record._replace(headers=list(record.headers)) for record in batch]


def _given(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str | bytes, bytes | None]]) -> Given:
    names = [name if isinstance(name, bytes) else name.encode() for name, _ in headers]
    return Given(key, value, [(name, content) for name, (_, content) in zip(names, headers, strict=True)])
