"""What platforms can do is data with source and date, checked when it is read, and shown as it is."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from agents.platforms.capabilities import (
    CAPABILITY_FILE,
    Capabilities,
    all_capabilities,
    capabilities_of,
    read_capabilities,
)
from agents.platforms.clients import KINDS
from streams.errors import SettingsError

README = Path(__file__).resolve().parents[4] / "agents" / "README.md"
UNITS = {
    "utf8_emoji": "characters, an emoji as its UTF-8 bytes",
    "graphemes": "graphemes",
    "characters": "graphemes, a link as 23",
}
CHANGES = [
    ("text_limit: 500", "text_limit: 0"),
    ("text_limit: 500", "text_limit: many"),
    ("counted_as: graphemes", "counted_as: bytes"),
    ("metrics: [likes, replies, reposts]", "metrics: [likes, kudos]"),
    ("has_views: true", "has_views: false"),
    ("reply_controls: [everyone", "reply_control: [everyone"),
    ('as_of: "2026-11-27"', "as_of: lately"),
    ("source: https://developers", "source: developers"),
    ("bluesky:", "threads:"),
]


def yes(value: bool) -> str:
    return "yes" if value else "no"


def row(name: str, can: Capabilities) -> str:
    most = "any" if can.max_links is None else str(can.max_links)
    length = f"{can.text_limit} {UNITS[can.counted_as]}" + (f"; {can.max_bytes:,} bytes" if can.max_bytes else "")
    cells = [
        f"`{name}`",
        length,
        most,
        yes(can.has_containers),
        yes(can.has_threads),
        yes(can.has_topic_tags),
        yes(can.has_reply_control),
        yes(can.has_delete),
        yes(can.has_clicks),
        ", ".join(can.metrics),
        can.as_of,
    ]
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("name", sorted(all_capabilities()))
def test_the_readme_shows_the_table_as_it_is(name: str) -> None:
    wanted = row(name, capabilities_of(name))
    assert wanted in README.read_text(encoding="utf-8").splitlines(), f"agents/README.md, section Platforms:\n{wanted}"


def test_every_client_has_its_row() -> None:
    for kind in KINDS:
        assert kind.capabilities == capabilities_of(kind.name)


@pytest.mark.parametrize("name", sorted(all_capabilities()))
def test_every_row_has_a_source_and_a_day_that_is_past(name: str) -> None:
    can = capabilities_of(name)
    assert can.source.startswith("https://")
    assert date.fromisoformat(can.as_of) <= date(2027, 1, 1)


@pytest.mark.parametrize(("right", "wrong"), CHANGES, ids=[wrong for _, wrong in CHANGES])
def test_a_table_that_is_wrong_is_refused_with_its_place(right: str, wrong: str, tmp_path: Path) -> None:
    text = CAPABILITY_FILE.read_text(encoding="utf-8")
    assert right in text
    path = tmp_path / "capabilities.yaml"
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"capabilities\.yaml"):
        read_capabilities(path)


def test_a_platform_without_a_client_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(SettingsError, match="bluesky, mastodon, threads"):
        capabilities_of("myspace")
