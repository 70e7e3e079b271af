"""Appending for many requests at once: what comes while an append is under way goes with the next, as one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.engine.stage import Output
from streams.errors import RecordFault, Unavailable
from streams.kafka.producer import EventProducer

MOST_WAITING = 50_000  # records; beyond that nobody is served who joins the queue


@dataclass(slots=True)
class _Waiting:
    outputs: Sequence[Output]
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class GroupAppender:
    """Make records durable for many tasks with few appends.

    What one task gives is appended whole or refused whole, in its order. One append is under way at a time.
    """

    def __init__(self, producer: EventProducer, timeout_s: float) -> None:
        self._producer = producer
        self._timeout_s = timeout_s
        self._waiting: list[_Waiting] = []
        self._records = 0
        self._appending: asyncio.Task[None] | None = None

    async def append(self, outputs: Sequence[Output]) -> None:
        """Append records and wait until all are acknowledged.

        Raises:
            RecordFault: one of them does not fit its schema or is too large; none was sent.
            Unavailable: Kafka does not answer in time; some may have been written, send all again.
        """
        if self._records + len(outputs) > MOST_WAITING:
            raise Unavailable(f"{self._records} records wait for Kafka, and no more can")
        mine = _Waiting(outputs)
        self._waiting.append(mine)
        self._records += len(outputs)
        if self._appending is None or self._appending.done():
            self._appending = asyncio.create_task(self._append_all())
        try:
            async with asyncio.timeout(self._timeout_s):
                await mine.done
        except TimeoutError as error:
            raise Unavailable(f"Kafka did not acknowledge within {self._timeout_s:g} s") from error
        finally:
            if mine in self._waiting:  # given up before its turn: it is not sent any more
                self._waiting.remove(mine)
                self._records -= len(outputs)

    async def close(self) -> None:
        """Wait until nothing is under way."""
        if self._appending is not None:
            await asyncio.wait([self._appending], timeout=self._timeout_s)

    async def _append_all(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                await self._append_group(group)
            finally:
                self._records -= sum(len(each.outputs) for each in group)
                for each in group:
                    if not each.done.done():
                        each.done.cancel()

    async def _append_group(self, group: Sequence[_Waiting]) -> None:
        try:
            await self._producer.append_all([output for each in group for output in each.outputs])
        except RecordFault as fault:
            if len(group) == 1:
                _fail(group, fault)
            else:  # one of them is at fault, and none was sent
                for each in group:
                    await self._append_group([each])
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            _fail(group, error)
        else:
            for each in group:
                if not each.done.done():
                    each.done.set_result(None)


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    for each in group:
        if not each.done.done():
            each.done.set_exception(error)
