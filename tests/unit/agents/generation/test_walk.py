"""The walk of a request to its draft, as agents/README.md has it: ten files that are there."""

from __future__ import annotations

import re

from tests.support.source_imports import REPOSITORY, files_imported

STEP = re.compile(r"^(\d+)\. \[([\w/.]+)\]\(([\w/.]+)\)", re.MULTILINE)
MOST_STEPS = 10
MOST_IMPORTED = 120  # modules of ours behind the first step, itself included; 153 before the rooms were made


def steps() -> list[tuple[str, str, str]]:
    text = (REPOSITORY / "agents/README.md").read_text(encoding="utf-8")
    section = text.split("## From a request to a draft")[1].split("\n## ")[0]
    return STEP.findall(section)


def test_the_walk_has_at_most_ten_steps_and_each_is_a_file() -> None:
    found = steps()
    assert [int(number) for number, _, _ in found] == list(range(1, len(found) + 1))
    assert 1 < len(found) <= MOST_STEPS
    assert all(name == path and (REPOSITORY / "agents" / path).is_file() for _, name, path in found)


def test_the_walk_imports_every_step_and_little_else() -> None:
    seen, waiting = set[str](), [f"agents/{steps()[0][2]}"]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += files_imported(path)
    assert {f"agents/{path}" for _, _, path in steps()} <= seen
    assert len(seen) <= MOST_IMPORTED
