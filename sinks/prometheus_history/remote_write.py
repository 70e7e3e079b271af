"""Prometheus's remote write 1.0: samples as a snappy-compressed protobuf message.

https://prometheus.io/docs/specs/prw/remote_write_spec/ has the messages; theirs are few enough to be encoded here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import aiohttp
import cramjam

from sinks.prometheus_history.samples import Labels
from streams.errors import Unavailable

PATH = "/api/v1/write"
HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
TOLD_BYTES = 300  # of an answer, in an error
_OF_SAMPLES = ("too old sample", "out of order sample", "out of bounds", "duplicate sample")  # of some versions a 500
_VARINT, _FIXED64, _BYTES = 0, 1, 2  # wire types
Series = Mapping[Labels, Sequence[tuple[int, float]]]


class NoReceiver(Exception):
    """The server takes no remote write."""


class SamplesRefused(Exception):
    """The server took none of the samples, for one of them; the text is what it says."""


class RemoteWrite:
    """Writes to one Prometheus; used from one task at a time."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def write(self, series: Series) -> None:
        """Write samples of series, each in order of time.

        Raises:
            NoReceiver: the server has no such interface, or it is not enabled.
            SamplesRefused: one of them is too old, or another value is there; none was taken.
            Unavailable: the server is away or too busy.
        """
        body = bytes(cramjam.snappy.compress_raw(encoded(series)))
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.post(self._url + PATH, data=body, headers=HEADERS) as answer:
                status, said = answer.status, (await answer.read())[:TOLD_BYTES].decode(errors="replace").strip()
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"Prometheus at {self._url} does not answer: {error or type(error).__name__}") from error
        if status == HTTPStatus.NOT_FOUND:
            raise NoReceiver(said)
        if status == HTTPStatus.BAD_REQUEST or any(reason in said for reason in _OF_SAMPLES):
            raise SamplesRefused(said)
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            raise Unavailable(f"Prometheus at {self._url} answers {status}: {said}")

    async def close(self) -> None:
        """Disconnect; the next call connects again."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def encoded(series: Series) -> bytes:
    """Return the message WriteRequest."""
    return b"".join(_message(1, _time_series(labels, values)) for labels, values in series.items())


def _time_series(labels: Labels, values: Sequence[tuple[int, float]]) -> bytes:
    named = (_message(1, _text(1, name) + _text(2, value)) for name, value in labels)
    samples = (
        _message(2, _tag(1, _FIXED64) + struct.pack("<d", value) + _tag(2, _VARINT) + varint(time_ms))
        for time_ms, value in values
    )
    return b"".join((*named, *samples))


def _message(number: int, content: bytes) -> bytes:
    return _tag(number, _BYTES) + varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode())


def _tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def varint(number: int) -> bytes:
    """Return an int64 as protobuf writes it: seven bits a byte, the lowest first, negative ones as 64 bits."""
    rest, out = number % 2**64, bytearray()
    while rest > 0x7F:  # noqa: PLR2004 - seven bits
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)
