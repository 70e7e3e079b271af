"""`threads-agent dead-letters`: the records that could not be processed, why, and what is done about them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import click

from schemas.records import DeadLetter
from streams.cli.dead_letter_pass import let_pass
from streams.cli.dead_letter_runs import drop, redrive, runs
from streams.cli.letter_choice import choice_options, chosen, shown_selection
from streams.cli.table import Cell, Column, Table, count, print_table, print_text, wide_option
from streams.errors import ThreadsError

if TYPE_CHECKING:
    from schemas.registries.registry import SchemaRegistry
    from streams.kafka.cluster import Cluster
    from streams.letters.content import Content
    from streams.letters.standing import Case, Group

NOT_THERE_EXIT_STATUS = 1
SHOWN_HEX_LINES = 64


@click.group("dead-letters", epilog="Example: threads-agent dead-letters list")
def dead_letters() -> None:
    """Look into dead.letters: records that were refused, as they came."""


for command in (redrive, drop, let_pass, runs):
    dead_letters.add_command(command)


class Looked(NamedTuple):
    """A letter with its value, and how it stands."""

    letter: DeadLetter
    case: Case


@dead_letters.command("list", epilog="Example: threads-agent dead-letters list --topic engagement.events --json")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects; key and value are base64.")
@wide_option
@click.option("--each", is_flag=True, help="Show each letter with its id, not one row for those of the same reason.")
@click.option("--all", "settled", is_flag=True, help="Show those too that were sent again or dropped.")
@choice_options
def list_(*, wide: bool, as_json: bool, each: bool, settled: bool, **filters: Any) -> None:  # noqa: ANN401 - options
    """List the dead letters that are open, by consumer, topic and reason."""
    looked = asyncio.run(_looked(filters, settled=settled, with_values=as_json))
    if as_json:
        click.echo(json.dumps([_as_json(found) for found in looked], indent=2, ensure_ascii=False))
    elif not looked:
        click.echo(f"no dead letters{shown_selection(filters)}{'' if settled else '; --all shows settled ones'}")
    elif each:
        print_table(letters_table([found.letter for found in looked], [found.case for found in looked]), wide=wide)
    else:
        from streams.letters.standing import grouped

        print_table(groups_table(grouped(found.case for found in looked)), wide=wide)


@dead_letters.command(epilog="Example: threads-agent dead-letters show 9c0d1e2f-3041-5263-a485-96a7b8c9d0e1")
@click.argument("letter_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print an object; key and value are base64, and as hex.")
@click.pass_context
def show(ctx: click.Context, letter_id: str, *, as_json: bool) -> None:
    """Show one letter: place, reason, headers, bytes, what they say today, what to do, what was done.

    ID may be its first 8 characters or more.
    """
    found = asyncio.run(_shown({"ids": (letter_id,)}))
    if len(found) != 1:
        several = ", ".join(looked.case.id for looked, _ in found)
        click.echo(
            f"{letter_id} begins several letters: {several}"
            if found
            else f"no dead letter {letter_id}; threads-agent dead-letters list --each --all shows their ids",
            err=True,
        )
        ctx.exit(NOT_THERE_EXIT_STATUS)
    [(looked, content)] = found
    if as_json:
        click.echo(json.dumps(_as_shown_json(looked, content), indent=2, ensure_ascii=False))
    else:
        for line in letter_lines(looked, content):
            print_text(line)


@dead_letters.command(epilog="Example: threads-agent dead-letters export letters.jsonl --topic engagement.events")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--raw", is_flag=True, help="Write the value of one letter as it came, and nothing else.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@click.option("--all", "settled", is_flag=True, help="Write those too that were sent again or dropped.")
@click.option("--id", "ids", multiple=True, help="Only this letter; may be given several times.")
@choice_options
@click.pass_context
def export(ctx: click.Context, /, file: str, *, raw: bool, overwrite: bool, settled: bool, **filters: Any) -> None:  # noqa: ANN401
    """Write letters to FILE (- is stdout): JSON lines with key and value in base64 and in hex, or one raw value."""
    if file != "-" and Path(file).exists() and not overwrite:
        raise click.BadParameter(f"{file} is there; name another, or add --overwrite", param_hint="FILE")
    written = asyncio.run(_export(file, raw=raw, settled=settled or bool(filters["ids"]), filters=filters))
    if file != "-":
        click.echo(f"{written:,} dead letters written to {file}")
    ctx.exit(0 if written else NOT_THERE_EXIT_STATUS)


async def _reached() -> tuple[Cluster, SchemaRegistry]:
    from streams.kafka.cluster import Cluster
    from streams.settings import current_settings

    cluster = await Cluster.reached(current_settings())
    return cluster, cluster.open_registry()


async def _cases(cluster: Cluster, registry: SchemaRegistry, filters: dict[str, Any], *, settled: bool) -> list[Case]:
    from streams.letters.reading import read_cases

    selection = chosen(filters)
    cases = await read_cases(cluster, registry)
    return [case for case in cases if selection.holds(case.letter) and (settled or case.state == "open")]


async def _looked(filters: dict[str, Any], *, settled: bool, with_values: bool) -> list[Looked]:
    cluster, registry = await _reached()
    cases = await _cases(cluster, registry, filters, settled=settled)
    if not with_values:
        return [Looked(case.letter, case) for case in cases]
    return await _with_values(cluster, registry, cases)


async def _with_values(cluster: Cluster, registry: SchemaRegistry, cases: Sequence[Case]) -> list[Looked]:
    from streams.letters.reading import read_letters

    wanted = {case.id: case for case in cases}
    async with aclosing(read_letters(cluster, registry)) as letters:
        found = {letter.event_id: letter async for letter in letters if letter.event_id in wanted}
    return [Looked(found[case.id], case) for case in cases if case.id in found]


async def _shown(filters: dict[str, Any]) -> list[tuple[Looked, Content]]:
    from streams.letters.content import content_of

    cluster, registry = await _reached()
    looked = await _with_values(cluster, registry, await _cases(cluster, registry, filters, settled=True))
    exact = [found for found in looked if found.case.id in filters["ids"]]
    return [(found, content_of(found.letter, registry)) for found in exact or looked]


async def _export(file: str, *, raw: bool, settled: bool, filters: dict[str, Any]) -> int:
    from streams.letters.reading import read_letters

    cluster, registry = await _reached()
    cases = {case.id: case for case in await _cases(cluster, registry, filters, settled=settled)}
    if raw and len(cases) != 1:
        raise click.UsageError(f"--raw writes one letter, and {len(cases):,} are meant: name it with --id ID")
    number = 0
    with _whole_file(file) as target:
        async with aclosing(read_letters(cluster, registry)) as letters:
            async for letter in letters:
                case = cases.pop(letter.event_id, None)
                if case is not None:
                    line = json.dumps(_as_json(Looked(letter, case), with_hex=True), ensure_ascii=False).encode()
                    target.write((letter.value or b"") if raw else line + b"\n")
                    number += 1
    return number


@contextmanager
def _whole_file(file: str) -> Iterator[IO[bytes]]:
    """Open a file that appears whole or not at all; it holds what nobody else is to read."""
    if file == "-":
        yield sys.stdout.buffer
        return
    fresh = Path(file).with_name(f".{Path(file).name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
            yield target
        fresh.replace(file)
    except OSError as error:
        raise ThreadsError(f"{file} can't be written: {error.strerror}; make room, or name another file") from error
    finally:
        fresh.unlink(missing_ok=True)


def _as_json(looked: Looked, *, with_hex: bool = False) -> dict[str, Any]:
    from streams.json_records import render_record

    letter, case = looked
    hexes = {"key_hex": _hex(letter.key), "value_hex": _hex(letter.value)} if with_hex else {}
    return {
        **render_record(letter),
        **hexes,
        "state": case.state,
        "came_back_as": case.came_back_as,
        "outcomes": [render_record(each) for each in case.outcomes],
    }


def _hex(content: bytes | None) -> str | None:
    return None if content is None else content.hex()


def _as_shown_json(looked: Looked, content: Content) -> dict[str, Any]:
    return {
        **_as_json(looked, with_hex=True),
        "form": content.form,
        "decoded": content.shown,
        "problem_today": content.problem,
        "what_to_do": advice(looked.case, content),
    }


def letter_lines(looked: Looked, content: Content) -> Iterator[str]:
    """Yield the lines that `dead-letters show` prints."""
    from streams.letters.content import hex_lines, text_or_hex

    letter, case = looked
    yield f"dead letter {letter.event_id}: {case.state}"
    yield f"  set aside  {letter.occurred_at:%Y-%m-%d %H:%M:%S} UTC by {letter.consumer}"
    place = f"partition {letter.source_partition}, offset {letter.source_offset}"
    yield f"  record     {letter.source_topic}, {place}, of {letter.source_timestamp:%Y-%m-%d %H:%M:%S} UTC"
    yield f"  why        {letter.error_class}: {letter.reason}"
    yield f"  to do      {advice(case, content)}"
    yield f"  key        {text_or_hex(letter.key)}"
    for header in letter.headers:
        yield f"  header     {header.name}: {text_or_hex(header.value)}"
    yield f"today it is read as {content.form}{f'; {content.problem}' if content.problem else ''}"
    if content.shown is not None:
        for line in json.dumps(content.shown, indent=2, ensure_ascii=False).splitlines():
            yield f"  {line}"
    lines = hex_lines(letter.value or b"")
    yield f"value: {'none' if letter.value is None else f'{len(letter.value):,} bytes'}"
    yield from (f"  {line}" for line in lines[:SHOWN_HEX_LINES])
    if len(lines) > SHOWN_HEX_LINES:
        yield f"  ... all of it: threads-agent dead-letters export FILE --raw --id {letter.event_id}"
    for each in case.outcomes:
        count_said = f" (time {each.redrive_count})" if each.outcome == "sent" else ""
        where = "" if each.target_offset is None else f" to partition {each.target_partition}@{each.target_offset}"
        said = f": {each.reason}" if each.reason else ""
        when = f"{each.occurred_at:%Y-%m-%d %H:%M:%S} UTC"
        yield f"{each.outcome}{count_said}{where} by {each.requested_by}, {when}, run {each.run_id}{said}"


def advice(case: Case, content: Content) -> str:
    """Return what to do about a letter, by how it stands and what its bytes say today."""
    command = "threads-agent dead-letters"
    if case.state == "dropped":
        return "nothing: it was dropped"
    if case.state == "came back":
        return f"it was sent again and refused again: {command} show {case.came_back_as}"
    if case.state == "sent":
        return "nothing: it was sent again, and was not refused since"
    if case.cut:
        return f"bytes are missing: send it again from its source, then {command} drop --id {case.id} --because '...'"
    if content.is_readable:
        return (
            "it can be read and keeps the rules now. Where the reason above is mended too: "
            f"{command} redrive --id {case.id}"
        )
    return (
        "mend what the reason says (at the producer, in the registry, in the consumer), then "
        f"{command} redrive --id {case.id}; or {command} drop --id {case.id} --because '...'"
    )


_COLUMNS = (
    Column("set aside (UTC)", minor=2),
    Column("by", "id"),
    Column("topic", "id"),
    Column("partition", "number"),
    Column("offset", "id"),
    Column("bytes", "number", minor=3),
    Column("fault", "id", minor=1),
    Column("reason", "text"),
)
_OF_CASE = (Column("id", "id"), Column("state"))

_GROUP_COLUMNS = (
    Column("letters", "number"),
    Column("by", "id"),
    Column("topic", "id"),
    Column("first (UTC)", minor=2),
    Column("last (UTC)", minor=1),
    Column("fault", "id", minor=3),
    Column("one of them", "id"),
    Column("its reason", "text"),
)


def letters_table(letters: Sequence[DeadLetter], cases: Sequence[Case] = ()) -> Table:
    """Return the table that `dead-letters list --each` prints, with ids and states where cases are given."""
    if not cases:
        return Table(
            _COLUMNS, [_cells(letter, None if letter.value is None else len(letter.value)) for letter in letters]
        )
    rows = [(case.id, case.state, *_cells(case.letter, case.size)) for case in cases]
    return Table((*_OF_CASE, *_COLUMNS), rows)


def groups_table(groups: Sequence[Group]) -> Table:
    """Return the table that `dead-letters list` prints."""
    rows: list[Sequence[Cell]] = []
    for group in groups:
        last, first = group.newest, group.oldest
        times = [f"{each.occurred_at:%Y-%m-%d %H:%M:%S}" for each in (first, last)]
        named = (last.consumer, last.source_topic, *times, last.error_class, last.event_id, last.reason)
        rows.append((count(len(group.cases)), *named))
    return Table(_GROUP_COLUMNS, rows, note="each of them: --each; one in full: threads-agent dead-letters show ID")


def _cells(letter: DeadLetter, size: int | None) -> Sequence[Cell]:
    return (
        f"{letter.occurred_at:%Y-%m-%d %H:%M:%S}",
        letter.consumer,
        letter.source_topic,
        str(letter.source_partition),
        str(letter.source_offset),
        "none" if size is None else count(size),
        letter.error_class,
        letter.reason,
    )
