"""Export a persona: everything the log holds of it as JSON lines, a file a topic, and a manifest with checksums."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack, aclosing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Self

from agents.privacy.log_holdings import Finder, sources_of
from schemas.catalogue import CATALOGUE, Topic, topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import PlatformAccount
from streams.errors import ThreadsError, Unavailable
from streams.json_records import render_record
from streams.kafka.cluster import Cluster
from streams.kafka.compacted import newest_records
from streams.kafka.log_reader import LogReader
from streams.kafka.topics import those_there
from streams.operations.runs import new_run, telling
from streams.wall_clock import utc_now

MANIFEST = "manifest.json"
ACCOUNTS = topic_named("platform.accounts")
OWN_FOLDER, OWN_FILE = 0o700, 0o600  # what is written is personal


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of an export; `log_begins` are the offsets at which the partitions that were read begin by now."""

    name: str
    topic: str
    records: int
    undecoded: int
    bytes: int
    sha256: str
    log_begins: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Export:
    """What was written, and the run that the audit has."""

    folder: Path
    run_id: str
    files: tuple[ExportedFile, ...]

    @property
    def records(self) -> int:
        """Return how many records there are in all files."""
        return sum(each.records for each in self.files)


async def export_persona(cluster: Cluster, persona_id: str, folder: Path, requested_by: str | None = None) -> Export:
    """Write all there is of a persona into a folder that is made; it has its name only once it is whole.

    Memory does not grow with what is written. Records are in the order of their partitions, hidden ones are left out.

    Raises:
        ThreadsError: the folder is there already, or can't be written, or there is nothing to write.
        Unavailable: the broker or the registry is away.
    """
    _require_free(folder)
    run = new_run(
        "persona_export", selection=f"persona {persona_id}", target="JSON lines in a folder", requested_by=requested_by
    )
    part = folder.with_name(f"{folder.name}.{run.run_id}.part")
    async with telling(cluster, run) as told:
        try:
            part.mkdir(mode=OWN_FOLDER, parents=True)
            topics = [topic for topic in CATALOGUE if topic.owned_by]
            found = [await _topic(cluster, topic, persona_id, part) for topic in topics]
            files = tuple(each for each in (*found, await _accounts(cluster, persona_id, part)) if each is not None)
            if not files:
                part.rmdir()
                raise ThreadsError(
                    f"The log holds nothing of a persona {persona_id!r}; see `threads-agent personas list`"
                )
            export = Export(folder, run.run_id, files)
            _write_manifest(part / MANIFEST, export, persona_id)
            part.rename(folder)
        except OSError as error:
            raise ThreadsError(f"{folder} can't be written: {error.strerror}") from error
        await told.tell(read=export.records, written=export.records)
    return export


def _require_free(folder: Path) -> None:
    if folder.exists():
        raise ThreadsError(f"{folder} is there already: choose another folder, or move it away")


async def _topic(cluster: Cluster, topic: Topic, persona_id: str, folder: Path) -> ExportedFile | None:
    """Write the records of a topic; None, and no file, where there are none."""
    there = await those_there(cluster, [topic.name])
    sources = [each for count in there.values() for each in sources_of(topic, count, persona_id)]
    finder, codec = Finder(cluster, persona_id), RowCodec(cluster.open_registry())
    async with LogReader(cluster) as reader:
        bounds = await reader.whole(sources) if sources else {}
        hidden = await reader.hidden()
        with Lines(folder, topic.name) as lines:
            async with aclosing(reader.read(bounds)) as blocks:
                async for _, records in blocks:
                    for record in finder.of(topic, records):
                        if not hidden.hides(persona_id.encode(), record.timestamp):
                            lines.add(*_entry(codec, topic, record))
    return lines.told(topic.name, {str(source.partition): first for source, (first, _) in bounds.items()})


def _entry(codec: RowCodec, topic: Topic, record: Any) -> tuple[dict[str, Any], bool]:  # noqa: ANN401 - the client's
    place = {"partition": record.partition, "offset": record.offset, "timestamp_ms": record.timestamp}
    try:
        return {**place, "record": render_record(codec.decode(topic, record.value))}, True
    except DecodeFault as fault:
        return {**place, "undecoded": base64.b64encode(record.value).decode(), "reason": str(fault)}, False
    except RegistryUnavailable as error:
        raise Unavailable(str(error)) from error


async def _accounts(cluster: Cluster, persona_id: str, folder: Path) -> ExportedFile | None:
    """Write the accounts that the persona publishes with, without their tokens."""
    found = await newest_records(cluster, ACCOUNTS)
    with Lines(folder, ACCOUNTS.name) as lines:
        for account in found.values():
            if isinstance(account, PlatformAccount) and persona_id in account.persona_ids:
                lines.add({"record": render_record(replace(account, token_cipher=None, key_id=None))}, decoded=True)
    return lines.told(ACCOUNTS.name, {})


class Lines:
    """A file of JSON lines that is counted and summed while it is written; made with the first line."""

    def __init__(self, folder: Path, topic: str) -> None:
        self._path = folder / f"{topic}.jsonl"
        self._file: BinaryIO | None = None
        self._open = ExitStack()
        self._records = self._undecoded = self._bytes = 0
        self._sum = hashlib.sha256()

    def __enter__(self) -> Self:
        """Return it; nothing is made yet."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self._open.close()

    def add(self, entry: Mapping[str, Any], decoded: bool) -> None:  # noqa: FBT001 - as `_entry` gives it
        """Append a line."""
        if self._file is None:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWN_FILE)
            self._file = self._open.enter_context(os.fdopen(handle, "wb"))
        line = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        self._file.write(line)
        self._sum.update(line)
        self._records += 1
        self._undecoded += not decoded
        self._bytes += len(line)

    def told(self, topic: str, log_begins: Mapping[str, int]) -> ExportedFile | None:
        """Return what was written; None where nothing was."""
        if not self._records:
            return None
        counts = (self._records, self._undecoded, self._bytes)
        return ExportedFile(self._path.name, topic, *counts, self._sum.hexdigest(), log_begins)


def _write_manifest(path: Path, export: Export, persona_id: str) -> None:
    manifest = {
        "persona_id": persona_id,
        "exported_at": utc_now().isoformat(),
        "run_id": export.run_id,
        "records": export.records,
        "files": [asdict(each) for each in export.files],
    }
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWN_FILE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(manifest, file, ensure_ascii=False, indent=2)
        file.flush()
        os.fsync(file.fileno())
