"""How large a record may be, at the producer and on the topics."""

from __future__ import annotations

from schemas.catalogue import CATALOGUE
from streams.errors import RecordFault
from streams.settings import Settings

DEAD_LETTERS = "dead.letters"
LARGER = {topic.name: topic.size_factor for topic in CATALOGUE if topic.size_factor > 1}
ENVELOPE_BYTES = 64 * 2**10  # room for framing, keys, headers and the provenance of a dead letter


def record_limit(topic: str, settings: Settings) -> int:
    """Return the greatest record of a topic in bytes (key, value and headers)."""
    if topic in LARGER:
        return LARGER[topic] * settings.max_record_bytes + ENVELOPE_BYTES
    return settings.max_record_bytes


def letter_room(settings: Settings) -> int:
    """Return how many bytes of a record (key, value and headers) fit into its dead letter."""
    return record_limit(DEAD_LETTERS, settings) - ENVELOPE_BYTES


def batch_limit(topic: str, settings: Settings) -> int:
    """Return the topic's `max.message.bytes`: the greatest batch, which must hold the greatest record."""
    return record_limit(topic, settings) + ENVELOPE_BYTES


def greatest_batch(settings: Settings) -> int:
    """Return the greatest batch of any topic."""
    return max(batch_limit(topic, settings) for topic in LARGER)


def check_size(topic: str, size: int, settings: Settings) -> None:
    """Refuse a record that is too large before it is sent.

    Raises:
        RecordFault: `size` bytes are over the topic's limit.
    """
    limit = record_limit(topic, settings)
    if size > limit:
        raise RecordFault(
            f"expected a record of at most {limit:,} bytes for topic {topic}, got {size:,} bytes; "
            "send less, or raise THREADS_MAX_RECORD_BYTES and run `threads-agent topics create`"
        )
