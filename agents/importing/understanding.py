"""What was understood of a file, for people to check before anything is sent: in lines of at most 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from agents.importing.fields import FieldMapping
from agents.importing.presets import load_preset
from agents.importing.preview import Preview
from agents.importing.reading import Reading
from agents.importing.report import left_out
from agents.importing.rows import RowBlock
from agents.importing.times import as_datetime

WIDTH = 80
_COUNTS = {
    "totals": "totals so far: the difference to what is known is sent",
    "new": "new in each row; what is in already is not sent again",
    None: "not said: new, as long as no other import has these posts",
}


def understood(reading: Reading, told: Preview) -> list[str]:
    """Return the lines that --dry-run prints."""
    report = told.report
    lines = [f"{report.file_name}: {report.rows:,} rows, {told.good_rows:,} of them good"]
    for name, text in _form(reading):
        lines += wrapped(f"  {name + ':':<12}{text}", indent=14)
    lines.append("  columns:")
    lines += [line for name, column in _columns(reading) for line in wrapped(f"    {name:<16}{column}", indent=20)]
    for block in told.first:
        lines += ["  first rows:", *_rows(block, reading)]
    lines += ["  sums:", *_sums(told)]
    return lines + [line for text in left_out(report) for line in wrapped("  " + text, indent=4)]


def wrapped(text: str, *, indent: int, width: int = WIDTH) -> list[str]:
    """Return a text in lines of at most so many columns; a word that is longer, as an id may be, is not cut."""
    return textwrap.wrap(
        text,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def _form(reading: Reading) -> Iterator[tuple[str, str]]:
    mapping, form = reading.mapping, reading.survey.form
    if mapping.preset:
        yield "preset", f"{mapping.preset} ({load_preset(mapping.preset).title})"
    yield "file", f"{form.encoding}, columns apart by {form.delimiter!r}"
    yield "numbers", reading.survey.numbers.described() + f", decimals after {reading.survey.numbers.decimal!r}"
    yield "times", _times(mapping)
    yield "counts", _COUNTS[mapping.counts]
    yield "source", mapping.source
    if mapping.persona_id:
        yield "persona", mapping.persona_id


def _times(mapping: FieldMapping) -> str:
    zone = f"of {mapping.timezone or 'UTC'} where they have no offset"
    year = f", of {mapping.year} where they have no year" if mapping.year else ""
    as_of = f"; exported on {mapping.as_of}" if mapping.as_of else ""
    return f"{mapping.time_format}, {zone}{year}{as_of}"


def _columns(reading: Reading) -> Iterator[tuple[str, str]]:
    layout = reading.survey.layout
    for name, column in layout.bound.items():
        taken_off = layout.mapping.subtracted.get(name) if name in layout.subtracted else None
        yield name, column + (f" less {taken_off[0]}" if taken_off else "")


def _rows(block: RowBlock, reading: Reading) -> Iterator[str]:
    for row, line in enumerate(block.lines):
        at = as_datetime(int(block.occurred_ms[row]))
        post = "" if block.post_ids is None else f", post {block.post_ids[row]}"
        yield from wrapped(f"    line {line}: {at:%Y-%m-%d %H:%M} UTC{post}", indent=6)
        told = zip(reading.row_reader.kinds, block.counts[row].tolist(), block.said[row].tolist(), strict=True)
        yield from wrapped("      " + ", ".join(f"{kind} {count:,}" for kind, count, said in told if said), indent=6)


def _sums(told: Preview) -> Iterator[str]:
    for kind, count in told.sums.items():
        change = told.report.changes[kind]
        yield f"    {kind:<16}{count:>18,}   to be sent {change:>18,}"
