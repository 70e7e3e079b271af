"""Which blocks of the log are in the tables whole: those that a replay wrote, and of which no row is missing since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from psycopg import AsyncConnection

from schemas.records import LogPosition
from sinks.postgres.column_tables import COLUMN_TABLES, ColumnTable
from sinks.postgres.table import filled
from streams.engine.batch import TopicPartition
from streams.replaying.target import KnownRange

BLOCK_OFFSETS = 8_192
Block = tuple[int, int]
"""Partition, and the number of the block in it."""


async def known_blocks(
    connection: AsyncConnection, table: ColumnTable, topic_id: str, positions: Sequence[LogPosition]
) -> list[KnownRange]:
    """Return the ranges, within what is to be read of the table's topic, of which every row is there.

    Of each block the rows are counted, and their number compared with that of when it was written.
    """
    wanted = {block for each in positions for block in _whole_blocks(each.partition, each.next, each.end)}
    if not wanted:
        return []
    sql, span = _statements(table), _span(wanted)
    told = {"topic": table.topic, "topic_id": topic_id, **span}
    remembered = _by_block(await (await connection.execute(sql["blocks"], told)).fetchall())
    if not wanted & remembered.keys():
        return []
    rows = await _rows(connection, table, wanted & remembered.keys())
    there = sorted(block for block in wanted & remembered.keys() if rows.get(block, 0) == remembered[block])
    return [
        KnownRange(TopicPartition(table.topic, partition), number * BLOCK_OFFSETS, (number + 1) * BLOCK_OFFSETS)
        for partition, number in there
    ]


async def remember_blocks(
    connection: AsyncConnection, table: ColumnTable, topic_id: str, positions: Sequence[LogPosition]
) -> None:
    """Note the blocks that lie whole within what was read, with the rows that the table has of each."""
    written = sorted({block for each in positions for block in _whole_blocks(each.partition, each.start, each.next)})
    if not written:
        return
    rows = await _rows(connection, table, written)
    async with connection.cursor() as cursor:
        await cursor.executemany(
            _statements(table)["remember"],
            [
                {
                    "topic": table.topic,
                    "topic_id": topic_id,
                    "partition": partition,
                    "block": number,
                    "rows": rows.get((partition, number), 0),
                }
                for partition, number in written
            ],
        )


def tables_of(positions: Sequence[LogPosition]) -> Iterator[tuple[ColumnTable, list[LogPosition]]]:
    """Yield the tables whose topics are read, each with its positions: those of rows that nothing else is made of."""
    for table in COLUMN_TABLES:
        of_table = [each for each in positions if each.topic == table.topic]
        if of_table:
            yield table, of_table


def _whole_blocks(partition: int, start: int, end: int) -> Iterator[Block]:
    first = -(-start // BLOCK_OFFSETS)
    return ((partition, number) for number in range(first, end // BLOCK_OFFSETS))


def _span(blocks: Sequence[Block] | set[Block]) -> dict[str, int]:
    numbers = [number for _, number in blocks]
    return {"first": min(numbers), "end": max(numbers) + 1}


async def _rows(
    connection: AsyncConnection, table: ColumnTable, blocks: Sequence[Block] | set[Block]
) -> dict[Block, int]:
    told = {"block_offsets": BLOCK_OFFSETS, **_span(blocks)}
    return _by_block(await (await connection.execute(_statements(table)["rows"], told)).fetchall())


def _by_block(found: Sequence[tuple[int, int, int]]) -> dict[Block, int]:
    return {(partition, block): rows for partition, block, rows in found}


def _statements(table: ColumnTable) -> Mapping[str, bytes]:
    return filled("replayed.sql", table=table.name)
