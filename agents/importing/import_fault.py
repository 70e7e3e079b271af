"""The fault of a file that can't be imported as it is."""

from __future__ import annotations

from streams.errors import ThreadsError


class ImportFault(ThreadsError):
    """A file can't be imported as it is; the text says where and what to do."""
