"""Records within records as columns with dotted names: `{"post": {"id": 1}}` has the column `post.id`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agents.importing.cells.typed import Cell


def flattened(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the columns of a record with their values; a list is one value, as JSON."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, _plain(value)


def plain(values: Sequence[Any]) -> Sequence[Cell]:
    """Return the values of a row as cells; lists and objects are JSON."""
    return [_plain(value) for value in values]


def _plain(value: Any) -> Cell:  # noqa: ANN401 - whatever a source gives; what can't be a cell is refused where it is read
    if isinstance(value, list | tuple | set):
        return json.dumps(list(value), ensure_ascii=False, default=str)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value  # type: ignore[no-any-return]
