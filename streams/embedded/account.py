"""The account PostgreSQL runs under when the stack is started as root, and folders that account can reach."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65_534
_REACHABLE_BY_OTHERS = stat.S_IXOTH


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group id to run a child as."""

    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Return the account for servers that refuse to run as root; None when this process is not root."""
    return Account(NOBODY, NOBODY) if os.geteuid() == 0 else None


def is_reachable(folder: Path) -> bool:
    """Tell whether any account may enter the folder: every folder above it can be traversed by others."""
    absolute = folder.absolute()
    return all(parent.stat().st_mode & _REACHABLE_BY_OTHERS for parent in (absolute, *absolute.parents))


def give(folder: Path, account: Account | None) -> None:
    """Make `account` the owner of a folder; nothing to do without one."""
    if account is not None:
        os.chown(folder, account.uid, account.gid)
