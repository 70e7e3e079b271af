"""Memory does not grow with a file: looked at in a process of its own, in which nothing else grows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

GROWTH_MB = 24  # a dictionary with an entry a row took 60 more
ROWS = 80_000
SCRIPT = """
import resource, sys
from pathlib import Path
from agents.importing.fields import FieldMapping
from agents.importing.reading import Reading, survey
from agents.importing.sources.csv_file import CsvFile

columns = {"post_id": ("post",), "occurred_at": ("at",), "views": ("seen",)}
mapping = FieldMapping(columns=columns, time_format="epoch", persona_id="ada", trust_ids=True)

def peak_mb(path):
    reading = Reading(survey(CsvFile(Path(path)), mapping), 0)
    planner, changes = reading.planner(), 0
    with reading.rows() as rows:
        while read := reading.next_block(rows, planner):
            changes += len(planner.plan_first(read.block, read.slots).changes)
    return changes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

_, before = peak_mb(sys.argv[1])
changes, after = peak_mb(sys.argv[2])
print(changes, after - before)
"""


def table(path: Path, rows: int) -> Path:
    lines = [f"post-{number},{1_700_000_000 + number},{number % 9 + 1}" for number in range(rows)]
    path.write_text("\n".join(["post,at,seen", *lines]) + "\n")
    return path


def test_a_large_file_takes_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    small, large = table(tmp_path / "small.csv", 20_000), table(tmp_path / "large.csv", ROWS)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(small), str(large)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    changes, growth_mb = done.stdout.split()
    assert int(changes) == ROWS
    assert float(growth_mb) < GROWTH_MB
