"""A slice full of distinct unknown schema ids: few look-ups, no stall, and its good records are read."""

from __future__ import annotations

import json
import time

from aiokafka.structs import ConsumerRecord

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import HEADER_BYTES, header
from schemas.definitions import definition
from schemas.registries.file_registry import FileRegistry
from schemas.registries.registry import open_registry
from streams.engine.batch import FetchedRecord, Slice, TopicPartition
from streams.engine.decoding import Decoder
from streams.settings import Settings
from tests.support.faults.poison import golden_record
from tests.support.scripted_registry import Said, Script, serving

TOPIC = topic_named("engagement.events")
RECORDS, EVERY = 100_000, 100
A_MINUTE = 600


def slice_of(values: list[bytes]) -> Slice:
    made = [ConsumerRecord(TOPIC.name, 0, n, 0, 0, None, each, None, 0, 0, ()) for n, each in enumerate(values)]
    records: list[FetchedRecord] = list(made)
    return Slice(TopicPartition(TOPIC.name, 0), records, None, 0)


def test_a_hundred_thousand_unknown_ids_cost_few_look_ups_and_their_neighbours_no_time() -> None:
    known = FileRegistry().schema_id(TOPIC.subject, definition("EngagementEvent"))
    good = RowCodec(FileRegistry()).encode(TOPIC, golden_record(TOPIC))
    said = {
        f"/schemas/ids/{known}": Said(content={"schema": json.dumps(definition("EngagementEvent"))}),
        f"/schemas/ids/{known}/versions": Said(content=[{"subject": TOPIC.subject, "version": 1}]),
    }
    script = Script(said, Said(404, {"error_code": 40403, "message": "Schema not found"}))
    values = [good if n % EVERY == 0 else header(10**6 + n) + good[HEADER_BYTES:] for n in range(RECORDS)]
    with serving(script) as url:
        decoder = Decoder(open_registry(url, A_MINUTE), Settings())
        began = time.monotonic()
        decoded = decoder.decode(slice_of(values))
        took_s = time.monotonic() - began
    unknown = [path for path in script.asked if not path.startswith(f"/schemas/ids/{known}")]
    assert decoded.batch is not None
    assert len(decoded.rejections) == RECORDS - RECORDS // EVERY
    assert len(unknown) == len(set(unknown))
    assert len(unknown) <= A_MINUTE / 20 + took_s * A_MINUTE / 60 + 1
    assert took_s < 30
