"""Dead letters: records that could not be processed, with their bytes and the reason."""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from agents.gateway.parameters import (
    USUAL_ITEMS,
    Cursor,
    Found,
    Limit,
    Moment,
    Page,
    PathId,
    SinceParam,
    TextParam,
    example,
    iso,
    page_of,
    time_place,
)
from agents.gateway.problems import not_found
from agents.gateway.routing import router
from agents.gateway.state import TheGateway

ROUTER = router("dead letters")
SHOWN_BYTES = 2_048  # of each record in a list; all of them of one
HEX_BYTES = 64
MOST_BYTES = 2**30


class LetterHeader(BaseModel):
    """A header of the record; its value is base64, null where it has none."""

    name: str
    value: str | None


class Letter(BaseModel):
    """A dead letter: what was wrong with which record, and the record's bytes."""

    event_id: str
    occurred_at: Moment
    consumer: str = Field(description="The role that could not process it.")
    topic: str
    partition: int
    offset: int
    source_timestamp: Moment
    error_class: str
    reason: str
    key: str | None = Field(description="Base64.")
    bytes: str | None = Field(description=f"Base64; in lists of the first {SHOWN_BYTES:,} bytes. Null: a tombstone.")
    bytes_complete: bool
    hex: str | None = Field(description=f"The first {HEX_BYTES} bytes.")
    size: int | None
    headers: list[LetterHeader]


LETTER_EXAMPLE: Found = {
    "event_id": "9c0d1e2f-3041-5263-a485-96a7b8c9d0e1",
    "occurred_at": "2026-11-22T09:42:00.000+00:00",
    "consumer": "kpis",
    "topic": "engagement.events",
    "partition": 0,
    "offset": 4_712,
    "source_timestamp": "2026-11-22T09:41:59.000+00:00",
    "error_class": "DecodeFault",
    "reason": "expected magic byte 0x00, a 4-byte schema id and an Avro body",
    "key": "YWRh",
    "bytes": "eyJ9",
    "bytes_complete": True,
    "hex": "7b 22 7d",
    "size": 3,
    "headers": [{"name": "trace", "value": None}],
}


@ROUTER.get(
    "/v1/dead-letters",
    summary="List dead letters, the newest first",
    responses=example(200, {"items": [LETTER_EXAMPLE], "next_cursor": None}),
)
async def list_letters(
    gateway: TheGateway,
    *,
    topic: Annotated[TextParam, Query(description="Only of records of this topic.")] = None,
    consumer: Annotated[TextParam, Query(description="Only of this role.")] = None,
    reason: Annotated[
        TextParam, Query(description="Only where the reason holds this text, upper or lower case.")
    ] = None,
    since: SinceParam = None,
    limit: Limit = USUAL_ITEMS,
    cursor: Cursor = None,
) -> Page[Letter]:
    """For those who see all tenants: what could not be read belongs to nobody."""
    chosen = {"topic": topic, "consumer": consumer, "contains": reason, "since": since, "letter": None}
    rows = await gateway.database.rows(
        "dead_letters", {**chosen, **time_place(cursor), "most_bytes": SHOWN_BYTES, "limit": limit + 1}
    )
    found: Page[Letter] = page_of(
        [_letter(row) for row in rows], limit, lambda item: [item["occurred_at"], item["event_id"]]
    )
    return found


@ROUTER.get(
    "/v1/dead-letters/{letter_id}",
    summary="Show one dead letter with all of its bytes",
    responses=example(200, LETTER_EXAMPLE),
)
async def one_letter(letter_id: PathId, gateway: TheGateway) -> Letter:
    """By its event_id."""
    chosen = {"topic": None, "consumer": None, "contains": None, "since": None, "letter": letter_id}
    rows = await gateway.database.rows(
        "dead_letters", {**chosen, **time_place(None), "most_bytes": MOST_BYTES, "limit": 1}
    )
    if not rows:
        raise not_found("dead letter", letter_id, "/v1/dead-letters")
    return Letter.model_validate(_letter(rows[0]))


def _letter(row: Found) -> Found:
    value, size = row["value"], row["size"]
    return {
        **{name: row[name] for name in ("event_id", "consumer", "error_class", "reason", "size", "headers")},
        "occurred_at": iso(row["occurred_at"]),
        "topic": row["source_topic"],
        "partition": row["source_partition"],
        "offset": row["source_offset"],
        "source_timestamp": iso(row["source_timestamp"]),
        "key": _base64(row["record_key"]),
        "bytes": _base64(value),
        "bytes_complete": value is None or len(value) == size,
        "hex": None if value is None else value[:HEX_BYTES].hex(" "),
    }


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
