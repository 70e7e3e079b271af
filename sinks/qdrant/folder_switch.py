"""Folders change places whole: what is moved is written down first, and whoever comes next ends what was begun."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_NOTE = "switch.json"


@dataclass(frozen=True, slots=True)
class FolderSwitch:
    """The collections of `version` take the place of the live ones, which go to `before`.

    A process that is killed in between leaves the note: every user of the folder takes its lock and calls `finish`
    first, so that none sees one half of each version.
    """

    version: str
    before: str
    collections: Sequence[str]

    def begin(self, folder: Path) -> None:
        """Write the note, durably: from here on the switch will be done."""
        fresh = folder / f"{_NOTE}.new"
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / _NOTE)

    @classmethod
    def finish(cls, folder: Path) -> None:
        """Do what a note says that is left to do; nothing where there is none."""
        note = folder / _NOTE
        if note.exists():
            switch = cls(**json.loads(note.read_text(encoding="utf-8")))
            for name in switch.collections:
                switch.move(folder, name)
            shutil.rmtree(folder / switch.version, ignore_errors=True)
            note.unlink()

    def move(self, folder: Path, name: str) -> None:
        """Exchange a collection; one that is in place already is left as it is."""
        live, rebuilt, before = folder / name, folder / self.version / name, folder / self.before / name
        if rebuilt.exists():
            before.parent.mkdir(exist_ok=True)
            if live.exists():
                live.rename(before)
            rebuilt.rename(live)
