"""Positions are read back as they were written, and events are what a browser's EventSource reads."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.gateway.live.events import entry_event, heartbeat, position_event, status_event
from agents.gateway.live.positions import MAX_TEXT, LogPosition, PositionFault, positions_of, positions_text
from agents.gateway.live.record_json import json_bytes
from agents.gateway.live.ring import Gap, LiveRecord

TOPICS = st.text("abcXYZ019._-", min_size=1, max_size=20)
LOGS = st.one_of(st.just(""), st.text("0123456789abcdef", min_size=1, max_size=12))
OFFSETS = st.lists(st.integers(0, 2**63 - 1), max_size=8).map(tuple)
POSITIONS = st.dictionaries(TOPICS, st.builds(LogPosition, LOGS, OFFSETS), max_size=8)


@given(POSITIONS)
def test_positions_are_read_back_as_they_were_written(positions: dict[str, LogPosition]) -> None:
    text = positions_text(positions)
    assert positions_of(text) == positions
    assert text.isascii()
    assert not set(text) & set(" \r\n\0%&+#=?/")  # of headers and query strings


@given(st.one_of(st.text(), st.text("ab~-019.", max_size=40)))
def test_any_text_is_refused_or_read_as_what_it_says(text: str) -> None:
    with suppress(PositionFault):
        found = positions_of(text)
        assert positions_of(positions_text(found)) == found
        assert text.isascii()


@pytest.mark.parametrize(
    "text", ["a", "a~", "a~-~", "a~-~-1", "a~-~1~~", "~~", "a~-~1~~a~-~1", "a~XYZ~1", "a~-~\u0661"]
)
def test_what_is_cut_off_or_made_up_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(PositionFault, match="send the id of the last event as it came"):
        positions_of(text)


def test_a_text_beyond_all_bounds_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(PositionFault, match=str(MAX_TEXT)):
        positions_of("a" * (MAX_TEXT + 1))


def fields_of(block: bytes) -> dict[str, str]:
    """Read one block as the standard says: a field a line, and no line but those."""
    assert block.endswith(b"\n\n")
    lines = block[:-2].decode().split("\n")
    return dict(line.split(": ", 1) for line in lines if not line.startswith(":"))


@given(st.text(), st.text("ab~019", min_size=1))
def test_a_record_is_one_event_whatever_its_text(text: str, position: str) -> None:
    text = text.encode(errors="replace").decode()
    block = entry_event("t", LiveRecord(0, 1, None, json_bytes({"value": text})), position)
    fields = fields_of(block)
    assert fields.keys() == {"event", "id", "data"}
    assert json.loads(fields["data"]) == {"value": text}
    assert (fields["event"], fields["id"]) == ("record", position)


def test_a_gap_says_from_where_to_where_and_why() -> None:
    fields = fields_of(entry_event("kpi.updates", Gap(2, 5, 9, "retention"), "p"))
    told = json.loads(fields["data"])
    assert fields["event"] == "gap"
    assert (told["topic"], told["partition"], told["from"], told["to"], told["reason"]) == (
        "kpi.updates",
        2,
        5,
        9,
        "retention",
    )
    assert told["detail"]


def test_a_position_is_an_event_that_scripts_see_and_none_where_it_is_not_known() -> None:
    expected = {"event": "position", "id": "kpi.updates~-~1", "data": "{}"}
    assert fields_of(position_event("kpi.updates~-~1")) == fields_of(heartbeat("kpi.updates~-~1")) == expected
    assert heartbeat("") == b": heartbeat\n\n"
    assert position_event("") == b""  # an empty id would make a browser forget the one it has


@pytest.mark.parametrize(("away", "state"), [(None, "back"), ("no broker", "away")])
def test_a_status_has_no_id(away: str | None, state: str) -> None:
    fields = fields_of(status_event("kpi.updates", away))
    assert fields.keys() == {"event", "data"}
    assert json.loads(fields["data"]) == {"topic": "kpi.updates", "state": state, "detail": away}
