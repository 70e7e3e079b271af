"""A disk that is soon full, for the tables of one database."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

TIMEOUT_S = 20


class SmallDisk:
    """A file system in memory, with a tablespace on it."""

    def __init__(self, folder: Path, tablespace: str) -> None:
        self._folder = folder
        self.tablespace = tablespace

    def grow(self, megabytes: int) -> None:
        """Make room."""
        _mount("-o", f"remount,size={megabytes}m", str(self._folder))


@contextmanager
def small_disk(server_dsn: str, server_files: Path, folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount one for the account that the server runs as, which is that of its files; skip where that is not allowed."""
    folder.parent.chmod(0o755)  # the account has to come to it
    folder.mkdir()
    size = f"size={megabytes}m,mode=0700,uid={server_files.stat().st_uid}"
    if os.geteuid() != 0 or _mount("-t", "tmpfs", "-o", size, "tmpfs", str(folder), check=False) != 0:
        pytest.skip("this account can't mount a file system")
    tablespace = f"small_{uuid4().hex}"
    try:
        with psycopg.connect(server_dsn, autocommit=True) as server:
            server.execute(f"CREATE TABLESPACE {tablespace} LOCATION '{folder}'".encode())
        yield SmallDisk(folder, tablespace)
        with psycopg.connect(server_dsn, autocommit=True) as server:
            server.execute(f"DROP TABLESPACE {tablespace}".encode())
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], timeout=TIMEOUT_S, check=True)


def _mount(*arguments: str, check: bool = True) -> int:
    return subprocess.run(["mount", *arguments], timeout=TIMEOUT_S, check=check, capture_output=True).returncode
