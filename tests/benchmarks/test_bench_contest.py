"""The benchmark itself on a small job: that it runs and that its contestants agree; rates are nobody's promise here."""

from __future__ import annotations

import json
import subprocess
import sys

CONTEST_TIMEOUT_S = 240.0


def test_the_loops_written_by_hand_and_polars_find_the_same_answer() -> None:
    names = "confluent-loop,aiokafka-loop,polars-file"
    arguments = ["bench", "kpis", "--json", "--events", "5000", "--repeats", "1", "--contestants", names]
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli.main", *arguments, "--python", sys.executable],
        capture_output=True,
        text=True,
        timeout=CONTEST_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert [one["name"] for one in found["contestants"]] == names.split(",")
    for one in found["contestants"]:
        assert one["correct"] is True
        assert one["min"] <= one["events_per_second"] <= one["max"]
        assert one["peak_rss_mb"] > 0
