"""The file registry keeps its promises across restarts and releases."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from schemas.definitions import PACKAGE_FOLDER, definition
from schemas.errors import IncompatibleSchema, UnknownSchema
from schemas.registries.file_registry import INDEX_NAME, LOCAL_IDS_FROM, VERSIONS_NAME, FileRegistry

SUBJECT = "engagement.events-value"
NEWER = {**definition("EngagementEvent"), "doc": "newer"}


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """A copy of the committed files, as a checkout that may be written to."""
    folder = tmp_path / "check out"
    shutil.copytree(PACKAGE_FOLDER / VERSIONS_NAME, folder / VERSIONS_NAME)
    shutil.copy(PACKAGE_FOLDER / INDEX_NAME, folder / INDEX_NAME)
    return folder


def test_the_same_schema_keeps_its_id(committed: Path) -> None:
    registry = FileRegistry(committed=committed)
    before = (committed / INDEX_NAME).read_bytes()
    assert registry.register(SUBJECT, definition("EngagementEvent")) == registry.ids(SUBJECT)[-1]
    assert (committed / INDEX_NAME).read_bytes() == before


def test_two_topics_of_one_record_share_an_id() -> None:
    registry = FileRegistry()
    assert registry.ids("drafts.accepted-value") == registry.ids("drafts.rejected-value")
    assert registry.writer_schema(registry.ids("drafts.accepted-value")[0]).subjects == {
        "drafts.accepted-value",
        "drafts.rejected-value",
    }


def test_a_new_version_is_there_after_a_restart_and_the_old_one_too(committed: Path) -> None:
    new_id = FileRegistry(committed=committed).register(SUBJECT, NEWER)
    again = FileRegistry(committed=committed)
    assert again.writer_schema(new_id).schema == NEWER
    assert again.ids(SUBJECT)[-1] == new_id
    assert again.writer_schema(again.ids(SUBJECT)[-2]).schema == definition("EngagementEvent")


def test_local_ids_never_collide_with_those_of_a_later_release(committed: Path, tmp_path: Path) -> None:
    local_id = FileRegistry(tmp_path / "local", committed=committed).register("mine-value", NEWER)
    assert local_id == LOCAL_IDS_FROM
    released = {**NEWER, "doc": "released"}
    released_id = FileRegistry(committed=committed).register(SUBJECT, released)
    both = FileRegistry(tmp_path / "local", committed=committed)
    assert both.writer_schema(local_id).schema == NEWER
    assert both.writer_schema(released_id).schema == released


def test_an_incompatible_version_is_refused_and_nothing_is_written(committed: Path) -> None:
    registry = FileRegistry(committed=committed)
    before = sorted(path.name for path in (committed / VERSIONS_NAME).iterdir())
    broken = {**NEWER, "fields": [*NEWER["fields"], {"name": "country", "type": "string"}]}
    with pytest.raises(IncompatibleSchema, match="'country' is new and has no default"):
        registry.register(SUBJECT, broken)
    assert sorted(path.name for path in (committed / VERSIONS_NAME).iterdir()) == before


def test_an_unknown_id_is_told_as_such() -> None:
    with pytest.raises(UnknownSchema, match="no schema id 4711"):
        FileRegistry().writer_schema(4711)
