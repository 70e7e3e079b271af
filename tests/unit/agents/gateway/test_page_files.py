"""The page's files: all there, all of our own making but one, and none that reads data as markup."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import PurePosixPath

import pytest

from agents.gateway.routes.page import FOLDER, POLICY, page_files

SERVED = {name: file.content.decode() for name, file in page_files().items()}
OURS = {name: text for name, text in SERVED.items() if not name.startswith("vendor/")}
SCRIPTS = {name: text for name, text in OURS.items() if name.endswith(".js")}
IMPORT = re.compile(r"^(?:import|export) (?:[^\"';]*? from )?\"([^\"]+)\"", re.MULTILINE)
MARKUP_SINKS = re.compile(
    r"\.(inner|outer)HTML|insertAdjacentHTML|document\.write|createContextualFragment|\bsrcdoc\b|DOMParser|setHTML"
)
CODE_FROM_TEXT = re.compile(r"\beval\(|new Function\(|set(?:Timeout|Interval)\(\s*[\"'`]|javascript:")
ADDRESS_ELSEWHERE = re.compile(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", re.IGNORECASE)


def imported(name: str) -> set[str]:
    """Return what a script imports, by its path beneath the folder."""
    parent = PurePosixPath(name).parent
    return {normal(parent / target) for target in IMPORT.findall(SERVED[name])}


def normal(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def test_every_file_that_is_named_is_served_and_every_script_is_named() -> None:
    named = {path for name in SCRIPTS for path in imported(name)}
    of_index = {
        path.removeprefix("page/") for path in re.findall(r"(?:href|src)=\"(page/[^\"]+)\"", SERVED["index.html"])
    }
    assert named | of_index <= set(SERVED)
    scripts_and_styles = {name for name in SERVED if name.endswith((".js", ".css"))}
    assert scripts_and_styles <= named | of_index


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_makes_no_markup_and_no_code_of_text(name: str) -> None:
    assert MARKUP_SINKS.findall(SCRIPTS[name]) == []
    assert CODE_FROM_TEXT.findall(SCRIPTS[name]) == []
    assert SCRIPTS[name].startswith("// @ts-check\n/** ")


@pytest.mark.parametrize("text", ["a.innerHTML = b", "x.insertAdjacentHTML('beforeend', b)", "document.write(b)"])
def test_markup_of_text_would_be_seen(text: str) -> None:
    assert MARKUP_SINKS.search(text)


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_file_names_no_address_elsewhere(name: str) -> None:
    assert set(ADDRESS_ELSEWHERE.findall(OURS[name])) <= {"http://www.w3.org"}  # the namespace of an icon is a name


def test_the_document_has_nothing_inline() -> None:
    index = SERVED["index.html"]
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", index) == []


def test_the_policy_lets_nothing_in_but_the_pages_own_files() -> None:
    rules = dict(each.split(" ", 1) for each in POLICY.split("; "))
    assert rules["default-src"] == "'none'"
    assert (rules["script-src"], rules["style-src"], rules["connect-src"]) == ("'self'", "'self'", "'self'")
    assert "unsafe" not in POLICY
    assert (rules["frame-ancestors"], rules["base-uri"], rules["form-action"]) == ("'none'", "'none'", "'none'")


def test_what_is_not_ours_is_what_its_makers_published() -> None:
    vendor = FOLDER / "vendor"
    told = dict(line.split(maxsplit=1)[::-1] for line in (vendor / "SHA256SUMS").read_text().splitlines())
    there = {path.name for path in vendor.iterdir()} - {
        "SHA256SUMS",
        "uPlot.esm.d.ts",
    }  # types, for our own scripts' sake
    assert set(told) == there
    assert {name: hashlib.sha256((vendor / name).read_bytes()).hexdigest() for name in there} == told
    assert "MIT License" in (vendor / "uPlot.LICENSE").read_text()


def test_the_package_brings_every_file_of_the_page() -> None:
    agents = FOLDER.parents[1]
    declared = tomllib.loads((agents.parent / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    brought = {path for pattern in declared["agents"] for path in agents.glob(pattern)}
    assert {path for path in FOLDER.rglob("*") if path.is_file()} <= brought
