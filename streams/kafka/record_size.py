"""How large a record may be, at the producer and on the topics."""

from __future__ import annotations

from streams.errors import RecordFault
from streams.settings import Settings

DEAD_LETTERS = "dead.letters"
ENVELOPE_BYTES = 64 * 2**10  # room for framing, keys, headers and the provenance of a dead letter


def record_limit(topic: str, settings: Settings) -> int:
    """Return the greatest record of a topic in bytes (key, value and headers); a dead letter carries a whole record."""
    if topic == DEAD_LETTERS:
        return 2 * settings.max_record_bytes + ENVELOPE_BYTES
    return settings.max_record_bytes


def batch_limit(topic: str, settings: Settings) -> int:
    """Return the topic's `max.message.bytes`: the greatest batch, which must hold the greatest record."""
    return record_limit(topic, settings) + ENVELOPE_BYTES


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
