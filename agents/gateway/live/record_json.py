"""Records as JSON objects: decoded where they can be, else with the error and their bytes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from aiokafka.structs import ConsumerRecord

from agents.gateway.live.ring import LiveRecord
from schemas.catalogue import Topic
from schemas.codec.rows import RowCodec
from schemas.registries.registry import SchemaRegistry
from schemas.rules import EPOCH
from streams.engine.dead_letters import LetterReader
from streams.errors import RecordFault, SettingsError, Unavailable
from streams.json_records import render_record
from streams.kafka.record_bytes import name_text
from streams.kafka.record_size import DEAD_LETTERS
from streams.validation import schema_faults

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """A record with what its value says, None for a tombstone; or, with `error`, the value as it came."""

    topic: str
    raw: ConsumerRecord
    persona_id: str | None
    value: Object | None
    error: str | None = None

    def as_object(self) -> dict[str, Any]:
        """Return the object that the live feed and the topic browser tell, without headers."""
        told: dict[str, Any] = {
            "topic": self.topic,
            "partition": self.raw.partition,
            "offset": self.raw.offset,
            "timestamp": moment(self.raw.timestamp),
            "key": text_of(self.raw.key),
            "persona_id": self.persona_id,
        }
        if self.error is None:
            return {**told, "value": self.value}
        return {**told, "error": self.error, "bytes": self.raw.value}

    def as_live(self) -> LiveRecord:
        """Return it for the live feed."""
        return LiveRecord(self.raw.partition, self.raw.offset, self.persona_id, json_bytes(self.as_object()))


class RecordReader:
    """Decode records of a topic; calls may block while a registry is asked for a schema, once an id."""

    def __init__(self, topic: Topic, registry: SchemaRegistry) -> None:
        self._topic = topic
        self._codec = RowCodec(registry)
        self._letters = LetterReader(registry) if topic.name == DEAD_LETTERS else None

    def read(self, raw: ConsumerRecord) -> ReadRecord:
        """Return a record, decoded where it can be.

        Raises:
            Unavailable: its schema is not known here, and the registry does not answer.
        """
        if raw.value is None:
            return ReadRecord(self._topic.name, raw, self._persona_of_key(raw.key), None)
        try:
            with schema_faults():
                value = self._decoded(raw.value)
        except (RecordFault, SettingsError) as fault:
            return ReadRecord(self._topic.name, raw, None, None, str(fault))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever strangers write is told, and ends nobody's feed
            return ReadRecord(self._topic.name, raw, None, None, f"can't be decoded: {type(error).__name__}: {error}")
        persona_id = value.get("persona_id")
        return ReadRecord(self._topic.name, raw, persona_id if isinstance(persona_id, str) else None, value)

    def _decoded(self, value: bytes) -> Object:
        if self._letters is not None:
            return render_record(self._letters.decode(value))
        return self._codec.decode_dict(self._topic, value)

    def _persona_of_key(self, key: bytes | None) -> str | None:
        """Return whose tombstone it is: of topics that are keyed by persona the key says it."""
        return text_of(key) if self._topic.key == "persona_id" else None


def json_bytes(value: object) -> bytes:
    """Return JSON in UTF-8: bytes as base64, moments as ISO 8601, a float that is no number as null."""
    return orjson.dumps(value, default=_base64)


def moment(timestamp_ms: int) -> datetime | None:
    """Return a broker timestamp, None where there is none or it lies beyond all calendars."""
    try:
        return EPOCH + timedelta(milliseconds=timestamp_ms) if timestamp_ms >= 0 else None
    except OverflowError:
        return None


def text_of(key: bytes | None) -> str | None:
    r"""Return a key as text; bytes that are no UTF-8 stand as `\xNN`, and `name_bytes` brings them back."""
    return None if key is None else name_text(key)


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no JSON form")
