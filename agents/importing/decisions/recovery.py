"""What broken off imports have left: decisions in the ledger whose events may not all have arrived are carried out."""

from __future__ import annotations

from dataclasses import replace

from agents.importing.block_writer import BlockWriter
from agents.importing.decisions.ledger import Ledger
from agents.importing.events import ENGAGEMENT, entry_columns
from schemas.codec.rows import RowCodec
from schemas.errors import SchemaError
from schemas.records import ImportProgress
from schemas.registries.registry import SchemaRegistry
from streams.engine.batch import TopicPartition
from streams.kafka.log_reader import Bounds, LogReader
from streams.kafka.topics import partition_counts
from streams.settings import Settings


async def log_ends(settings: Settings, bootstrap: str, partitions: int) -> tuple[int, ...]:
    """Return the end of each partition of engagement.events.

    Raises:
        Unavailable: the broker is away.
    """
    sources = [TopicPartition(ENGAGEMENT.name, number) for number in range(partitions)]
    async with LogReader(settings, bootstrap) as reader:
        ends = await reader.ends(sources)
    return tuple(ends[source] for source in sources)


async def settle(
    ledger: Ledger, writer: BlockWriter, settings: Settings, bootstrap: str, registry: SchemaRegistry
) -> None:
    """Send the events that the last decisions of other runs lack, and note that they are in.

    A run that is still under way sends them too: with the same ids, so that they count once.

    Raises:
        Unavailable: the broker does not answer; the next import does it.
    """
    for entry in list(ledger.left_behind()):
        events = entry_columns(entry)
        if events.keys:
            arrived = await _arrived(entry, set(events.keys), settings, bootstrap, registry)
            missing = events.kept([event_id not in arrived for event_id in events.ids()])
            await writer.append(writer.encode([missing]))
        settled = replace(entry, counts=None, posts=None)
        while not await ledger.write(settled):
            pass


async def _arrived(
    entry: ImportProgress, personas: set[str], settings: Settings, bootstrap: str, registry: SchemaRegistry
) -> set[str]:
    """Return the ids of the events of personas that came since the run began."""
    codec, keys = RowCodec(registry), {persona.encode() for persona in personas}
    partitions = (await partition_counts(settings, bootstrap, [ENGAGEMENT.name]))[ENGAGEMENT.name]
    found: set[str] = set()
    async with LogReader(settings, bootstrap) as reader:
        async for _, records in reader.read(await _since(reader, entry.log_ends, partitions)):
            found |= {_event_id(codec, each.value) for each in records if each.key in keys and each.value}
    return found


async def _since(reader: LogReader, starts: tuple[int, ...], partitions: int) -> Bounds:
    """Return the bounds from the ends that were noted; a partition that is newer is read from its beginning."""
    whole = await reader.whole([TopicPartition(ENGAGEMENT.name, number) for number in range(partitions)])
    noted = dict(enumerate(starts))
    return {source: (max(first, noted.get(source.partition, 0)), end) for source, (first, end) in whole.items()}


def _event_id(codec: RowCodec, value: bytes) -> str:
    """Return the id of an event, "" of a record that is none: others may write what they like."""
    try:
        return str(codec.decode_plain(ENGAGEMENT, value)["event_id"])
    except SchemaError:
        return ""
