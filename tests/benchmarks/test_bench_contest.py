"""The benchmark's commands on small jobs: that they run and find the right answers; no figure is a promise here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

TIMEOUT_S = 280.0


def benched(*arguments: str) -> dict[str, Any]:
    """Run `threads-agent bench ... --json` and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "bench", *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_the_loops_written_by_hand_and_polars_find_the_same_answer() -> None:
    names = "confluent-loop,aiokafka-loop,polars-file"
    job = ["--events", "5000", "--repeats", "1"]
    found = benched("kpis", *job, "--contestants", names, "--python", sys.executable)
    assert [one["name"] for one in found["contestants"]] == names.split(",")
    for one in found["contestants"]:
        assert one["correct"] is True
        assert one["min"] <= one["events_per_second"] <= one["max"]
        assert one["peak_rss_mb"] > 0
        assert one["cpu_seconds"] > 0


def test_every_event_of_a_low_load_is_told() -> None:
    found = benched("latency", "--rate", "20", "--seconds", "3", "--warm-up", "1")
    (point,) = found["points"]
    measured = point["latency"]
    assert measured["events"] == 60
    assert 0 < measured["p50_ms"] <= measured["p95_ms"] <= measured["p99_ms"] <= measured["max_ms"]


def test_a_killed_worker_tells_the_right_counts_with_and_without_its_local_store() -> None:
    found = benched("recovery", "--keys", "3000", "--new-events", "100")
    assert found["state"]["keys"] >= 3_000
    kept, lost = found["recoveries"]
    assert (kept["local_store"], lost["local_store"]) == ("kept", "lost")
    assert kept["correct"] is lost["correct"] is True
    assert lost["of_restart"]["changes"] > 3_000 > kept["of_restart"]["changes"]
    assert 0 < lost["down_s"] < lost["seconds"]


def test_the_curve_has_a_point_for_each_size() -> None:
    found = benched("curve", "--events", "5000", "--persona-events", "5000", "--personas", "500", "--posts", "1000")
    assert [(one["events"], one["personas"], one["correct"]) for one in found["points"]] == [
        (5_000, 150, True),
        (5_000, 500, True),
    ]
    assert all(one["cpu_seconds_per_million_events"] > 0 for one in found["points"])


def test_a_worker_process_tells_the_right_counts() -> None:
    found = benched("scale", "--events", "30000", "--workers", "1")
    (run,) = found["runs"]
    assert run["correct"] is True
    (usage,) = run["of_workers"]
    assert usage["cpu_seconds"] > 0
    assert usage["peak_rss_mb"] > 0


def test_the_platform_and_the_bare_graph_write_all_drafts() -> None:
    names = "threads-agent-stack,bare-graph"
    found = benched("generation", "--requests", "60", "--repeats", "1", "--contestants", names)
    platform, floor = found["contestants"]
    assert [platform["name"], floor["name"]] == names.split(",")
    for one in (platform, floor):
        assert one["drafts"] == 60
        assert one["drafts_per_second"] > 0
        assert one["cpu_s_per_thousand"] > 0
    assert 0 < platform["accepted"] <= 60


def test_every_request_at_a_steady_rate_is_decided() -> None:
    found = benched("generation", "--rate", "5", "--seconds", "2", "--latency", "0.1")
    assert found["in_all"]["events"] == found["beyond_model"]["events"] == 10
    assert found["in_all"]["p50_ms"] == pytest.approx(found["beyond_model"]["p50_ms"] + 200, abs=1)
