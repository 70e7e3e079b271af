"""Tables on terminals of any width: nothing that identifies is cut, and what is left out is said."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from agents.costs.budget import EVERYONE, BudgetLimits, BudgetPolicy
from agents.demo.scoreboard import Scoreboard
from agents.demo.screen import PERSONAS_SHOWN, drafts_table, kpi_table
from agents.personas.commands import personas_table
from agents.personas.directory import AppliedPersona
from agents.personas.persona_file import SAMPLES, read_personas
from agents.spend.budget_report import budget_lines, budgets_table
from agents.spend.spend_book import SpendBook
from schemas.codec.rows import RowCodec
from schemas.records import DeadLetter
from schemas.registries.registry import open_registry
from streams.cli.dead_letters import letters_table
from streams.cli.schemas import schemas
from streams.cli.status import servers_table
from streams.cli.table import Cell, Column, Role, Shown, Table, count, short_number, table_lines
from streams.wall_clock import utc_now
from tests.benchmarks.printing import print_results
from tests.support.sink_batches import draft, kpi
from tests.support.table_checks import IDS, LONG, TERMINALS, assert_whole

REPOSITORY = Path(__file__).resolve().parents[4]
ROLES: tuple[Role, ...] = ("id", "word", "number", "text")

texts = st.text(max_size=200) | st.sampled_from(IDS) | st.text("abc de日本א🚀\n\x1b\u202e", max_size=200)
ids = st.text(st.characters(exclude_categories=["C", "Z", "M"]), min_size=1, max_size=120) | st.sampled_from(IDS)
numbers = st.integers(-(10**25), 10**25)


def cells(role: Role) -> st.SearchStrategy[Cell]:
    if role == "number":
        return numbers.map(count)
    return ids if role == "id" else texts


@st.composite
def tables(draw: st.DrawFn) -> Table:
    roles = ["id", *draw(st.lists(st.sampled_from(ROLES), max_size=7))]
    columns = [
        Column(f"{role} {number}", role, 0 if role == "id" else draw(st.integers(0, 3)))
        for number, role in enumerate(roles)
    ]
    rows = draw(st.lists(st.tuples(*(cells(column.role) for column in columns)), max_size=6))
    return Table(columns, rows, draw(texts), draw(texts), {len(rows) - 1})


def shown_ids(table: Table) -> list[str]:
    return [str(row[n]) for row in table.rows for n, column in enumerate(table.columns) if column.role == "id"]


@given(tables(), st.integers(20, 200), st.booleans())
def test_no_id_is_cut_and_no_line_is_wider_than_the_terminal(table: Table, columns: int, wide: bool) -> None:
    assert_whole(list(table_lines(table, columns, wide=wide)), shown_ids(table), columns)


@given(tables(), st.integers(20, 200) | st.none())
def test_wide_tables_and_pipes_leave_nothing_out(table: Table, columns: int | None) -> None:
    lines = list(table_lines(table, columns, wide=columns is not None))
    assert not any(line.startswith("more with --wide") for line in lines)
    said = "".join("".join(line.split()) for line in lines)
    for row in table.rows:
        for cell in row:
            if isinstance(cell, Shown):
                assert cell.full in said


@given(tables())
def test_into_a_pipe_a_row_is_a_line(table: Table) -> None:
    first = next(iter(table.columns)).heading
    lines = list(table_lines(Table(table.columns, table.rows), None))
    rules = [number for number, line in enumerate(lines) if set(line) <= {"─", " "}]
    assert first.split()[0] in "".join(lines[: rules[0]])
    assert len(lines) - rules[-1] - 1 + (rules[-1] - rules[0]) - (len(rules) - 1) == len(table.rows)


@given(tables(), st.integers(20, 200) | st.none(), st.booleans())
def test_nothing_in_a_cell_moves_the_cursor(table: Table, columns: int | None, wide: bool) -> None:
    for line in table_lines(table, columns, wide=wide):
        assert not set(line) & set("\x1b\r\n\t\x07\u202e\u2028")


@given(st.integers(-(10**15), 10**15 - 10**12))
def test_a_short_number_is_the_number_to_three_digits(number: int) -> None:
    said = short_number(number).replace(",", "")
    factor = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}.get(said[-1], 1)
    assert float(said.rstrip("KMBT")) * factor == pytest.approx(number, rel=0.005)
    assert len(short_number(number)) <= 7


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (9_999, "9,999"),
        (10_000, "10K"),
        (12_345, "12.3K"),
        (999_949, "1M"),
        (1_313_536, "1.31M"),
        (2**63, "9.22e+18"),
    ],
)
def test_numbers_are_shortened_as_people_write_them(number: int, said: str) -> None:
    assert short_number(number) == said


def test_what_is_left_out_is_said_and_comes_back_with_wide() -> None:
    columns = (Column("post", "id"), Column("views", "number"), Column("follows", "number", minor=1))
    table = Table(columns, [("p" * 40, count(1_313_536), count(20_000_000))])
    narrow, wide = (list(table_lines(table, 50, wide=wide)) for wide in (False, True))
    assert any("1.31M" in line for line in narrow)
    assert narrow[-1] == "more with --wide: follows"
    assert any("1,313,536" in line for line in wide)
    assert any("20,000,000" in line for line in wide)


def test_a_long_text_goes_beneath_its_row_where_the_room_is_short() -> None:
    table = Table((Column("draft", "id"), Column("why", "text")), [("d" * 36, "it resembles " + "e" * 36)])
    lines = list(table_lines(table, 60))
    assert "d" * 36 in lines[2]
    assert " ".join(line.strip() for line in lines[3:]) == "why: it resembles " + "e" * 36


@pytest.mark.parametrize("columns", TERMINALS)
@pytest.mark.parametrize("personas", [IDS[:-2], IDS])
def test_the_tables_of_the_demo_fit(columns: int, personas: Sequence[str]) -> None:
    board = Scoreboard({"request-1"}, RowCodec(open_registry(None)))
    for number, persona_id in enumerate(personas[-PERSONAS_SHOWN:]):
        board.fold(replace(draft(number, "A long text " * 20), persona_id=persona_id))
        board.fold(replace(kpi("lifetime", number, 10**12), persona_id=persona_id))
    shown = personas[-PERSONAS_SHOWN:]
    for table in (drafts_table(board), kpi_table(board)):
        assert_whole(list(table_lines(table, columns)), shown, columns)


@pytest.mark.parametrize("columns", TERMINALS)
@pytest.mark.parametrize("personas", [IDS[:-2], IDS])
def test_the_table_of_budgets_fits(columns: int, personas: Sequence[str]) -> None:
    limits = dict.fromkeys((EVERYONE, *personas), BudgetLimits(hour_micros=10**12, day_micros=123_456_789))
    table = budgets_table(budget_lines(SpendBook(), limits, BudgetPolicy(), utc_now()))
    assert_whole(list(table_lines(table, columns)), personas, columns)


@pytest.mark.parametrize("columns", TERMINALS)
@pytest.mark.parametrize("wide", [False, True])
def test_the_tables_of_personas_servers_and_dead_letters_fit(columns: int, *, wide: bool) -> None:
    applied = [
        AppliedPersona(each.model_copy(update={"persona_id": persona_id}), "v" * 64)
        for each, persona_id in zip(cycle(read_personas(SAMPLES)), IDS)
    ]
    entries: list[dict[str, str | int | None]] = [
        {"kind": "server", "role": each, "pid": 4_194_304, "address": "http://127.0.0.1:65535/v1", "state": "running"}
        for each in IDS
    ]
    letters = [
        DeadLetter(
            event_id="d", occurred_at=utc_now(), consumer="sink-postgres", source_topic="persona.requests",
            source_partition=3, source_offset=10**12, source_timestamp=utc_now(), value=b"1" * 5_000,
            error_class=error_class, reason=f"expected magic byte 0x00 of {' and '.join(IDS)}",
        )
        for error_class in ("RecordFault", "DecodeFault")
    ]  # fmt: skip
    of_letters = ["RecordFault", "sink-postgres", "persona.requests", "1000000000000"]
    for table, shown in (
        (personas_table(applied), IDS),
        (servers_table(entries), [*IDS, "http://127.0.0.1:65535/v1"]),
        (letters_table(letters), [*of_letters[1:], *(of_letters if wide else [])]),
    ):
        assert_whole(list(table_lines(table, columns, wide=wide)), shown, columns)


@pytest.mark.parametrize("columns", TERMINALS)
def test_the_table_of_schemas_fits(columns: int) -> None:
    printed = CliRunner().invoke(schemas, ["show"], env={"COLUMNS": str(columns)}, catch_exceptions=False).stdout
    assert_whole(printed.splitlines(), ["engagement.events-value", "drafts.generated-value"], columns)


@pytest.mark.parametrize("columns", TERMINALS)
def test_tables_of_benchmarks_fit(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    rows = [[each, 1_234_567.8, "right", "a reason that is rather long, of several words and more"] for each in IDS]
    print_results("A contest", ("contestant", "events/s", "answer", "why"), rows)
    assert_whole(capsys.readouterr().out.splitlines(), IDS, columns)


def test_there_is_one_renderer_of_tables() -> None:
    drawing = {
        str(path.relative_to(REPOSITORY))
        for package in ("streams", "schemas", "agents", "sinks")
        for path in (REPOSITORY / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module in ("rich.table", "rich.columns")
    }
    assert not drawing
    assert cell_len(LONG) > max(TERMINALS[:2])
