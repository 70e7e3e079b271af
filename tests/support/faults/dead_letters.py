"""The dead letters there are, each with the record that it stands in."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiokafka.structs import ConsumerRecord

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import DeadLetter
from schemas.registries.registry import open_registry
from streams.engine.dead_letters import TOPIC
from streams.kafka.log_reader import read_range
from tests.support.faults.told_counts import Broker


async def dead_letters(broker: Broker) -> AsyncIterator[tuple[ConsumerRecord, DeadLetter]]:
    """Yield our letters: those have no key; what a test appended to the topic itself has one."""
    codec, topic = RowCodec(open_registry(None)), topic_named(TOPIC)
    async for _, records in read_range(broker.cluster, TOPIC):
        for record in records:
            if record.key is None:
                letter = codec.decode(topic, record.value)
                assert isinstance(letter, DeadLetter)
                yield record, letter
