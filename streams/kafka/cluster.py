"""The Kafka cluster: where it is, what every client of it does alike, and its errors as the platform's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Self

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    UnknownTopicOrPartitionError,
)

from schemas.registries.registry import SchemaRegistry, open_registry
from streams.endpoints import require_kafka, resolve
from streams.errors import RecordFault, ThreadsError, Unavailable
from streams.settings import Settings

CLIENT_ERRORS: tuple[type[Exception], ...] = (KafkaError, OSError)  # TimeoutError is an OSError
CHECK_TIMEOUT_S = 8.0
RETRY_BACKOFF_MS = 100
CONNECT_ERRORS: tuple[type[Exception], ...] = (*CLIENT_ERRORS, ValueError)  # ValueError: an address without a port


def translated(error: BaseException, doing: str, bootstrap: str) -> ThreadsError:
    """Return the platform's error for one of CLIENT_ERRORS; `doing` completes "while ..."."""
    if isinstance(error, MessageSizeTooLargeError):
        return RecordFault(
            f"Kafka at {bootstrap} refused a record as too large while {doing}: {error}; "
            "send less, or raise THREADS_MAX_RECORD_BYTES and run `threads-agent topics create`"
        )
    if isinstance(error, UnknownTopicOrPartitionError):
        return Unavailable(
            f"Kafka at {bootstrap} has no such topic or partition while {doing}; run `threads-agent topics create`"
        )
    if isinstance(error, InvalidTimestampError):
        return Unavailable(
            f"Kafka at {bootstrap} refuses the time of a record while {doing}: the clocks of this machine and of the "
            "broker differ by more than its message.timestamp.after.max.ms (an hour by default); set this clock right"
        )
    return Unavailable(
        f"Kafka at {bootstrap} does not answer while {doing}: {reason_of(error)}; "
        "see that the broker is up and that THREADS_KAFKA, where it is set, names it"
    )


def reason_of(error: BaseException) -> str:
    """Return what one of CLIENT_ERRORS says, in words of the one who has to mend it."""
    if isinstance(error, KafkaConnectionError) and "bootstrap" in str(error):
        return "nothing accepts connections there"
    return str(error) or type(error).__name__


@dataclass(frozen=True, slots=True)
class Cluster:
    """The bootstrap servers (host:port, with commas between) and the settings of who speaks to them.

    Everything that reads, writes or administers topics takes one; it holds no connection. A worker, a command or a
    request makes it once, `of` its settings or `reached`, and hands it on.
    """

    bootstrap: str
    settings: Settings

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the cluster that is configured, else the embedded one; nothing is connected.

        Raises:
            SettingsError: there is neither.
        """
        return cls(require_kafka(settings), settings)

    @classmethod
    async def reached(cls, settings: Settings) -> Self:
        """Return the cluster `of` the settings when one of its brokers answers; so commands begin.

        Raises:
            SettingsError: there is none.
            Unavailable: it does not answer.
        """
        cluster = cls.of(settings)
        await cluster.check()
        return cluster

    def open_registry(self) -> SchemaRegistry:
        """Open the registry that knows the schemas of the records, for all who share this cluster."""
        return open_registry(resolve(self.settings).schemas, self.settings.unknown_schema_lookups)

    def client_options(self, client_id: str = "threads-agent") -> dict[str, Any]:
        """Return the keyword arguments for any aiokafka client: addresses, name and time-outs."""
        return {
            "bootstrap_servers": self.bootstrap,
            "client_id": client_id,
            "request_timeout_ms": int(self.settings.io_timeout_s * 1000),
            "retry_backoff_ms": RETRY_BACKOFF_MS,
        }

    async def check(self, timeout_s: float = CHECK_TIMEOUT_S) -> None:
        """Ask a broker for its metadata.

        Raises:
            Unavailable: none of the bootstrap servers answered within `timeout_s`.
        """
        client = AIOKafkaClient(**{**self.client_options(), "request_timeout_ms": int(timeout_s * 1000)})
        try:
            async with asyncio.timeout(timeout_s):
                await client.bootstrap()
        except CONNECT_ERRORS as error:
            reason = f"no answer within {timeout_s:g} s" if isinstance(error, TimeoutError) else reason_of(error)
            raise Unavailable(
                f"Kafka at {self.bootstrap} does not answer: {reason}. Start the embedded stack with "
                "`threads-agent up`, or set THREADS_KAFKA=host:port to a broker that is up"
            ) from error
        finally:
            await client.close()

    @asynccontextmanager
    async def exchange(self, doing: str, timeout_s: float | None = None) -> AsyncIterator[None]:
        """Guard requests of the body, all together for `timeout_s`, by default the io time-out; see `translating`."""
        with self.translating(doing):
            async with asyncio.timeout(self.settings.io_timeout_s if timeout_s is None else timeout_s):
                yield

    @contextmanager
    def translating(self, doing: str) -> Iterator[None]:
        """Turn errors of the client in the body into RecordFault or Unavailable; `doing` completes "while ..."."""
        try:
            yield
        except CLIENT_ERRORS as error:
            raise translated(error, doing, self.bootstrap) from error
