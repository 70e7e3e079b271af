"""A selection says itself in one way, and contradicts itself nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from streams.replaying.selection import BadSelection, Selection

MARCH_MS = 1_772_323_200_123


def test_the_same_selection_has_the_same_words() -> None:
    one = Selection(topics=("b", "a"), partitions=(2, 0), keys=("y", "x", "y"), since_ms=MARCH_MS, last=5)
    other = Selection(topics=("a", "b"), partitions=(0, 2), keys=("x", "y"), since_ms=MARCH_MS, last=5)
    words = "a b --partition 0 --partition 2 --since 2026-03-01T00:00:00.123Z --key x --key y --last 5"
    assert one.text == other.text == words


def test_offsets_and_times_are_told() -> None:
    selection = Selection(topics=("a",), from_offset=0, to_offset=7, until_ms=0)
    assert selection.text == "a --until 1970-01-01T00:00:00.000Z --from-offset 0 --to-offset 7"


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"topics": ()}, "at least one"),
        ({"topics": ("a", "a")}, "each topic once"),
        ({"topics": ("a", "b"), "from_offset": 0}, "offsets are of one topic"),
        ({"topics": ("a",), "from_offset": 5, "to_offset": 5}, "--from-offset 5 is not before --to-offset 5"),
        ({"topics": ("a",), "since_ms": 5, "until_ms": 4}, "--since is not before --until"),
        ({"topics": ("a",), "last": 0}, "from 1 on"),
    ],
)
def test_a_selection_that_contradicts_itself_is_refused(chosen: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSelection, match=said):
        Selection(**chosen)
