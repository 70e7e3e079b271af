from __future__ import annotations

from typing import Any

import numpy as np

from agents.importing.decisions.first_reading import first_changes
from agents.importing.events import EventColumns, EventMaker
from agents.importing.fields import FieldMapping, bind
from agents.importing.row_block import RowBlock
from agents.importing.rows import RowReader
from agents.importing.sources.source import Row
from schemas.codec.column_encoder import ColumnEncoder
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import header
from schemas.definitions import definition
from schemas.registries.file_registry import FileRegistry
from schemas.registries.known_writers import KnownWriters

HEADER = ["post", "who", "at", "words", "seen", "liked"]
COLUMNS = {"post_id": ("post",), "persona_id": ("who",), "occurred_at": ("at",), "text": ("words",)}
COLUMNS |= {"views": ("seen",), "likes": ("liked",)}
READER = RowReader(bind(FieldMapping(columns=COLUMNS, time_format="iso8601"), HEADER, "x.csv"))


def maker() -> EventMaker:
    return EventMaker(source_key="key", source="import:x.csv", simulated=False)


def engagement(read: RowBlock) -> EventColumns:
    changes, _ = first_changes(read, np.zeros(len(read.numbers), dtype=np.int64), READER.kinds)
    return maker().engagement(read, changes)


def block(*rows: str, first: int = 1) -> RowBlock:
    read, faults = READER.read([Row(at, at + 1, row.split(",")) for at, row in enumerate(rows, start=first)])
    assert faults == []
    return read


def records(events: EventColumns) -> list[dict[str, Any]]:
    """Return the events as a consumer reads them."""
    topic, registry = events.topic, FileRegistry()
    frame = header(KnownWriters(registry).written_id(topic))
    values = ColumnEncoder(definition(topic.record.schema_name)).encode(events.columns, frame)
    assert len(values) == len(events.keys) == len(events.lines)
    return [RowCodec(registry).decode_plain(topic, value) for value in values]


def test_a_row_gives_one_event_for_each_kind_that_is_not_zero_in_the_order_of_the_rows() -> None:
    events = engagement(block("p1,ada,2026-01-01,Hi,7,0", "p2,bo,2026-01-02,Ho,,", "p3,cy,2026-01-03,Hu,1,2"))
    found = records(events)
    assert [(each["persona_id"], each["kind"], each["count"]) for each in found] == [
        ("ada", "view", 7),
        ("cy", "view", 1),
        ("cy", "like", 2),
    ]
    assert (list(events.keys), list(events.lines)) == (["ada", "cy", "cy"], [2, 4, 4])
    assert found[0] == {
        "event_id": found[0]["event_id"],
        "occurred_at": 1_767_225_600_000,
        "persona_id": "ada",
        "causation_id": None,
        "post_id": "p1",
        "kind": "view",
        "count": 7,
        "source": "import:x.csv",
        "simulated": False,
        "basis": "event",
        "backfilled": True,
    }


def test_the_same_row_has_the_same_ids_in_every_run_and_in_any_block_and_other_rows_have_others() -> None:
    row = "p1,ada,2026-01-01,Hi,7,3"
    together = [each["event_id"] for each in records(engagement(block(row, row)))]
    alone = [each["event_id"] for each in records(engagement(block(row, first=2)))]
    assert together[2:] == alone
    assert len(set(together)) == 4


def test_ids_are_those_of_earlier_versions() -> None:
    """A file that is in must stay in after an update: these ids were made by the first version."""
    assert [each["event_id"] for each in records(engagement(block("p1,ada,2026-01-01,Hi,7,3")))] == [
        "81cb318b-8f8a-5db7-84fe-2a0e0a181651",
        "bb441338-99fb-5093-ae5b-e71f62ca04c6",
    ]
    assert (
        records(maker().posts(block("p1,ada,2026-01-01,Hi,7,3")))[0]["event_id"]
        == "20c8eab0-8020-5e6c-8a5d-a631168e40ec"
    )


def test_a_post_is_published_once_however_many_rows_and_blocks_name_it() -> None:
    events = maker()
    first = records(
        events.posts(block("p1,ada,2026-01-01,Hi,1,1", "p2,ada,2026-01-01,Ho,1,1", "p1,ada,2026-01-01,,1,"))
    )
    assert [(post["post_id"], post["text"], post["persona_id"]) for post in first] == [
        ("p1", "Hi", "ada"),
        ("p2", "Ho", "ada"),
    ]
    again = events.posts(block("p2,ada,2026-01-01,Ho,1,1", "p3,ada,2026-01-01,Hu,1,1", first=4))
    assert [post["post_id"] for post in records(again)] == ["p3"]


def test_a_file_without_posts_or_texts_publishes_none() -> None:
    columns = {"persona_id": ("who",), "occurred_at": ("at",), "views": ("seen",)}
    bare = RowReader(bind(FieldMapping(columns=columns, time_format="iso8601"), HEADER, "x.csv"))
    read, _ = bare.read([Row(1, 2, ["p1", "ada", "2026-01-01", "Hi", "7", "3"])])
    events = EventMaker(source_key="key", source="s", simulated=True)
    assert records(events.posts(read)) == []
    (event,) = records(events.engagement(read, first_changes(read, np.zeros(1, dtype=np.int64), bare.kinds)[0]))
    assert (event["post_id"], event["simulated"]) == (None, True)
