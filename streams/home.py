"""The home: the folder that holds what this machine keeps (settings, `THREADS_HOME`)."""

from __future__ import annotations

import os
from pathlib import Path

from streams.errors import SettingsError
from streams.settings import Settings

CHOOSE = "set THREADS_HOME to a folder you can write"


def make_home(settings: Settings) -> Path:
    """Make the home if it is not there, and return its absolute path.

    Raises:
        SettingsError: it can't be made or written.
    """
    home = settings.home.absolute()
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"The home {home} can't be made ({error.strerror}); {CHOOSE}") from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise SettingsError(f"The home {home} is not writable for this user; {CHOOSE}")
    return home
