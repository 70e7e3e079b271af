"""The quarantines of a process: one for each stage, kept in the home across the process's end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from streams.quarantine.quarantine import FindingsFile, Quarantine

FOLDER = "quarantine"


class Quarantines:
    """Hand out the quarantines of roles' stages; a role is hopeless when one of its stages is.

    `home` is None where nothing is to outlive the process.
    """

    def __init__(self, home: Path | None = None, slot: str | None = None) -> None:
        self._home = home
        self._slot = slot or "0"
        self._of_role: dict[str, dict[str, Quarantine]] = {}
        self._locks = contextlib.ExitStack()
        self._folders: dict[str, Path | None] = {}

    def of(self, role: str, stage: str) -> Quarantine:
        """Return the quarantine of a stage, the same one in every life of the worker."""
        stages = self._of_role.setdefault(role, {})
        if stage not in stages:
            folder = self._folder(role)
            stages[stage] = Quarantine(FindingsFile(folder / f"{stage}.json") if folder else None)
        return stages[stage]

    def known(self, role: str) -> None:
        """Take up what earlier processes found of a role's stages, before any of them is built."""
        folder = self._folder(role)
        for path in sorted(folder.glob("*.json")) if folder else ():
            self.of(role, path.stem)

    def hopeless(self, role: str) -> str | None:
        """Return why a role does not go on, None when it may."""
        for stage, each in self._of_role.get(role, {}).items():
            if each.findings.is_hopeless:
                return f"{stage}: {each.why_hopeless()}"
        return None

    def fruitless_starts(self) -> int:
        """Return how often in a row a stage has ended without getting anywhere, the most of all."""
        return max((each.findings.fruitless_starts for each in self._all()), default=0)

    def ended(self, role: str, error: BaseException) -> None:
        """Note an error that ended a role, unless the stage that had it has noted it."""
        stages = list(self._of_role.get(role, {}).values())
        if stages and not any(each.has_ended for each in stages):
            stages[0].ended(error)

    def close(self) -> None:
        """Give the files up; a hopeless stage begins anew, since somebody ended the worker and will start it again."""
        for each in self._all():
            if each.findings.is_hopeless:
                each.forgive()
            each.close()
        self._of_role.clear()
        self._locks.close()

    def _all(self) -> Iterator[Quarantine]:
        return (each for stages in self._of_role.values() for each in stages.values())

    def _folder(self, role: str) -> Path | None:
        """Return the folder of a role's findings; None where another process of the same slot holds it."""
        if role not in self._folders:
            self._folders[role] = self._locked(self._home / FOLDER / role / self._slot) if self._home else None
        return self._folders[role]

    def _locked(self, folder: Path) -> Path | None:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._locks.enter_context(FileLock(folder / "lock", timeout=0))
        except Timeout:
            return None
        return folder
