from __future__ import annotations

import pytest

from agents.importing.fields import ImportFault, bind
from agents.importing.presets import mapping_of, preset_names


def test_the_upworthy_preset_reads_the_archive_and_its_extracts() -> None:
    mapping = mapping_of(preset="upworthy", maps=[], persona_id=None, time_format=None)
    extract = ["test_id", "headline", "excerpt", "eyecatcher_id", "iso_week", "impressions", "clicks"]
    archive = ["", "created_at", "test_week", "clickability_test_id", "headline", "impressions", "clicks"]
    assert bind(mapping, extract, "x.csv").bound["post_id"] == "test_id"
    assert bind(mapping, archive, "x.csv").bound["occurred_at"] == "test_week"
    assert (mapping.persona_id, mapping.post_per_row) == ("upworthy", True)


def test_the_command_line_wins_over_the_preset() -> None:
    mapping = mapping_of(preset="upworthy", maps=["views=seen"], persona_id="ada", time_format="epoch")
    assert mapping.columns["views"] == ("seen",)
    assert (mapping.persona_id, mapping.time_format) == ("ada", "epoch")


def test_a_mapped_persona_replaces_the_presets_own() -> None:
    mapping = mapping_of(preset="upworthy", maps=["persona_id=who"], persona_id=None, time_format=None)
    assert mapping.persona_id is None


def test_everything_wrong_with_a_mapping_is_listed_at_once() -> None:
    with pytest.raises(ImportFault) as caught:
        mapping_of(preset=None, maps=["view=seen", "text=words"], persona_id=None, time_format=None)
    message = str(caught.value)
    for part in (
        "'view' is not a field; did you mean 'views'?",
        "occurred_at is not mapped",
        "no persona",
        "text needs a post",
    ):
        assert part in message


def test_a_map_without_a_column_is_refused() -> None:
    with pytest.raises(ImportFault, match="--map 'views' is not FIELD=COLUMN"):
        mapping_of(preset=None, maps=["views"], persona_id=None, time_format=None)


def test_an_unknown_preset_lists_those_there_are() -> None:
    assert "upworthy" in preset_names()
    with pytest.raises(ImportFault, match="choose from: upworthy"):
        mapping_of(preset="upworhty", maps=[], persona_id=None, time_format=None)
