"""Dead letters and their outcomes, read from their topics."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from schemas.catalogue import topic_named
from schemas.codec.own_records import OwnReader, RecordType
from schemas.records import DeadLetter, DeadOutcome
from schemas.registries.registry import SchemaRegistry
from streams.engine.dead_letters import LetterReader
from streams.errors import RecordFault
from streams.kafka.cluster import Cluster
from streams.kafka.hidden import NOTHING, Hidden
from streams.kafka.log_reader import hidden_now, read_range
from streams.kafka.record_size import DEAD_LETTERS
from streams.letters.standing import Case, standing
from streams.validation import schema_faults

OUTCOMES = "dead.outcomes"
logger = logging.getLogger(__name__)


async def read_letters(cluster: Cluster, registry: SchemaRegistry) -> AsyncGenerator[DeadLetter, None]:
    """Yield the dead letters there are, in order, but those of hidden keys; one that is written twice comes twice.

    Raises:
        Unavailable: the broker or the topic is away.
    """
    hidden = await hidden_now(cluster)
    async with aclosing(_read(cluster, DEAD_LETTERS, LetterReader(registry), hidden)) as letters:
        async for letter in letters:
            yield letter


async def read_outcomes(cluster: Cluster, registry: SchemaRegistry) -> list[DeadOutcome]:
    """Return what was done about letters so far.

    Raises:
        Unavailable: the broker or the topic is away.
    """
    reader = OwnReader(registry, topic_named(OUTCOMES), DeadOutcome)
    async with aclosing(_read(cluster, OUTCOMES, reader)) as outcomes:
        return [each async for each in outcomes]


async def read_cases(cluster: Cluster, registry: SchemaRegistry) -> list[Case]:
    """Return every letter, without its value, and how it stands.

    Raises:
        Unavailable: the broker or a topic is away.
    """
    async with aclosing(read_letters(cluster, registry)) as letters:
        cases = [Case.of(letter) async for letter in letters]
    return standing(cases, await read_outcomes(cluster, registry))


async def _read(
    cluster: Cluster, topic: str, reader: OwnReader[RecordType], hidden: Hidden = NOTHING
) -> AsyncGenerator[RecordType, None]:
    async with aclosing(read_range(cluster, topic)) as blocks:
        async for source, records in blocks:
            for record in records:
                try:
                    with schema_faults():
                        found = reader.decode(record.value)
                except RecordFault as fault:
                    logger.warning("Passed over %s %d@%d: %s", topic, source.partition, record.offset, fault)
                else:
                    if not (isinstance(found, DeadLetter) and hidden.hides(found.key, record.timestamp)):
                        yield found
