"""What must hold of every table: identifiers are whole, and no line is wider than the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len

TERMINALS = (60, 80, 120)

LONG = "night-shift-nora-of-the-second-floor-who-writes-about-naps-and-trains-in-four-languages-at-least"
IDS = (
    "nova",
    "night-shift-nora",
    "日本の人格番号十二",
    "👩‍🚀-astro-🚀",
    "אישיות-שלי-12",
    "שלום",
    "a b",
    LONG,
    LONG * 3,
)
"""Identifiers of any width and script; the last are longer than a terminal."""


def assert_whole(lines: Sequence[str], ids: Iterable[str], columns: int) -> None:
    """Check that no line is too wide, and that each id stands in a line, or where it is longer in several."""
    too_wide = [line for line in lines if cell_len(line) > columns]
    assert not too_wide
    everything = "".join(lines)
    cut = [each for each in ids if each not in everything]
    assert not cut
    split = [each for each in ids if cell_len(each) <= columns and not any(each in line for line in lines)]
    assert not split
