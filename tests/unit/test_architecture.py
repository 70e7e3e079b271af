"""Dependencies point one way, and the house has the rooms that were agreed on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.source_imports import REPOSITORY, modules_imported

MAY_IMPORT = {
    "schemas": {"schemas"},
    "streams": {"schemas", "streams"},
    "agents": {"schemas", "streams", "agents"},
    "sinks": {"schemas", "streams", "sinks"},
}
PURE = [
    "agents/costs/alerts.py",
    "agents/costs/budget.py",
    "agents/costs/cost.py",
    "agents/kpis/windows.py",
    "agents/kpis/formulas.py",
    "agents/kpis/source_counts.py",
    "agents/kpis/persona_counters.py",
    "agents/llm/caller.py",
    "agents/llm/model_breaker.py",
    "agents/caching/response_cache.py",
    "agents/caching/semantic_reuse.py",
    "agents/llm/token_estimate.py",
    "agents/spend/budget_watch.py",
    "agents/spend/day_spend.py",
    "agents/spend/spend_book.py",
]
LAYERS = {
    "agents": (
        "demo",
        "generation",
        "deduplication",
        "caching",
        "spend",
        "importing",
        "kpis",
        "embedding",
        "scoring",
        "guard",
        "costs",
        "personas",
        "llm",
    ),
    "agents/generation": (
        "role",
        "stage",
        "stage_readings",
        "batch_jobs",
        "partition_work",
        "scheduler",
        "writing",
        "admission",
        "kept",
        "drafting",
        "past",
        "asking",
        "assignment",
        "metrics",
        "settings",
    ),
}
"""The rooms of a house, each above those that it may import."""
CLIENTS = {
    "faust",
    "mode",
    "aiokafka",
    "openai",
    "psycopg",
    "qdrant_client",
    "qdrant_edge",
    "prometheus_client",
    "aiohttp",
    "httpx",
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_dependencies_point_one_way(package: str) -> None:
    ours = set(MAY_IMPORT)
    wrong = {
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for path in (REPOSITORY / package).rglob("*.py")
        for name in imported(path)
        if name in ours and name not in MAY_IMPORT[package]
    }
    assert not wrong


def rooms_in(house: str) -> dict[str, list[Path]]:
    """Return the files of each room: of a folder, or of a module that stands alone."""
    found: dict[str, list[Path]] = {}
    for path in (REPOSITORY / house).rglob("*.py"):
        room = path.relative_to(REPOSITORY / house).parts[0].removesuffix(".py")
        if room != "__init__":
            found.setdefault(room, []).append(path)
    return found


@pytest.mark.parametrize("house", sorted(LAYERS))
def test_a_room_imports_only_the_rooms_below_it(house: str) -> None:
    layers, rooms, package = LAYERS[house], rooms_in(house), house.replace("/", ".") + "."
    assert set(rooms) == set(layers), "every room has its place among the layers, and no place is empty"
    wrong = {
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for room, paths in rooms.items()
        for path in paths
        for name in modules_imported(path)
        if name.startswith(package) and (other := name.removeprefix(package).split(".")[0]) != room
        if other not in layers[layers.index(room) :]
    }
    assert not wrong


def test_an_import_that_runs_up_would_be_seen() -> None:
    imports = set(modules_imported(REPOSITORY / "agents/generation/stage.py"))
    assert "agents.generation.admission.Admission" in imports
    assert all(len(paths) > 0 for paths in rooms_in("agents").values())


@pytest.mark.parametrize("path", PURE)
def test_logic_that_decides_knows_no_client(path: str) -> None:
    assert not CLIENTS & set(imported(REPOSITORY / path))


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_every_package_says_what_lives_there(package: str) -> None:
    folders = {path.parent for path in (REPOSITORY / package).rglob("*.py")}
    silent = [
        folder.name for folder in folders if not ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    ]
    assert not silent


def test_only_settings_read_the_environment() -> None:
    allowed = {"streams/settings.py"}
    readers = {
        str(path.relative_to(REPOSITORY))
        for package in MAY_IMPORT
        for path in (REPOSITORY / package).rglob("*.py")
        if "os.environ.get" in path.read_text(encoding="utf-8") or "os.getenv" in path.read_text(encoding="utf-8")
    }
    assert readers <= allowed
