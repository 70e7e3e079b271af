"""Pages of OpenAI's usage and cost API as a source: a row for each result of each bucket, columns by dotted names.

Documented (API reference, Usage and Costs): `{"object": "page", "data": [{"object": "bucket", "start_time", "end_time",
"results": [{...}]}], "has_more", "next_page"}`; older answers and examples call the results `result`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from agents.importing.cells.visible_text import ImportFault
from agents.importing.sources.nested import flattened
from agents.importing.sources.opening import Origin
from agents.importing.sources.source import Digest, FileOnDisk, IsHeader, Row, Table, Unit

MOST_BYTES = 64 * 2**20  # of a page, which has 180 buckets at most
_HEAD_BYTES = 512


@dataclass(frozen=True, slots=True)
class UsagePages(FileOnDisk):
    """A file that is one page, or a list of pages."""

    path: Path

    @property
    def unit(self) -> Unit:
        """Return that places are records: results, counted from 1."""
        return "record"

    @property
    def described(self) -> str:
        """Return what it is."""
        return "JSON, pages of OpenAI's usage API"

    @contextmanager
    def open(self, digest: Digest | None = None, is_header: IsHeader | None = None) -> Iterator[Table]:  # noqa: ARG002
        """Read the file; raises ImportFault where it is larger than a page, or has no buckets."""
        if self.size > MOST_BYTES:
            raise ImportFault(f"{self.name} is larger than {MOST_BYTES // 2**20} MiB: save each page as a file.")
        records = list(_results(_pages(self.path), self.name))
        header = list(dict.fromkeys(name for record in records for name in record))
        rows = (Row(at, at, [record.get(name) for name in header]) for at, record in enumerate(records, start=1))
        yield Table(header, rows, self)


def usage_pages_of(origin: Origin) -> UsagePages | None:
    """Return the source that a file of pages is, None where it is something else."""
    if not isinstance(origin, Path) or not origin.is_file():
        return None
    with origin.open("rb") as stream:
        head = b"".join(stream.read(_HEAD_BYTES).split())
    is_pages = head.removeprefix(b"\xef\xbb\xbf").startswith((b"{", b"[")) and b'"object":"page"' in head
    return UsagePages(origin) if is_pages else None


def _pages(path: Path) -> list[Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except (OSError, ValueError, RecursionError) as error:
        raise ImportFault(f"{path.name}: not readable as JSON ({error}); save the whole answer of the API.") from None
    return found if isinstance(found, list) else [found]


def _results(pages: list[Any], file_name: str) -> Iterator[dict[str, Any]]:
    found = False
    for page in pages:
        for bucket in page.get("data") or () if isinstance(page, Mapping) else ():
            if not isinstance(bucket, Mapping):
                continue
            times = {name: bucket.get(name) for name in ("start_time", "end_time")}
            for result in bucket.get("results") or bucket.get("result") or ():
                found = True
                yield times | dict(flattened(result))
    if not found:
        raise ImportFault(f"{file_name} is a page of OpenAI's usage API without results: there is nothing to import.")
