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
FRONT_DOOR, READ_BY_FRONT_DOOR = "agents/gateway", "sinks.reports."
"""The one room that shows what the sinks keep: it may import their reports, and nobody imports it but the demo."""
OPENED_BY = "agents/demo/stack.py"
PURE = [
    "agents/costs/budget.py",
    "agents/costs/prices.py",
    "agents/kpis/windows.py",
    "agents/kpis/formulas.py",
    "agents/kpis/counters.py",
    "agents/kpis/persona_counters.py",
    "agents/llm/caller.py",
    "agents/llm/model_breaker.py",
    "agents/caching/response_cache.py",
    "agents/llm/token_estimate.py",
    "agents/spend/stages.py",
    "agents/spend/spend_book.py",
    "agents/publishing/open_parts.py",
    "agents/publishing/notices.py",
    "agents/simulator/audience.py",
    "agents/publishing/plan.py",
    "agents/publishing/approval.py",
    "agents/publishing/asking/refusals.py",
    "agents/publishing/asking/wall_time.py",
]
LAYERS = {
    "agents": (
        "demo",
        "gateway",
        "webhooks",
        "privacy",
        "publishing",
        "insights",
        "simulator",
        "accounts",
        "platforms",
        "finetuning",
        "generation",
        "deduplication",
        "caching",
        "spend",
        "importing",
        "kpis",
        "embedding",
        "learning",
        "scoring",
        "guard",
        "costs",
        "personas",
        "llm",
    ),
    "agents/generation": (
        "role",
        "alerts",
        "stage",
        "batch_jobs",
        "partition_work",
        "request_ends",
        "scheduler",
        "writing",
        "admission",
        "kept",
        "drafting",
        "past_posts",
        "asking",
        "assignment",
        "choices",
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
        for name in modules_imported(path)
        if (top := name.split(".")[0]) in ours
        and top not in MAY_IMPORT[package]
        and not (path.is_relative_to(REPOSITORY / FRONT_DOOR) and name.startswith(READ_BY_FRONT_DOOR))
    }
    assert not wrong


def test_nobody_but_the_demo_imports_the_front_door() -> None:
    wrong = {
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for package in MAY_IMPORT
        for path in (REPOSITORY / package).rglob("*.py")
        if not path.is_relative_to(REPOSITORY / FRONT_DOOR) and path != REPOSITORY / OPENED_BY
        for name in modules_imported(path)
        if name.startswith(FRONT_DOOR.replace("/", "."))
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
