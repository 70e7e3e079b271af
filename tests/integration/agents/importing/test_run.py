from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Protocol

import pytest

from agents.importing.fields import FieldMapping
from agents.importing.presets import mapping_of
from agents.importing.run import BLOCK_ROWS, import_source
from agents.importing.sources.csv_file import CsvFile
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import EngagementEvent, PostPublished, Record
from schemas.registries.registry import open_registry
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import read_range
from streams.settings import Settings
from tests.support.range_size import range_size

DEADLINE_S = 60.0


class Stack(Protocol):
    """What these tests use of the session's servers."""

    cluster: Cluster
    settings: Settings

    def environment(self) -> dict[str, str]: ...


def mapping(persona_id: str, **columns: str) -> FieldMapping:
    maps = [f"{name}={column}" for name, column in columns.items()]
    return mapping_of(preset=None, maps=maps, persona_id=persona_id, time_format="epoch")


def table(folder: Path, rows: int, name: str = "export.csv") -> Path:
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["post", "at", "seen", "liked"])
        writer.writerows([f"post {number % 500}", 1_790_000_000 + number, number % 7, 1] for number in range(rows))
    return path


async def records(stack: Stack, topic: str, source: str) -> list[Record]:
    codec, found = RowCodec(open_registry(None)), []
    async for _, block in read_range(stack.cluster, topic):
        found += [codec.decode(topic_named(topic), record.value) for record in block if record.value]
    return [record for record in found if getattr(record, "source", None) == source]


async def engagement(stack: Stack, source: str) -> list[EngagementEvent]:
    return [one for one in await records(stack, "engagement.events", source) if isinstance(one, EngagementEvent)]


def threads_agent(stack: Stack, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli.main", *arguments],
        env={**os.environ, **stack.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=DEADLINE_S)
    return process.returncode, output


async def test_a_second_import_of_a_file_sends_nothing(stack: Stack, tmp_path: Path) -> None:
    path = table(tmp_path, 50, "second.csv")
    reading = mapping("second", post_id="post", occurred_at="at", views="seen", likes="liked")
    first = await import_source(CsvFile(path), reading, stack.settings)
    again = await import_source(CsvFile(path), reading, stack.settings)
    assert (first.rows_sent, first.rows_before) == (50, 0)
    assert (again.rows_sent, again.records_sent, again.already_imported) == (0, 0, True)
    events = await engagement(stack, "import:second.csv")
    assert len(events) == first.records_sent == sum(1 for number in range(50) if number % 7) + 50


async def test_a_renamed_or_copied_file_is_the_same_import(stack: Stack, tmp_path: Path) -> None:
    reading = mapping("copied", post_id="post", occurred_at="at", views="seen")
    await import_source(CsvFile(table(tmp_path, 20, "original.csv")), reading, stack.settings)
    assert (await import_source(CsvFile(table(tmp_path, 20, "copy.csv")), reading, stack.settings)).already_imported


async def test_shifted_events_end_now_and_keep_their_distances(stack: Stack, tmp_path: Path) -> None:
    path = table(tmp_path, 30, "shifted.csv")
    reading = mapping("shifted", post_id="post", occurred_at="at", likes="liked")
    before = time.time()
    await import_source(CsvFile(path), reading, stack.settings, shift_to_now=True)
    times = sorted(event.occurred_at.timestamp() for event in await engagement(stack, "import:shifted.csv"))
    assert before - 0.01 <= times[-1] <= time.time()
    assert times[-1] - times[0] == pytest.approx(29)


async def test_a_post_is_published_once_with_its_text(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("post,at,seen,words\np1,1790000000,3,Hello\np2,1790000001,4,World\np1,1790000002,5,Hello\n")
    reading = mapping("posts", post_id="post", occurred_at="at", views="seen", text="words")
    await import_source(CsvFile(path), reading, stack.settings)
    posts = await records(stack, "posts.published", "import:posts.csv")
    assert [(post.post_id, post.text) for post in posts if isinstance(post, PostPublished)] == [
        ("p1", "Hello"),
        ("p2", "World"),
    ]


async def test_an_import_killed_in_the_middle_goes_on_and_every_event_is_there_once(
    stack: Stack, tmp_path: Path
) -> None:
    rows = 30 * BLOCK_ROWS
    path = table(tmp_path, rows, "killed.csv")
    arguments = ["import", "engagement", str(path), "--persona", "killed", "--time-format", "epoch", "--shift-to-now"]
    arguments += ["--map", "post_id=post", "--map", "occurred_at=at", "--map", "likes=liked"]
    before = await range_size(stack.cluster, "engagement.events")
    process = threads_agent(stack, *arguments)
    deadline = time.monotonic() + DEADLINE_S
    while await range_size(stack.cluster, "engagement.events") == before:
        assert process.poll() is None
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    process.wait(DEADLINE_S)
    assert process.stdout is not None
    process.stdout.close()
    assert len(await engagement(stack, "import:killed.csv")) < rows

    status, output = finished(threads_agent(stack, *arguments))
    assert status == 0, output
    assert "that were in already" in output
    events = await engagement(stack, "import:killed.csv")
    by_id = Counter(event.event_id for event in events)
    assert len(by_id) == rows
    assert sum(times - 1 for times in by_id.values()) <= BLOCK_ROWS
    assert len({(event.event_id, event.occurred_at) for event in events}) == rows

    status, output = finished(threads_agent(stack, *arguments))
    assert status == 0
    assert "already imported" in output
    assert len(await engagement(stack, "import:killed.csv")) == len(events)


async def test_bad_rows_are_named_by_line_and_the_good_ones_are_sent(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    rows = ["post,at,seen", *(f"p,{1_790_000_000 + n},{-1 if n % 2 else n}" for n in range(40))]
    path.write_text("\n".join(rows), encoding="utf-8")
    arguments = ["import", "engagement", str(path), "--persona", "bad", "--time-format", "epoch"]
    arguments += ["--map", "post_id=post", "--map", "occurred_at=at", "--map", "views=seen"]
    status, output = finished(threads_agent(stack, *arguments))
    assert status == 1
    assert "20 bad rows were left out" in output
    assert "line 3: views '-1' is not a whole number" in output
    assert "and 10 more" in output
    assert sum(event.count for event in await engagement(stack, "import:bad.csv")) == sum(range(0, 40, 2))


async def test_a_text_too_large_for_a_record_is_a_bad_row(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    path.write_text(f"post,at,seen,words\np1,1790000000,3,{'x' * 100_000}\np2,1790000001,4,Hi\n", encoding="utf-8")
    small = stack.settings.model_copy(update={"max_record_bytes": 10_000})
    reading = mapping("huge", post_id="post", occurred_at="at", views="seen", text="words")
    report = await import_source(CsvFile(path), reading, small)
    assert report.bad_rows == 1
    assert [event.count for event in await engagement(stack, "import:huge.csv")] == [4]


async def test_bad_utf8_sends_nothing_and_says_what_to_do(stack: Stack, tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(b"post,at,seen\np1,1790000000,3\ncaf\xe9,1790000001,4\n")
    arguments = ["import", "engagement", str(path), "--persona", "latin", "--time-format", "epoch"]
    arguments += ["--map", "post_id=post", "--map", "occurred_at=at", "--map", "views=seen"]
    status, output = finished(threads_agent(stack, *arguments))
    assert status == 2
    assert "line 3: not UTF-8" in output
    assert "iconv" in output
    assert not await engagement(stack, "import:latin.csv")


async def test_a_kafka_that_is_not_there_is_one_clear_message(tmp_path: Path) -> None:
    nowhere = Settings(home=tmp_path, kafka="127.0.0.1:1", io_timeout_s=2.0)
    reading = mapping("nowhere", post_id="post", occurred_at="at", views="seen")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 does not answer"):
        await import_source(CsvFile(table(tmp_path, 3)), reading, nowhere)


async def test_every_row_of_the_real_archive_is_sent(stack: Stack, upworthy_csv: Path, seed: int) -> None:
    persona = f"archive-{seed}"  # its own: other tests import the archive too
    reading = mapping_of(preset="upworthy", maps=[], persona_id=persona, time_format=None)
    report = await import_source(CsvFile(upworthy_csv), reading, stack.settings)
    assert (report.rows_sent, report.bad_rows) == (13_067, 0)
    totals: Counter[str] = Counter()
    for event in await engagement(stack, f"import:{upworthy_csv.name}"):
        totals[event.kind] += event.count if event.persona_id == persona else 0
    assert totals == {"view": 45_735_453, "click": 597_536}
    posts = await records(stack, "posts.published", f"import:{upworthy_csv.name}")
    assert sum(post.persona_id == persona for post in posts if isinstance(post, PostPublished)) == 13_067
