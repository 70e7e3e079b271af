"""The image holds what is locked and nothing else, and runs as a user without rights."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
TEXT = (REPOSITORY / "deploy" / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (REPOSITORY / "deploy" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
INSTRUCTIONS = [
    (line.split()[0], line.partition(" ")[2].strip())
    for line in re.sub(r"\\\n", " ", TEXT).splitlines()
    if line and not line.startswith("#")
]
COPIED = [
    source
    for name, rest in INSTRUCTIONS
    if name == "COPY" and not rest.startswith("--from")
    for source in shlex.split(rest)[:-1]
]


def test_the_base_image_is_pinned_to_a_patch_release_of_python_312() -> None:
    images = [rest.split()[0] for name, rest in INSTRUCTIONS if name == "FROM"]
    stages = set(re.findall(r"^FROM \S+ AS (\w+)", TEXT, flags=re.MULTILINE))
    outside = [image for image in images if image not in stages]
    assert len(outside) == 1
    assert re.fullmatch(r"python:3\.12\.\d+-slim-[a-z]+", outside[0])


def test_everything_installed_is_locked_by_hash() -> None:
    installs = re.findall(r"pip install (.*)", TEXT)
    assert [("--require-hashes" in each, "--no-deps" in each) for each in installs] == [(True, False), (False, True)]
    assert "-r requirements-worker.txt" in installs[0]


def test_the_image_ends_as_a_user_without_rights() -> None:
    users = [rest for name, rest in INSTRUCTIONS if name == "USER"]
    assert users == ["10001:10001"]
    after = [name for name, _ in INSTRUCTIONS[INSTRUCTIONS.index(("USER", users[0])) + 1 :]]
    assert "RUN" not in after


@pytest.mark.parametrize("source", COPIED)
def test_what_is_copied_is_there_and_reaches_the_builder(source: str) -> None:
    assert (REPOSITORY / source).exists()
    assert f"!{source}" in IGNORED


def test_nothing_else_reaches_the_builder() -> None:
    assert IGNORED[1] == "*"
    assert {line.removeprefix("!") for line in IGNORED if line.startswith("!")} == set(COPIED)
