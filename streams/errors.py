"""The faults of the platform: what a fault is of decides what happens to the record."""

from __future__ import annotations


class ThreadsError(Exception):
    """Base of every error raised on purpose: its text says what to do."""


class SettingsError(ThreadsError):
    """A setting is missing, misspelt or out of range; nothing was started."""


class RecordFault(ThreadsError):
    """One record can't be processed, now or ever: it goes to dead.letters and its neighbours go on.

    `error_class` is what the dead letter names as the error's class, this class where nothing is said.
    """

    def __init__(self, message: str, *, error_class: str | None = None) -> None:
        super().__init__(message)
        self.error_class = error_class or type(self).__name__


class Unavailable(ThreadsError):
    """Something around the record is away (a server, a quota): pause, wait, try the same again.

    `retry_after_s` is the least time to wait when the other side said one.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
