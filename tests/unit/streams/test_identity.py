from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.identity import NAMESPACE, derived_id

PARTS = st.lists(st.text() | st.text("\\u\x1f"), min_size=1, max_size=4)


def test_the_same_parts_give_the_same_id_in_every_run() -> None:
    assert derived_id("request-1", "draft", "0") == derived_id("request-1", "draft", "0")
    assert derived_id("a") == "33824c77-a13e-58c2-a349-102bdd13e415"


@given(PARTS, PARTS)
def test_different_parts_give_different_ids(left: list[str], right: list[str]) -> None:
    assert (derived_id(*left) == derived_id(*right)) == (left == right)


@given(PARTS)
def test_an_id_is_the_uuid5_of_the_escaped_parts(parts: list[str]) -> None:
    name = "\x1f".join(part.replace("\\", "\\\\").replace("\x1f", "\\u") for part in parts)
    assert derived_id(*parts) == str(uuid.uuid5(NAMESPACE, name))


def test_no_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one part"):
        derived_id()
