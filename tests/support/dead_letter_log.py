"""Dead letters made by hand, the copies that a redrive writes, and the commands that are run on them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from aiokafka.structs import ConsumerRecord
from click.testing import CliRunner, Result

from schemas.records import DeadLetter, Header
from schemas.registries.file_registry import FileRegistry
from streams.cli.main import main
from streams.engine.stage import Output
from streams.kafka.log_reader import read_range
from streams.kafka.producer import EventProducer
from streams.letters.standing import REDRIVE_OF
from streams.settings import current_settings
from tests.conftest import CACHE, REPOSITORY, Stack

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TIMEOUT_S = 120


def letter(topic: str, number: int, **changed: Any) -> DeadLetter:
    """Return the letter of a record of a topic at an offset."""
    values: dict[str, Any] = {
        "event_id": f"{topic}-{number:08}",
        "occurred_at": NOON + timedelta(seconds=number),
        "consumer": "kpis",
        "source_topic": topic,
        "source_partition": 0,
        "source_offset": number,
        "source_timestamp": NOON - timedelta(days=1, milliseconds=number),
        "key": f"key {number}".encode(),
        "value": f"value {number}".encode(),
        "headers": (Header(name="trace", value=b"\xff"), Header(name="n\\xe4me", value=None)),
        "error_class": "RecordFault",
        "reason": f"expected a number, got {number}",
    }
    return DeadLetter(**{**values, **changed})


async def write_letters(stack: Stack, letters: Sequence[DeadLetter]) -> None:
    """Append letters to dead.letters, as workers do."""
    async with EventProducer(stack.cluster, FileRegistry()) as producer:
        await producer.append_all([Output("dead.letters", each) for each in letters])


async def copies(stack: Stack, topic: str) -> list[ConsumerRecord]:
    """Return the records of a topic that a redrive wrote."""
    return [
        record
        async for _, records in read_range(stack.cluster, topic)
        for record in records
        if any(name == REDRIVE_OF for name, _ in record.headers)
    ]


def start(stack: Stack, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
    """Start `threads-agent dead-letters` with arguments."""
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli.main", "dead-letters", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **stack.environment(), **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> subprocess.CompletedProcess[bytes]:
    """Wait until a command has ended."""
    out, err = process.communicate(timeout=TIMEOUT_S)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


async def run(stack: Stack, *arguments: str, **settings: str) -> Result:
    """Run `threads-agent dead-letters` with arguments, in this process."""
    current_settings.cache_clear()
    environment = {"THREADS_HOME": str(stack.home), "THREADS_CACHE": str(CACHE), **settings}
    invoke = partial(CliRunner().invoke, main, ["dead-letters", *arguments], env=environment)
    try:
        return await asyncio.to_thread(invoke)
    finally:
        current_settings.cache_clear()


async def told(stack: Stack, *arguments: str) -> Any:
    """Return the JSON that a command prints."""
    ended = await run(stack, *arguments, "--json")
    assert ended.exit_code in (0, 1), ended.output
    return json.loads(ended.stdout)
