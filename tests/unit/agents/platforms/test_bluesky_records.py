"""A post of Bluesky: its key follows from the part, and what is marked in its text is counted in bytes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.platforms.bluesky_records import (
    FIRST_MICROS,
    MICROS_BITS,
    TID_DIGITS,
    Address,
    facets,
    post_record,
    record_key,
    reply_to,
)
from agents.platforms.contract import Account, NotThere, Outgoing

DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
ADA = Account("ada", "bluesky", "https://bsky.social", DID, "ada.example", "secret")
AT = datetime(2026, 11, 27, 9, 0, 0, 123_456, tzinfo=UTC)
TID = re.compile(r"[234567abcdefghij][234567a-z]{12}")
WORDS = st.sampled_from(
    ["☕", "👩‍👩‍👧‍👦", "чай", "tea", "#чай", "https://example.com/a?b=ü", "e\u0301", "🏳️‍🌈", "\n", "www.example.org"]
)
SEPARATORS = st.sampled_from([" ", "  ", "\n"])


def marked(text: str) -> list[tuple[str, str]]:
    """Return what each facet covers in the text's bytes, and what it says."""
    raw = text.encode()
    found = []
    for facet in facets(text):
        index: Any = facet["index"]
        [feature] = facet["features"]
        covered = raw[index["byteStart"] : index["byteEnd"]].decode()
        found.append((covered, feature.get("uri") or feature["tag"]))
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Read https://example.com/a?b=1.", [("https://example.com/a?b=1", "https://example.com/a?b=1")]),
        (
            "☕ www.example.com, and example.org/x!",
            [("www.example.com", "https://www.example.com"), ("example.org/x", "https://example.org/x")],
        ),
        ("Чай ☕ #чай #tea_time", [("#чай", "чай"), ("#tea_time", "tea_time")]),
        ("#one, #two!", [("#one", "one"), ("#two", "two")]),
        ("no#tag #1 # #️⃣ C#", []),
        ("https://example.com/#part", [("https://example.com/#part", "https://example.com/#part")]),
        ("\uff03茶 is tea", [("\uff03茶", "茶")]),
        ("#" + "a" * 65, []),
        ("", []),
    ],
)
def test_links_and_tags_are_found_where_they_stand(text: str, wanted: list[tuple[str, str]]) -> None:
    assert marked(text) == wanted


@given(st.lists(st.tuples(WORDS, SEPARATORS), max_size=12))
def test_offsets_are_bytes_in_order_and_cover_whole_characters(words: list[tuple[str, str]]) -> None:
    text = "".join(word + separator for word, separator in words)
    wanted = [word for word, _ in words if word.startswith(("#", "http", "www"))]
    assert [covered for covered, _ in marked(text)] == wanted


@given(st.text(max_size=60))
def test_no_text_breaks_them_and_none_overlap(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    ends = 0
    for facet in facets(text):
        assert ends <= facet["index"]["byteStart"] < facet["index"]["byteEnd"] <= len(text.encode())
        ends = facet["index"]["byteEnd"]


@given(st.lists(st.text(), unique=True, max_size=20))
def test_a_key_is_a_tid_of_the_past_that_follows_from_the_part(keys: list[str]) -> None:
    made = [record_key(key) for key in keys]
    assert made == [record_key(key) for key in keys]
    assert len(set(made)) == len(keys)
    for each in made:
        assert TID.fullmatch(each)
        value = 0
        for digit in each:
            value = value * 32 + TID_DIGITS.index(digit)
        assert FIRST_MICROS <= value >> 10 < FIRST_MICROS + 2**MICROS_BITS


def test_the_last_moment_of_a_key_is_past() -> None:
    assert datetime.fromtimestamp((FIRST_MICROS + 2**MICROS_BITS) / 1e6, UTC) < datetime(2026, 1, 1, tzinfo=UTC)


def test_a_record_has_its_time_in_utc_its_links_and_a_card() -> None:
    at = AT.astimezone(timezone(timedelta(hours=2)))
    record = post_record(Outgoing("k", "See www.example.com", topic_tag="tea", link="https://example.com/b"), at, None)
    assert record["createdAt"] == "2026-11-27T09:00:00.123Z"
    assert record["tags"] == ["tea"]
    assert record["facets"][0]["index"] == {"byteStart": 4, "byteEnd": 19}
    assert record["embed"]["external"] == {"uri": "https://example.com/b", "title": "example.com", "description": ""}
    assert post_record(Outgoing("k", "Plain."), at, None) == {
        "$type": "app.bsky.feed.post",
        "text": "Plain.",
        "createdAt": "2026-11-27T09:00:00.123Z",
    }


def test_a_reply_refers_to_its_parent_and_to_the_root_of_the_thread() -> None:
    parent = Address(DID, "3kparent")
    own = {"uri": str(parent), "cid": "bafyparent"}
    root = {"uri": f"at://{DID}/app.bsky.feed.post/3kroot", "cid": "bafyroot"}
    assert reply_to(parent, "bafyparent", {"text": "The root."}) == {"root": own, "parent": own}
    assert reply_to(parent, "bafyparent", {"reply": {"root": root, "parent": root}}) == {"root": root, "parent": own}
    assert reply_to(parent, "bafyparent", {"reply": {"root": {"uri": 1}}}) == {"root": own, "parent": own}


def test_an_address_is_read_whole_or_as_a_key_of_the_account() -> None:
    assert str(Address.of("3kabc", ADA)) == f"at://{DID}/app.bsky.feed.post/3kabc"
    assert Address.of("at://did:web:other.example/app.bsky.feed.post/3k", ADA) == Address("did:web:other.example", "3k")
    for wrong in ("", ".", "..", "a b", "at://", f"at://{DID}/app.bsky.feed.like/3k", "a/b", "é", "a" * 513):
        with pytest.raises(NotThere, match="no address"):
            Address.of(wrong, ADA)
