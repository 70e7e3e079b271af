"""The Confluent wire format: magic byte 0, the schema id as four bytes big-endian, then the Avro body."""

from __future__ import annotations

from schemas.errors import DecodeFault

MAGIC = b"\x00"
HEADER_BYTES = 5
_SHOWN_BYTES = 16


def header(schema_id: int) -> bytes:
    """Return the five bytes in front of a body written with this schema id."""
    return MAGIC + schema_id.to_bytes(4, "big")


def schema_id_of(value: bytes | None) -> int:
    """Return the schema id that a value names.

    Raises:
        DecodeFault: the value is missing, too short or has no magic byte 0.
    """
    if value is None:
        raise DecodeFault("expected an Avro value, got none (a tombstone): this topic takes no deletions")
    if len(value) < HEADER_BYTES or value[:1] != MAGIC:
        raise DecodeFault(
            "expected magic byte 0x00, a 4-byte schema id and an Avro body (Confluent wire format), "
            f"got {described(value)}; use a serializer with schema registry, or `threads-agent produce`"
        )
    return int.from_bytes(value[1:HEADER_BYTES], "big")


def described(value: bytes) -> str:
    """Return a value's length and first bytes, for messages."""
    shown = value[:_SHOWN_BYTES].hex(" ")
    return f"{len(value)} bytes starting {shown}" if value else "0 bytes"
