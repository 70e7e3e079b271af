"""Rows to events: one engagement event for each kind that a row counts, one post for each distinct text."""

from __future__ import annotations

import re
from collections import OrderedDict
from datetime import datetime
from typing import NamedTuple

from agents.importing.csv_source import CsvRow
from agents.importing.fields import COUNT_FIELDS, Layout
from agents.importing.times import as_datetime, time_reader
from schemas.records import EngagementEvent, PostPublished
from streams.errors import RecordFault
from streams.identity import derived_id

MAX_COUNT = 2**63 - 1
POSTS_REMEMBERED = 200_000  # a post that comes again after so many others is sent again, with the same event_id

_COUNT = re.compile(r"\d+(?:\.0+)?", re.ASCII)


class RowEvents(NamedTuple):
    """What one row becomes: `post` when the row is the first with its post."""

    engagement: list[EngagementEvent]
    post: PostPublished | None


class RowReader:
    """Turn rows of one file into events; the same row gives the same events, in any run."""

    def __init__(self, layout: Layout, *, source_key: str, source: str, shift_ms: int, simulated: bool = False) -> None:
        """Read by `layout`; `source` is what the events name as theirs, `shift_ms` is added to every time."""
        mapping = layout.mapping
        self._layout = layout
        self._source_key = source_key
        self._source = source
        self._shift_ms = shift_ms
        self._simulated = simulated
        self._read_time = time_reader(mapping.time_format)
        at = layout.positions
        self._counts = [(name, kind, at[name]) for name, kind in COUNT_FIELDS.items() if name in at]
        self._posts: OrderedDict[str, None] = OrderedDict()

    def events(self, row: CsvRow) -> RowEvents:
        """Return the events of a row; kinds with a count of zero, or an empty cell, give none.

        Raises:
            RecordFault: the row is bad; the text says its line and everything that is wrong with it.
        """
        problems: list[str] = []
        if len(row.cells) != self._layout.width:
            raise RecordFault(f"line {row.line}: has {len(row.cells)} cells, the header has {self._layout.width}")
        occurred_at = self._time(row, problems)
        persona_id = self._layout.mapping.persona_id or self._filled("persona_id", row, problems)
        post_id = self._post_id(row, problems)
        counts = [(kind, self._count(name, row.cells[at], problems)) for name, kind, at in self._counts]
        text = row.cells[self._layout.positions["text"]] if "text" in self._layout.positions else None
        if problems or occurred_at is None:
            raise RecordFault(f"line {row.line}: " + "; ".join(problems))
        engagement = [
            EngagementEvent(
                event_id=derived_id(self._source_key, str(row.number), kind),
                occurred_at=occurred_at,
                persona_id=persona_id,
                post_id=post_id,
                kind=kind,
                count=count,
                source=self._source,
                simulated=self._simulated,
            )
            for kind, count in counts
            if count
        ]
        return RowEvents(engagement, self._post(post_id, text, occurred_at, persona_id))

    def _post(
        self, post_id: str | None, text: str | None, occurred_at: datetime, persona_id: str
    ) -> PostPublished | None:
        if post_id is None or text is None or self._seen(post_id):
            return None
        return PostPublished(
            event_id=derived_id(self._source_key, "post", post_id),
            occurred_at=occurred_at,
            persona_id=persona_id,
            post_id=post_id,
            text=text,
            source=self._source,
            simulated=self._simulated,
        )

    def _seen(self, post_id: str) -> bool:
        if post_id in self._posts:
            self._posts.move_to_end(post_id)
            return True
        self._posts[post_id] = None
        if len(self._posts) > POSTS_REMEMBERED:
            self._posts.popitem(last=False)
        return False

    def _filled(self, name: str, row: CsvRow, problems: list[str]) -> str:
        cell = row.cells[self._layout.positions[name]].strip()
        if not cell:
            problems.append(f"{name} is empty")
        return cell

    def _post_id(self, row: CsvRow, problems: list[str]) -> str | None:
        if "post_id" not in self._layout.positions:
            return None
        post_id = self._filled("post_id", row, problems)
        return f"{post_id}-{row.number}" if self._layout.mapping.post_per_row else post_id

    def _time(self, row: CsvRow, problems: list[str]) -> datetime | None:
        cell = row.cells[self._layout.positions["occurred_at"]]
        try:
            return as_datetime(self._read_time(cell) + self._shift_ms)
        except ValueError as error:
            problems.append(f"occurred_at {cell!r} {error}")
        except OverflowError:
            problems.append(f"occurred_at {cell!r} is outside the calendar")
        return None

    def _count(self, name: str, cell: str, problems: list[str]) -> int:
        text = cell.strip()
        if not text:
            return 0
        if _COUNT.fullmatch(text):
            count = int(text.partition(".")[0])
            if count <= MAX_COUNT:
                return count
        problems.append(f"{name} {cell!r} is not a whole number from 0 to 2^63-1, written in digits alone")
        return 0
