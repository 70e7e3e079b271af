"""Real exports are recognised by their header and read to their own sums, which csv counts here by itself."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from agents.importing.cells.visible_text import ImportFault
from agents.importing.decisions.ledger import LedgerState
from agents.importing.presets import Request, Said, load_preset, preset_names, preset_of
from agents.importing.preview import WIDTH, Preview, understood
from agents.importing.reading import survey
from agents.importing.rejects import Rejects
from agents.importing.run import preview_source
from agents.importing.sources.csv_file import CsvForm
from agents.importing.sources.opening import SourceForm, source_of
from tests.support.exports import export_file


class Known(NamedTuple):
    """An export, how it is written, and which of its columns count what."""

    preset: str
    encoding: str
    above: int
    columns: dict[str, str]
    said: Said = Said()
    skipped: str = ""


EXPORTS = {
    "x_tweet_activity_metrics_en.csv": Known(
        "x-posts",
        "utf-8",
        0,
        {"view": "impressions", "like": "likes", "reply": "replies", "repost": "retweets", "click": "url clicks"},
    ),
    "x_account_overview_analytics.csv": Known(
        "x-overview", "utf-8", 0, {"view": "Impressions", "like": "Likes", "reply": "Replies", "repost": "Reposts"}
    ),
    "youtube_studio_table_data_en.csv": Known("youtube-content", "utf-8", 0, {"view": "Views"}, skipped="Total"),
    "meta_instagram_content_es.csv": Known(
        "meta-content",
        "utf-8-sig",
        0,
        {"view": "Visualizaciones", "like": "Me gusta", "reply": "Comentarios", "share": "Veces que se ha compartido"},
    ),
    "meta_instagram_visualizaciones_es_utf16.csv": Known("meta-views", "utf-16", 2, {"view": "Primary"}),
    "tiktok_content_en_1.csv": Known(
        "tiktok-content", "utf-8-sig", 0, {"view": "Total views", "like": "Total likes"}, Said(year=2026)
    ),
    "tiktok_content_en_2.csv": Known(
        "tiktok-content", "utf-8-sig", 0, {"view": "Total views", "share": "Total shares"}, Said(year=2026)
    ),
    "tiktok_overview_es.csv": Known("tiktok-overview", "utf-8-sig", 0, {"view": "Video Views"}, Said(year=2026)),
}


def request(said: Said = Said(), *, maps: Sequence[str] = (), preset: str | None = None) -> Request:  # noqa: B008
    return Request(preset, tuple(maps), "ada", None, said)


def previewed(path: Path, wanted: Request, form: CsvForm = CsvForm()) -> tuple[list[str], Preview]:  # noqa: B008
    source = source_of(path, SourceForm(csv=form))
    reading, told = preview_source(survey(source, wanted.mapping(source)), LedgerState(), Rejects())
    return understood(reading, told), told


def own_sums(path: Path, known: Known) -> Counter[str]:
    lines = path.read_text(encoding=known.encoding).split("\n", known.above)[known.above]
    sums: Counter[str] = Counter()
    for row in csv.DictReader(io.StringIO(lines)):
        if known.skipped not in row.values() or not known.skipped:
            for kind, column in known.columns.items():
                sums[kind] += int(float(row[column]))
    return sums


@pytest.mark.parametrize("name", EXPORTS)
def test_a_real_export_is_recognised_and_read_to_its_own_sums(name: str) -> None:
    path, known = export_file(name), EXPORTS[name]
    wanted = request(known.said)
    assert wanted.mapping(source_of(path)).preset == known.preset
    lines, told = previewed(path, wanted)
    assert told.report.bad_rows == 0
    sums = own_sums(path, known)
    assert {kind: told.sums[kind] for kind in sums} == sums
    assert {kind: told.report.changes[kind] for kind in sums} == sums
    assert all(len(line) <= WIDTH for line in lines)
    assert any(known.preset in line for line in lines)
    for kind, count in sums.items():
        assert any(kind in line and f"{count:,}" in line for line in lines)


def test_negative_and_blank_fields_of_a_real_export_spoil_only_themselves() -> None:
    _, told = previewed(export_file("youtube_studio_table_data_en.csv"), request())
    assert (told.good_rows, told.report.bad_rows, told.report.sums) == (8, 0, 1)
    assert [note.partition(":")[0] for note in told.report.notes if "follows" in note] == ["line 7", "line 9"]


def test_dates_without_a_year_of_a_real_export_are_asked_about() -> None:
    with pytest.raises(ImportFault, match="--year"):
        previewed(export_file("tiktok_content_en_1.csv"), request())


HEADERS = {
    "Tweet id,Tweet permalink,Tweet text,time,impressions,engagement rate,retweets,replies,likes": "x-posts",
    "Post id,Date,Post text,Post Link,Impressions,Likes,Engagements,Bookmarks,Shares,New follows,Replies": "x-content",
    "Date,Impressions,Likes,Engagements,Bookmarks,Shares,New follows,Unfollows,Replies,Reposts,Profile visits,"
    "Create Post,Video views,Media views": "x-overview",
    "Videos,Videotitel,Veröffentlichungszeitpunkt des Videos,Dauer,Aufrufe,Wiedergabezeit (Stunden),Abonnenten,"
    "Geschätzter Umsatz (EUR),Impressionen,Klickrate der Impressionen (%)": "youtube-content",
    "Post ID,Account ID,Account username,Account name,Description,Duration (sec),Publish time,Permalink,Post type,"
    "Data comment,Date,Views,Reach,Likes,Shares,Follows,Comments,Saves": "meta-content",
    "Video title,Video link,Post time,Total likes,Total comments,Total shares,Total views": "tiktok-content",
    "Date,Video Views,Profile Views,Likes,Comments,Shares": "tiktok-overview",
    "day,views": None,
    "Date,Primary": None,  # of which card tells only the title above it
}


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("marked", ["{}", "\u200b{}\ufeff", "{}\u00ad", " {} "])
def test_a_header_is_recognised_whatever_can_not_be_seen_in_it(tmp_path: Path, header: str, marked: str) -> None:
    path = tmp_path / "x.csv"
    names = [marked.format(name) for name in header.split(",")]
    path.write_text(",".join(f'"{name}"' for name in names) + "\n", encoding="utf-8-sig")
    if HEADERS[header] is None:
        with pytest.raises(ImportFault, match="It is none of the known exports"):
            request().mapping(source_of(path))
    else:
        assert request().mapping(source_of(path)).preset == HEADERS[header]


@pytest.mark.parametrize("title", ["Views", "Visualizaciones", "Reach"])
def test_a_card_of_meta_is_told_by_the_title_above_its_header(title: str) -> None:
    assert (preset_of(["Date", "Primary"], [title]) == "meta-views") == (title != "Reach")


def test_no_header_is_of_two_presets_alike() -> None:
    for name in preset_names():
        preset = load_preset(name)
        header = [names[0] for names in (*preset.columns.values(), *preset.marks)]
        assert preset_of(header, preset.titles) == name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("above", ["", "sep={}\n", "A title\n\n", '"sep={}"\nA title\n'])
def test_a_file_of_any_form_is_read(tmp_path: Path, encoding: str, delimiter: str, above: str) -> None:
    path = tmp_path / "x.csv"
    rows = [["post", "day", "views", "note"], ["p1", "2026-01-01", "1", "two\nlines"], ["p2", "2026-01-02", "20", "ü"]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([*rows, ["", "", "", ""], ["", "", "", ""]])
    path.write_bytes((above.format(delimiter) + text.getvalue()).encode(encoding))
    maps = ["post_id=post", "occurred_at=day", "views=views"]
    _, told = previewed(path, request(maps=maps))
    assert (told.good_rows, told.report.bad_rows, told.sums["view"]) == (2, 0, 21)


def test_an_encoding_that_is_said_is_used(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("día,vistas\n2026-01-01,3\n".encode("cp1252"))
    wanted = request(maps=["occurred_at=día", "views=vistas"])
    with pytest.raises(ImportFault, match="--encoding"):
        previewed(path, wanted)
    assert previewed(path, wanted, CsvForm(encoding="cp1252"))[1].sums["view"] == 3
    for delimiter in ("", ";;", '"'):
        with pytest.raises(ImportFault, match="one sign was expected"):
            previewed(path, wanted, CsvForm("cp1252", delimiter))
    with pytest.raises(ImportFault, match="'ansi-ish' is unknown"):
        previewed(path, wanted, CsvForm(encoding="ansi-ish"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"day,views\n2026-01-01,\x003\n", "line 2 holds a NUL"),
        (codecs.BOM_UTF16_LE + "day,views\n2026-01-01,3\n".encode("utf-16-le")[:-1], "line 2: not UTF-16"),
        (b"day,views\nsoon,3\nlater,4\n", "none of its 2 rows can be imported"),
        (b"day,views\r2026-01-01,3\r", "lines end in CR alone"),
        (b"day,views,views\n2026-01-01,3,4\n", "'views' more than once"),
    ],
)
def test_a_file_that_can_not_be_understood_is_refused_as_a_whole(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(ImportFault, match=expected):
        previewed(path, request(maps=["occurred_at=day", "views=views"]))


def test_a_missing_column_is_suggested_as_it_can_be_typed(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("\ufeffda\u00adte,\u200bview\u00a0count\n", encoding="utf-8")
    with pytest.raises(ImportFault, match=r"did you mean 'view count'") as caught:
        previewed(path, request(maps=["occurred_at=date", "views=views count"]))
    assert str(caught.value).isascii()


IDS = ["post_id=post", "occurred_at=day", "views=views"]


def of_ids(tmp_path: Path, ids: Sequence[str], said: Said = Said()) -> Preview:  # noqa: B008
    path = tmp_path / "x.csv"
    path.write_text("post,day,views\n" + "".join(f'"{each}",2026-01-01,1\n' for each in ids), encoding="utf-8")
    return previewed(path, request(said, maps=IDS))[1]


@pytest.mark.parametrize("text", ["1.35550E+18", "1,3555E+18", "1.3555E18", "1e+18", "1355500000000000001.0"])
def test_ids_that_became_numbers_are_refused(tmp_path: Path, text: str) -> None:
    told = of_ids(tmp_path, [text, "1355500000000000001"])
    assert told.good_rows == 1
    assert "a spreadsheet changed the ids" in told.report.faults[0]


def test_hexadecimal_ids_are_no_numbers(tmp_path: Path) -> None:
    ids = ["514e21", "5e12", "51436062220cb800020001e1", "544361622200e1", "1e18"]
    assert list(of_ids(tmp_path, ids).first[0].post_ids or ()) == ids[:3]
    assert of_ids(tmp_path, ids).good_rows == len(ids)


def test_ids_that_a_spreadsheet_rounded_are_refused_all_together(tmp_path: Path) -> None:
    rounded = ["1355500000000000000", "1355512345678900000"]
    with pytest.raises(ImportFault, match="--trust-ids"):
        of_ids(tmp_path, rounded)
    assert of_ids(tmp_path, rounded, Said(trust_ids=True)).good_rows == 2
    assert of_ids(tmp_path, [*rounded, "1355512345678901234"]).good_rows == 3


def test_an_id_in_a_formula_or_with_marks_is_the_id(tmp_path: Path) -> None:
    told = of_ids(tmp_path, ['=""1355512345678901234""', "\u200e1355512345678901234 "])
    assert list(told.first[0].post_ids or ()) == ["1355512345678901234"] * 2
