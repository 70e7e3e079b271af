"""Exports as tools write them, made here in their form: separators, marks, encodings, preambles, short numbers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from agents.importing.decisions.ledger import LedgerState
from agents.importing.presets import Request, Said
from agents.importing.preview import Preview
from agents.importing.reading import survey
from agents.importing.rejects import Rejects
from agents.importing.run import preview_source
from agents.importing.sources.opening import source_of

POST = "https://www.linkedin.com/feed/update/urn:li:activity:7123456789012345678/"


class Export(NamedTuple):
    """A file in an export's form, its preset, and what it counts."""

    preset: str
    text: str
    counts: dict[str, int]
    encoding: str = "utf-8"
    warning: str = ""


EXPORTS = {
    "threads with the names of the API": Export(
        "threads-content",
        "id,permalink,text,timestamp,views,likes,replies,reposts,quotes,shares\n"
        '17900000000000001,https://www.threads.net/@a/post/x,"Hi, all",2024-03-01T12:30:00+0000,"1,234",5,1,2,3,4\n',
        {"view": 1234, "like": 5, "reply": 1, "repost": 2, "quote": 3, "share": 4},
    ),
    "threads in utf-16 with capitals, tabs and shortened counts": Export(
        "threads-content",
        "Post ID\tPost URL\tPost text\tPublish time\tViews\tLikes\tReplies\tReposts\tQuotes\n"
        "17900000000000001\thttps://x\tHi\t2024-03-01 12:30\t1.2K\t5\t1\t2\t3\n",
        {"view": 1200, "like": 5, "reply": 1, "repost": 2, "quote": 3},
        "utf-16",
        "Some counts are shortened, such as '1.2K' in line 2",
    ),
    "buffer": Export(
        "buffer-posts",
        "Date,Channel,Post,Post Link,Impressions,Reactions,Comments,Clicks\n"
        "2024-03-01 12:30,threads,Hello,https://buffer.example/1,900,5,1,7\n",
        {"view": 900, "like": 5, "reply": 1, "click": 7},
    ),
    "metricool in spanish with semicolons, points of thousands and a mark": Export(
        "metricool-posts",
        "\ufeffFecha;Contenido;Enlace;Visualizaciones;Me gusta;Respuestas;Citas;Interacciones;Engagement\n"
        "2024-03-01 12:30;Hola;https://x/1;12.345;5;1;2;8;0,5\n"
        "2024-03-02 12:30;Hola;https://x/2;1.234.567;0;0;0;0;1,2\n",
        {"view": 1_246_912, "like": 5, "reply": 1, "quote": 2},
    ),
    "metricool in english with short numbers and decimal commas": Export(
        "metricool-posts",
        "Date;Content;URL;Views;Likes;Replies;Interactions;Engagement\n"
        "2024-03-01 12:30;Hi;https://x/1;3,4 M;5;1;6;0,5\n",
        {"view": 3_400_000, "like": 5, "reply": 1},
        warning="'3,4 M' in line 2",
    ),
    "linkedin page with a preamble": Export(
        "linkedin-page",
        '"Content analytics, from 3/1/2024 to 3/31/2024"\n'
        "Post title,Post link,Post type,Posted by,Created date,Impressions,Clicks,Click through rate (CTR),Likes,"
        "Comments,Reposts,Follows,Engagement rate\n"
        f"We are hiring,{POST},Organic,Ada,03/05/2024,1 234,8,0.01,5,1,2,3,0.02\n",
        {"view": 1234, "click": 8, "like": 5, "reply": 1, "repost": 2, "follow": 3},
    ),
    "linkedin page of older days with apostrophes": Export(
        "linkedin-page",
        "Update title,Update link,Update type,Created date,Impressions,Reactions\n"
        f"News,{POST},Organic,03/05/2024,1\N{RIGHT SINGLE QUOTATION MARK}234,5\n",
        {"view": 1234, "like": 5},
    ),
    "linkedin of one's own posts": Export(
        "linkedin-personal",
        "Maximum of 50 posts available to be included in this list\nPost URL,Post publish date,Impressions\n"
        f"{POST},3/5/2024,900\n",
        {"view": 900},
    ),
}


def previewed(path: Path) -> tuple[str | None, Preview]:
    request = Request(None, (), "ada", None, Said())
    source = source_of(path)
    mapping = request.mapping(source)
    _, told = preview_source(survey(source, mapping), LedgerState(), Rejects())
    return mapping.preset, told


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_recognised_and_read_to_its_counts(name: str, tmp_path: Path) -> None:
    export = EXPORTS[name]
    path = tmp_path / "export.csv"
    path.write_bytes(export.text.encode(export.encoding))
    preset, told = previewed(path)
    assert preset == export.preset
    assert (told.report.bad_rows, told.report.faults) == (0, [])
    assert +told.report.changes == export.counts
    if export.warning:
        assert export.warning in told.report.warnings[0]
    else:
        assert not told.report.warnings


def test_the_id_of_a_linkedin_post_is_that_in_its_link(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(EXPORTS["linkedin of one's own posts"].text)
    _, told = previewed(path)
    assert [list(block.post_ids or ()) for block in told.first] == [["7123456789012345678"]]
