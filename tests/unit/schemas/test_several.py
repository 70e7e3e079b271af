"""Several records in one body come out as they went in, and what is no such body is a DecodeFault, nothing else."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import topic_named
from schemas.codec.record_dicts import to_dict
from schemas.codec.rows import RowCodec
from schemas.codec.several import FrameReader, read_container
from schemas.definitions import definition
from schemas.errors import DecodeFault
from schemas.records import EngagementEvent
from schemas.registries.file_registry import FileRegistry

TOPIC = topic_named("engagement.events")
REGISTRY = FileRegistry()
CODEC, FRAMES = RowCodec(REGISTRY), FrameReader(REGISTRY)
EVENT = EngagementEvent(
    event_id="e-1",
    occurred_at=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
    persona_id="ada",
    post_id="p",
    kind="like",
    count=1,
    source="🙂 \u202eשלום",
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
EVENTS = st.lists(
    st.builds(
        lambda number, text, post: replace(
            EVENT,
            event_id=text,
            post_id=post,
            count=number,
            occurred_at=EVENT.occurred_at + timedelta(milliseconds=abs(number) % 10**9),
        ),
        st.integers(-(2**63), 2**63 - 1),
        TEXTS,
        st.none() | TEXTS,
    ),
    max_size=8,
)


def framed(events: list[EngagementEvent]) -> bytes:
    return b"".join(CODEC.encode(TOPIC, each) for each in events)


def contained(events: list[EngagementEvent], **options: Any) -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, definition("EngagementEvent"), [to_dict(each) for each in events], **options)
    return out.getvalue()


@given(EVENTS)
def test_records_come_out_as_they_went_in(events: list[EngagementEvent]) -> None:
    assert list(FRAMES.read(TOPIC, framed(events))) == events
    assert list(read_container(TOPIC, contained(events, sync_interval=40))) == events


@given(EVENTS.filter(bool), st.data())
def test_a_body_that_was_cut_or_changed_is_records_or_a_decode_fault(
    events: list[EngagementEvent], data: st.DataObject
) -> None:
    for whole, read in ((framed(events), lambda body: FRAMES.read(TOPIC, body)), (contained(events), _read_container)):
        cut = data.draw(st.integers(0, len(whole) - 1))
        changed = bytearray(whole)
        changed[cut] ^= data.draw(st.integers(1, 255))
        for body in (whole[:cut], bytes(changed)):
            with contextlib.suppress(DecodeFault):
                assert all(isinstance(each, EngagementEvent) for each in read(body))


def _read_container(body: bytes) -> Any:
    return read_container(TOPIC, body)


KIND = {"type": "enum", "name": "EngagementKind", "namespace": "threads", "symbols": ["like"]}


@pytest.mark.parametrize("kind", [KIND, "string"])
def test_a_container_of_another_writer_is_read_by_the_names_of_fields_or_refused(kind: object) -> None:
    schema = {
        "type": "record",
        "name": "Theirs",
        "aliases": ["threads.EngagementEvent"],
        "fields": [
            {"name": "kind", "type": kind},
            {"name": "persona_id", "type": "string"},
            {"name": "event_id", "type": "string"},
            {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        ],
    }
    out = io.BytesIO()
    theirs = {"kind": "like", "persona_id": "ada", "event_id": "e", "occurred_at": EVENT.occurred_at}
    fastavro.writer(out, schema, [theirs])
    if kind == "string":
        with pytest.raises(DecodeFault, match=r"kind: expected enum threads\.EngagementKind, written as string"):
            list(read_container(TOPIC, out.getvalue()))
        return
    [read] = read_container(TOPIC, out.getvalue())
    assert read == replace(EVENT, event_id="e", post_id=None, source="unknown")


@pytest.mark.parametrize("codec", ["deflate", "bzip2"])
def test_a_compressed_container_is_refused_before_it_is_unpacked(codec: str) -> None:
    with pytest.raises(DecodeFault, match=f"its codec is b'{codec}'; write it with the codec null"):
        list(read_container(TOPIC, contained([EVENT], codec=codec)))


@pytest.mark.parametrize(
    "body", [b"", b"Obj", b"Obj\x01", b"{}", b"Obj\x01" + b"\xff" * 40, b"Obj\x01\x02" + b"\x02a" * 9]
)
def test_what_is_no_container_is_told_so(body: bytes) -> None:
    with pytest.raises(DecodeFault, match="expected the head of an Avro container file"):
        list(read_container(TOPIC, body))


def test_a_block_that_claims_more_records_than_it_has_bytes_is_refused_at_once() -> None:
    head = contained([])
    with pytest.raises(DecodeFault, match="expected a block"):
        list(read_container(TOPIC, head + b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02"))
