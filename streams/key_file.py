"""A key in a file of the home: made once, for its owner only, and the same for all processes of the home."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from streams.endpoints import CHOOSE, make_home
from streams.errors import SettingsError
from streams.settings import Settings

KEY_BYTES = 32


def key_in_home(settings: Settings, file_name: str, *, of: str, without_it: str) -> bytes:
    """Return the key in a file of the home, which is made where it is missing.

    `of` says what it is the key of, and `without_it` what is to be done where it is lost.

    Raises:
        SettingsError: the file can't be made or read, or holds no key.
    """
    path = make_home(settings) / file_name
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"The key of {of}, {path}, can't be read or made ({error.strerror}); {CHOOSE}") from error
    if len(key) < KEY_BYTES:
        raise SettingsError(
            f"{path} must hold at least {KEY_BYTES} bytes, got {len(key)}; restore it, or delete it and {without_it}"
        )
    return key


def _make(path: Path) -> None:
    """Make the file whole and for its owner only; one that another process made meanwhile stays."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mkstemp makes mode 600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        Path(temporary).unlink()
