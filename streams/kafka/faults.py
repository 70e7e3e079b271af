"""Kafka's errors as the platform's: a record too large is a fault of its own, all else is a broker to wait for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import (
    InvalidTimestampError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    UnknownTopicOrPartitionError,
)

from streams.errors import RecordFault, ThreadsError, Unavailable

CLIENT_ERRORS: tuple[type[Exception], ...] = (KafkaError, OSError)  # TimeoutError is an OSError


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


@contextmanager
def translating(doing: str, bootstrap: str) -> Iterator[None]:
    """Turn CLIENT_ERRORS of the block into RecordFault or Unavailable; other errors pass."""
    try:
        yield
    except CLIENT_ERRORS as error:
        raise translated(error, doing, bootstrap) from error
