"""Imports on the real broker: totals, repeats, kills, two at once, several files, and the real exports."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import EngagementEvent
from schemas.registries.registry import open_registry
from streams.kafka.log_reader import read_range
from tests.conftest import Stack
from tests.support.exports import export_file
from tests.support.range_size import range_size

DEADLINE_S = 120.0
MAPS = ("--map", "post_id=post", "--map", "occurred_at=at", "--map", "views=seen", "--map", "likes=liked")
TOTALS = ("--counts", "totals", *MAPS)
Rows = Sequence[tuple[str, int, int]]


def written(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["post", "at", "seen", "liked"])
        writer.writerows([post, "2026-03-01T10:00:00Z", views, likes] for post, views, likes in rows)
    return path


def started(stack: Stack, persona: str, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "streams.cli.main", "import", "engagement", "--persona", persona]
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        env={**os.environ, **stack.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def imported(stack: Stack, persona: str, *arguments: str | Path) -> tuple[int, str]:
    process = started(stack, persona, *arguments)
    output, _ = process.communicate(timeout=DEADLINE_S)
    return process.returncode, output


async def events(stack: Stack, persona: str) -> list[EngagementEvent]:
    """Return a persona's events, each id once."""
    codec, found = RowCodec(open_registry(None)), {}
    topic = topic_named("engagement.events")
    async for _, block in read_range(stack.cluster, topic.name):
        for record in block:
            if record.key == persona.encode() and record.value:
                event = codec.decode(topic, record.value)
                assert isinstance(event, EngagementEvent)
                found[event.event_id] = event
    return list(found.values())


async def sums(stack: Stack, persona: str) -> dict[tuple[str | None, str], int]:
    found: Counter[tuple[str | None, str]] = Counter()
    for event in await events(stack, persona):
        found[event.post_id, event.kind] += event.count
    return {key: count for key, count in found.items() if count}


@pytest.fixture
def persona(request: pytest.FixtureRequest, seed: int) -> str:
    """A persona of the test's own."""
    return f"{request.node.name[:40]}-{seed}"


async def test_weekly_totals_add_up_to_the_last_ones(stack: Stack, persona: str, tmp_path: Path) -> None:
    weeks = [[("p1", 100, 5), ("p2", 40, 0)], [("p1", 180, 6), ("p2", 30, 2), ("p3", 9, 0)], [("p3", 12, 1)]]
    files = [written(tmp_path / f"week-{number}.csv", rows) for number, rows in enumerate(weeks)]
    for day, file in zip(("2026-03-02", "2026-03-09", "2026-03-16"), files, strict=True):
        status, output = imported(stack, persona, file, *TOTALS, "--as-of", day)
        assert status == 0, output
    newest = {("p1", "view"): 180, ("p1", "like"): 6, ("p2", "view"): 30, ("p2", "like"): 2}
    newest |= {("p3", "view"): 12, ("p3", "like"): 1}
    assert await sums(stack, persona) == newest
    status, output = imported(stack, persona, files[0], *TOTALS, "--as-of", "2026-03-03")
    assert (status, "4 counts of an older export" in output) == (0, True), output
    assert await sums(stack, persona) == newest


async def test_a_second_import_of_the_same_posts_is_refused_until_it_is_said(
    stack: Stack, persona: str, tmp_path: Path
) -> None:
    assert imported(stack, persona, written(tmp_path / "one.csv", [("p1", 100, 5)]), *MAPS)[0] == 0
    second = written(tmp_path / "two.csv", [("p1", 150, 7)])
    status, output = imported(stack, persona, second, *MAPS)
    assert (status, "--counts totals or --counts new" in output) == (2, True), output
    assert await sums(stack, persona) == {("p1", "view"): 100, ("p1", "like"): 5}
    assert imported(stack, persona, second, *TOTALS)[0] == 0
    assert await sums(stack, persona) == {("p1", "view"): 150, ("p1", "like"): 7}


async def test_one_more_column_and_another_time_format_count_nothing_twice(
    stack: Stack, persona: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "one.csv", [("p1", 100, 5), ("p2", 7, 0)])
    assert imported(stack, persona, file, *MAPS[:6])[0] == 0
    assert imported(stack, persona, file, *MAPS)[0] == 0
    assert imported(stack, persona, file, *MAPS, "--time-format", "%Y-%m-%dT%H:%M:%SZ")[0] == 0
    assert await sums(stack, persona) == {("p1", "view"): 100, ("p2", "view"): 7, ("p1", "like"): 5}


async def test_totals_killed_at_any_moment_and_repeated_are_the_newest_ones(
    stack: Stack, persona: str, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    rows = [(f"p{number}", 10 + number % 7, number % 3) for number in range(20_000)]
    later = [(post, views + 5 - number % 9, likes + 1) for number, (post, views, likes) in enumerate(rows)]
    files = [written(tmp_path / "week-1.csv", rows), written(tmp_path / "week-2.csv", later)]
    days = ["2026-03-02", "2026-03-09"]
    for attempt in range(4):
        which = attempt % 2
        before = await range_size(stack.cluster, "engagement.events")
        process = started(stack, persona, files[which], *TOTALS, "--as-of", days[which])
        wanted = before + chance.randrange(1, 12_000)
        deadline = time.monotonic() + DEADLINE_S
        while process.poll() is None and time.monotonic() < deadline:
            if await range_size(stack.cluster, "engagement.events") >= wanted:
                process.send_signal(signal.SIGKILL)
        process.communicate(timeout=DEADLINE_S)
    for file, day in zip(files, days, strict=True):
        status, output = imported(stack, persona, file, *TOTALS, "--as-of", day)
        assert status == 0, output
    expected = {
        (post, kind): count for post, *counts in later for kind, count in zip(("view", "like"), counts, strict=True)
    }
    assert await sums(stack, persona) == {key: count for key, count in expected.items() if count}


async def test_two_imports_at_once_decide_on_no_count_twice(stack: Stack, persona: str, tmp_path: Path) -> None:
    rows = [(f"p{number}", 10 + number % 7, 1) for number in range(12_000)]
    later = [(post, views + 3, 2) for post, views, _ in reversed(rows)]
    files = [written(tmp_path / "week-1.csv", rows), written(tmp_path / "week-2.csv", later)]
    both = [
        started(stack, persona, file, *TOTALS, "--as-of", day)
        for file, day in zip(files, ("2026-03-02", "2026-03-09"), strict=True)
    ]
    for process in both:
        output, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, output
    assert await sums(stack, persona) == {
        (post, kind): count for post, *counts in later for kind, count in zip(("view", "like"), counts, strict=True)
    }


async def test_a_file_without_a_good_row_is_refused_every_time(stack: Stack, persona: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("post,at,seen,liked\np1,soon,3,1\np2,later,4,1\n", encoding="utf-8")
    for _ in range(2):
        status, output = imported(stack, persona, file, *MAPS)
        assert status == 2
        assert "none of its 2 rows can be imported" in output
    assert await sums(stack, persona) == {}


async def test_several_files_are_one_import_with_one_summary(stack: Stack, persona: str, tmp_path: Path) -> None:
    files = [written(tmp_path / f"month-{number:02}.csv", [(f"p{number}", 1, 1)]) for number in range(30)]
    files.insert(7, tmp_path / "nowhere.csv")
    status, output = imported(stack, persona, *files, *MAPS)
    assert status == 1
    said = " ".join(output.split())  # lines are in the width of the terminal, where the tests have one
    assert "31 files: 30 imported, 0 already imported, 1 refused; 30 rows, 60 records, 0 bad rows" in said
    assert "nowhere.csv: can't be read" in said
    assert len(await sums(stack, persona)) == 60
    status, output = imported(stack, persona, *files, *MAPS, "--json")
    told = json.loads(output)
    assert (len(told["files"]), len(told["refused"])) == (30, 1)
    assert all(each["already_imported"] for each in told["files"])


async def test_a_dry_run_sends_nothing(stack: Stack, persona: str, tmp_path: Path) -> None:
    file = written(tmp_path / "one.csv", [("p1", 100, 5)])
    before = await range_size(stack.cluster, "import.ledger")
    status, output = imported(stack, persona, file, *TOTALS, "--dry-run")
    assert (status, "Nothing was sent" in output) == (0, True), output
    assert "totals so far" in output
    assert await sums(stack, persona) == {}
    assert await range_size(stack.cluster, "import.ledger") == before


async def test_real_weekly_exports_add_up_to_the_newest_of_each_post(stack: Stack, persona: str) -> None:
    files = [export_file("tiktok_content_en_1.csv"), export_file("tiktok_content_en_2.csv")]
    status, output = imported(stack, persona, *files, "--year", "2026")
    assert status == 0, output
    assert "tiktok_content_en_2.csv: 12 of 12 rows imported" in output
    newest: dict[tuple[str | None, str], int] = {}
    for file in files:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines):
                post = row["Video link"].rpartition("/")[2]
                newest[post, "view"] = int(row["Total views"])
                newest[post, "like"] = int(row["Total likes"])
                newest[post, "reply"] = int(row["Total comments"])
                newest[post, "share"] = int(row["Total shares"])
    assert await sums(stack, persona) == {key: count for key, count in newest.items() if count}
