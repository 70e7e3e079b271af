"""`rebuild kpis` that stops for good when it has written a part of the new version: `python -m` this, then kill it."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

from agents.kpis.rebuilding import rebuild
from agents.kpis.rebuilding.versions import write
from streams.cli.main import main

HALF = "a part of the version is written"


async def write_a_part(cluster: Any, number: int, parts: list[Any], catch_up_from: list[int]) -> None:
    await write(cluster, number, parts[:1], catch_up_from[:1])
    print(HALF, flush=True)  # noqa: T201 - whoever kills it waits for that
    await asyncio.Event().wait()


if __name__ == "__main__":
    with patch.object(rebuild, "write", write_a_part):
        main()
