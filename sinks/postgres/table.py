"""The contract of a table: how the records of its topics get into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import polars as pl
from psycopg import AsyncConnection

from streams.engine.batch import Batch

Changes = pl.DataFrame
"""Rows that a transaction added (sign 1) or took back (sign -1): the columns that totals are made of, and sign."""


class Table(Protocol):
    """A table of PostgreSQL that is filled from topics.

    `write` works in the transaction that is open on the connection, in chunks of which none takes longer than
    `timeout_s`. The rows depend on the records and their offsets alone, not on batching, order or repetition.
    It returns what it changed, None where nothing is counted by that.
    """

    @property
    def name(self) -> str: ...

    @property
    def topics(self) -> tuple[str, ...]: ...

    async def write(
        self, connection: AsyncConnection, batches: Sequence[Batch], timeout_s: float
    ) -> Changes | None: ...
