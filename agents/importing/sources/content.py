"""The content of a file as a stream of bytes, unpacked where it is gzip or zstd, and the faults of reading it."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import zstandard

from agents.importing.cells.visible_text import ImportFault
from agents.importing.sources.source import Digest

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER_BYTES = 2**18
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
MAGIC_BYTES = 4
PACKED_BYTES = 2**14  # read at once; a chunk of zeros unpacks to some thousand times as much


@contextmanager
def open_content(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file, unpacked if it is packed, whatever its name says.

    Raises:
        ImportFault: it can't be read, or what it was packed with is broken; also while it is read within the context.
    """
    try:
        with _opened(path) as stream:
            yield stream
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ImportFault(f"{path.name}: the gzip data is broken or cut off ({error}); fetch the file again.") from None
    except zstandard.ZstdError as error:
        raise ImportFault(f"{path.name}: the zstd data is broken or cut off ({error}); fetch the file again.") from None
    except OSError as error:
        why = error.strerror or error
        raise ImportFault(f"{path}: can't be read ({why}); check the path and its permissions.") from None


def _opened(path: Path) -> io.BufferedReader:
    with path.open("rb") as stream:
        magic = stream.read(MAGIC_BYTES)
    if magic.startswith(GZIP_MAGIC):
        unpacked = cast("io.RawIOBase", gzip.GzipFile(path))  # its own readline is slow, the buffer's is not
        return io.BufferedReader(unpacked, BUFFER_BYTES)
    if magic == ZSTD_MAGIC:
        return io.BufferedReader(_Zstd(path), BUFFER_BYTES)
    return io.BufferedReader(io.FileIO(path), BUFFER_BYTES)


def digest_file(path: Path, digest: Digest | None) -> None:
    """Have a digest, if there is one, take the content of a file as it is; raises OSError."""
    if digest is not None:
        with path.open("rb") as stream:
            while chunk := stream.read(BUFFER_BYTES):
                digest.update(chunk)


class _Zstd(io.RawIOBase):
    """A zstd file of one frame or several, unpacked; unlike the library's own reader it tells one that is cut off."""

    def __init__(self, path: Path) -> None:
        self._packed = path.open("rb")
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._unpacked = memoryview(b"")
        self._rest = b""  # of what was read, behind the end of a frame
        self._within = False

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def close(self) -> None:
        """Close the file."""
        self._packed.close()
        super().close()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer as far as there is something.

        Raises:
            zstandard.ZstdError: the data is broken or ends within a frame.
        """
        while not self._unpacked:
            if self._frame.eof:
                self._rest = self._frame.unused_data
                self._frame, self._within = zstandard.ZstdDecompressor().decompressobj(), False
            chunk, self._rest = self._rest or self._packed.read(PACKED_BYTES), b""
            if not chunk and self._within:
                raise zstandard.ZstdError("it ends within a frame")
            if not chunk:
                return 0
            self._unpacked, self._within = memoryview(self._frame.decompress(chunk)), True
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._unpacked))
        target[:count] = self._unpacked[:count]
        self._unpacked = self._unpacked[count:]
        return count
