"""Frames to PostgreSQL and back: as CSV that Polars writes and reads, through COPY."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Literal

import polars as pl
from psycopg import AsyncConnection

_DATETIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.3f+00:00"  # Z is an abbreviation, which a server may be told not to know


async def copy_in(connection: AsyncConnection, copy: bytes, frame: pl.DataFrame) -> None:
    """Send a frame's rows by a statement COPY ... FROM STDIN (FORMAT csv) that names its columns in their order."""
    # A text \\. alone on its line would end the COPY.
    quotes: Literal["always", "necessary"] = "always" if frame.width == 1 else "necessary"
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False, datetime_format=_DATETIME_FORMAT, quote_style=quotes)
    async with connection.cursor() as cursor, cursor.copy(copy) as stream:
        await stream.write(buffer.getbuffer())


async def copy_out(connection: AsyncConnection, copy: bytes, schema: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows of a statement COPY ... TO STDOUT (FORMAT csv, HEADER), its columns of the types in `schema`."""
    async with connection.cursor() as cursor, cursor.copy(copy) as stream:
        text = b"".join([bytes(part) async for part in stream])
    return pl.read_csv(text, schema=dict(schema))
