"""The history that the demo imports: the real archive where it lies next to the project, else the sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from agents.demo.sample_history import HEADER, write_sample
from agents.importing.fields import FieldMapping, bind
from agents.importing.presets import mapping_of
from agents.importing.rows import RowReader
from agents.importing.run import BLOCK_ROWS
from agents.importing.sources.csv_file import open_csv
from agents.personas.persona_file import SAMPLES, read_personas
from schemas.records import EngagementKind

PROJECT = Path(__file__).resolve().parents[2]
ARCHIVE = PROJECT.parent / "shared" / "data" / "upworthy_headlines.csv.gz"
SAMPLE_NAME = "simulated_engagement.csv"

Totals = Mapping[tuple[str, EngagementKind], int]
"""Counts by persona and kind."""


@dataclass(frozen=True, slots=True)
class History:
    """A file of engagement with its reading; `what` says to people what it is."""

    path: Path
    mapping: FieldMapping
    simulated: bool
    what: str


def find_history(home: Path, archive: Path = ARCHIVE) -> History:
    """Return the real archive if it is there; else write the sample into the home and return that."""
    if archive.exists():
        mapping = mapping_of(preset="upworthy", maps=[], persona_id=None, time_format=None)
        return History(archive, mapping, simulated=False, what="real headline tests of the Upworthy Research Archive")
    path = home / "demo" / SAMPLE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    write_sample(path, [persona.persona_id for persona in read_personas(SAMPLES)])
    maps = [f"{name}={name}" for name in HEADER]
    mapping = mapping_of(preset=None, maps=maps, persona_id=None, time_format="epoch")
    return History(path, mapping, simulated=True, what="a simulated sample, no real data was found")


def totals_of(history: History) -> Totals:
    """Return what the file counts by persona and kind: what the KPIs must reach once it is in."""
    totals: dict[tuple[str, EngagementKind], int] = {}
    with open_csv(history.path) as source:
        layout = bind(history.mapping, source.header, history.path.name)
        reader = RowReader(layout)
        while rows := list(islice(source.rows, BLOCK_ROWS)):
            block, _ = reader.read(rows)  # the import leaves bad rows out, too, and says so
            for persona_id, counts in zip(block.persona_ids, block.counts.tolist(), strict=True):
                for kind, count in zip(reader.kinds, counts, strict=True):
                    if count:
                        totals[persona_id, kind] = totals.get((persona_id, kind), 0) + count
    return totals
