"""A rebuild as a run in operations.runs: who, what, how far, and what was found."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any, ClassVar, Protocol

from streams.kafka.cluster import Cluster
from streams.operations.runs import ToldRun, new_run, telling

MAX_DETAIL_BYTES = 100_000  # a record has room for more; who wants all has --json


@asynccontextmanager
async def telling_rebuild(
    cluster: Cluster,
    target: str,
    selection: str,
    requested_by: str | None,
    found: Callable[[], dict[str, Any]],
    *,
    selected: int | None = None,
) -> AsyncIterator[ToldRun]:
    """Tell of a rebuild from its beginning to its end, at last what was `found`; raises as `telling` does."""
    run = new_run("rebuild", selection=selection, target=target, requested_by=requested_by, selected=selected)
    async with telling(cluster, run) as told:
        try:
            yield told
        finally:
            await told.tell(detail=detail_text(found()))


class Words(Protocol):
    """Switches of a command line: true, or a number, where they were given."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


def words_of(wanted: Words) -> str:
    """Return what is asked of a rebuild in the words of the command line."""
    given = [(f"--{each.name.replace('_', '-')}", getattr(wanted, each.name)) for each in fields(wanted)]
    said = [name if value is True else f"{name} {value:g}" for name, value in given if value]
    return " ".join(("from the beginning of the log", *said))


def detail_text(detail: dict[str, Any]) -> str:
    """Return the detail of a run as JSON, without the examples of what differs where they are too long."""
    text = json.dumps(detail, ensure_ascii=False, default=str)
    if len(text.encode()) <= MAX_DETAIL_BYTES:
        return text
    return json.dumps({name: value for name, value in detail.items() if name != "differences"}, default=str)
