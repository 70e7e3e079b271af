"""Workers as processes, as the fault tests have them, and databases of a test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streams.settings import current_settings
from tests.conftest import Stack
from tests.faults.conftest import spawn_worker
from tests.support.postgres_tables import own_database

__all__ = ["current_dsn", "dsn", "spawn_worker"]


@pytest.fixture
def dsn(stack: Stack) -> Iterator[str]:
    """A database of the test's own."""
    with own_database(stack.postgres_dsn) as own:
        yield own


@pytest.fixture
def current_dsn(dsn: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database of the test's own, as this process's setting."""
    monkeypatch.setenv("THREADS_POSTGRES_DSN", dsn)
    current_settings.cache_clear()
    yield dsn
    current_settings.cache_clear()
