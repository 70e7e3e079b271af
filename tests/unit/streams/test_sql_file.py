"""SQL files: named statements."""

from __future__ import annotations

import pytest

from streams.postgres_session import parse_statements


def test_statements_are_split_by_their_names() -> None:
    found = parse_statements("-- name: one\nSELECT 1;\n-- a comment\n\n-- name: two\nSELECT 2;\n")
    assert dict(found) == {"one": b"SELECT 1;\n-- a comment", "two": b"SELECT 2;"}


@pytest.mark.parametrize("text", ["", "SELECT 1;", "SELECT 1;\n-- name: a\nSELECT 2;", "-- name: a\n1\n-- name: a\n2"])
def test_a_file_without_distinct_names_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_statements(text)
