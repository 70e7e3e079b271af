"""Workers as processes, as the fault tests have them."""

from __future__ import annotations

from tests.faults.conftest import spawn_worker

__all__ = ["spawn_worker"]
