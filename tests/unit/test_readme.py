"""The READMEs say what is there: every setting, command, metric, topic and room, and no file that isn't."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from pydantic.fields import FieldInfo

from schemas.catalogue import CATALOGUE
from streams.cli.main import main
from streams.metrics import Metric, catalogue
from streams.role import role_names
from streams.settings import PREFIX, setting_kinds

REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS = {kind.variables()[name]: field for kind in setting_kinds() for name, field in kind.model_fields.items()}
PACKAGES = ("schemas", "streams", "agents", "sinks")
FOLDERS = (*PACKAGES, "grafana", "deploy", "tests")
MOST_LINES = 150  # of the one that a stranger reads first


def text_of(folder: str) -> str:
    return (REPOSITORY / folder / "README.md").read_text(encoding="utf-8")


READMES = {folder: text_of(folder) for folder in (".", *FOLDERS)}
EVERYTHING = "\n".join(READMES.values())


def setting_row(variable: str, field: FieldInfo) -> str:
    default = "" if field.default is None else f"`{field.default}`"
    return f"| `{variable}` | {default} | {field.description} |"


def command_paths(group: click.Group, prefix: str) -> list[str]:
    """Name the commands of a group, and for a group of groups its leaves."""
    context = click.Context(group)
    paths = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        path = f"{prefix} {name}"
        paths += command_paths(command, path) if isinstance(command, click.Group) else [path]
    return paths


def packages() -> list[str]:
    """Return the folders of all packages, from the repository."""
    found = [path for top in (*PACKAGES, "grafana") for path in (REPOSITORY / top).rglob("__init__.py")]
    return sorted(str(path.parent.relative_to(REPOSITORY)) for path in found)


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def linked() -> list[tuple[str, str]]:
    """Return the links of all READMEs, each with its folder."""
    found = {(folder, link) for folder, text in READMES.items() for link in re.findall(r"\]\(([^)\s]+)\)", text)}
    return sorted(found)


def test_the_first_one_is_short_and_leads_to_all_others() -> None:
    assert len(READMES["."].splitlines()) <= MOST_LINES
    assert [folder for folder in FOLDERS if f"({folder}/README.md)" not in READMES["."]] == []


@pytest.mark.parametrize("variable", SETTINGS)
def test_every_setting_stands_in_the_table_with_its_default_and_meaning(variable: str) -> None:
    row = setting_row(variable, SETTINGS[variable])
    assert row in READMES["deploy"].splitlines(), f"deploy/README.md, section Configuration, needs this row:\n{row}"


def test_the_table_has_no_setting_that_is_none() -> None:
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", EVERYTHING)) <= set(SETTINGS)


def test_every_command_is_shown_with_an_example() -> None:
    assert isinstance(main, click.Group)
    paths = command_paths(main, "threads-agent")
    assert len(paths) > 15
    assert [path for path in paths if not re.search(rf"{path}(?=[\s`])", EVERYTHING)] == []


@pytest.mark.parametrize("metric", catalogue(), ids=lambda metric: metric.name)
def test_every_series_stands_in_the_table_with_its_labels(metric: Metric) -> None:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    row = f"| `{metric.name}` | {metric.type} | {labels} | {metric.help} |"
    assert row in READMES["sinks"].splitlines(), f"sinks/README.md, section Prometheus series, needs this row:\n{row}"


def test_every_topic_and_role_is_named() -> None:
    names = [topic.name for topic in CATALOGUE] + role_names()
    assert [name for name in names if f"`{name}`" not in EVERYTHING] == []


@pytest.mark.parametrize("top", PACKAGES)
def test_every_room_stands_in_the_readme_of_its_folder_as_it_says_of_itself(top: str) -> None:
    rooms = list((REPOSITORY / top).glob("*/**/__init__.py"))
    assert rooms
    for path in rooms:
        says = path.read_text(encoding="utf-8").split('"""')[1].splitlines()[0]
        row = f"| `{path.parent.relative_to(REPOSITORY / top)}/` | {says} |"
        assert row in READMES[top].splitlines(), f"{top}/README.md, section Rooms, needs this row:\n{row}"


@pytest.mark.parametrize(("folder", "target"), linked())
def test_what_is_linked_is_there(folder: str, target: str) -> None:
    if "://" in target:
        return
    name, _, heading = target.partition("#")
    path = REPOSITORY / folder / (name or "README.md")
    assert path.exists()
    if heading:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert heading in {anchor(line.lstrip("# ")) for line in lines if line.startswith("#")}


@pytest.mark.parametrize("package", packages())
def test_a_package_says_where_to_start_and_names_files_that_exist(package: str) -> None:
    folder = REPOSITORY / package
    text = (folder / "__init__.py").read_text(encoding="utf-8").split('"""')[1]
    assert "Start with" in text
    named = re.findall(r"(?<![\w/])([a-z_]+(?:/[a-z_]+)*\.py)\b", text)
    assert [name for name in named if not (folder / name).exists() and not (REPOSITORY / name).exists()] == []
