"""From the fields of rows to the columns of events: what each kind adds, and the ids by which a record counts once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agents.costs.prices import PriceList, cost_micros
from agents.importing.cells.visible_text import is_blank
from agents.importing.events import BACKFILLED, EventColumns
from agents.importing.records.cells import BadRow, Values
from agents.importing.records.layout import RecordLayout
from agents.importing.times import as_datetime
from agents.llm.answers.reply import Usage
from schemas.catalogue import topic_named
from schemas.codec.column_encoder import Column, Constant
from streams.identity import derived_id

DAY_MS = 24 * 3600 * 1000
TOKENS = ("prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens")
PARTS = (("cached_tokens", "prompt_tokens"), ("reasoning_tokens", "completion_tokens"))


@dataclass(slots=True)
class Made:
    """What was made of a file's rows: the sum of its amounts, its times, and how many costs the price list says."""

    micros: int = 0
    priced: int = 0
    unpriced: int = 0
    first_ms: int | None = None
    last_ms: int | None = None


@dataclass(slots=True)
class RecordMaker:
    """Make the events of one file: `source_name` is what they name as theirs, `now_ms` when they are imported.

    An id follows from the source and the row's own id. Without one it follows from all that the row says, and of rows
    that say the same, from how many came before: so a longer export that has the rows again gives the same ids.
    """

    layout: RecordLayout
    source_name: str
    prices: PriceList
    now_ms: int
    made: Made = field(default_factory=Made)
    _twins: Counter[int] = field(default_factory=Counter)

    def record(self, values: Values) -> dict[str, Any]:
        """Return the fields of a row's event, with its event_id.

        Raises:
            BadRow: its fields do not go together.
        """
        at_ms = values["occurred_at"]
        if at_ms > self.now_ms + DAY_MS:
            raise BadRow(f"occurred_at {as_datetime(at_ms):%Y-%m-%d} lies in the future")
        record = _MAKERS[self.layout.kind.name](self, values)
        record |= {"occurred_at": at_ms, "persona_id": values["persona_id"]}
        record["event_id"] = self._event_id(values["id"], record)
        self.made.first_ms = at_ms if self.made.first_ms is None else min(self.made.first_ms, at_ms)
        self.made.last_ms = at_ms if self.made.last_ms is None else max(self.made.last_ms, at_ms)
        return record

    def _event_id(self, own_id: str | None, record: Mapping[str, Any]) -> str:
        kind, source = self.layout.kind.name, self.layout.source
        if kind == "posts":  # as imports of engagement name a post: it is published once
            return derived_id("imported post", source, record["persona_id"], record["post_id"])
        if own_id is not None:
            return derived_id("imported", kind, source, own_id)
        said = [f"{name}={value}" for name, value in sorted(record.items())]
        content = derived_id("imported", kind, source, *said)
        place = int(content[:8] + content[-8:], 16)  # 64 bits of it, for files of many rows
        self._twins[place] += 1
        return derived_id(content, str(self._twins[place]))

    def cost(self, values: Values) -> dict[str, Any]:
        """Return the own fields of a cost event."""
        if (values["ends_at"] or 0) > self.now_ms:
            raise BadRow(
                f"its period ends {as_datetime(values['ends_at']):%Y-%m-%d %H:%M} UTC: export it when it is over"
            )
        for part, whole in PARTS:
            if values[part] > values[whole]:
                raise BadRow(
                    f"{part} {values[part]:,} are more than {whole} {values[whole]:,}, of which they are a part"
                )
        micros = values["cost_micros"] if values["cost"] is None else values["cost"]
        if micros is None:
            micros = self._priced(values)
        self.made.micros += micros or 0
        tokens = {name: values[name] for name in TOKENS}
        others = {name: values[name] for name in ("model", "step", "latency_ms", "request_id")}
        return {**tokens, **others, "cost_micros": micros}

    def _priced(self, values: Values) -> int | None:
        if not any(values[name] for name in TOKENS):
            raise BadRow("says neither a cost nor tokens")
        on = datetime.fromtimestamp(values["occurred_at"] / 1000, UTC).date()
        micros = cost_micros(Usage(*(values[name] for name in TOKENS)), values["model"], self.prices, on=on)
        self.made.priced += micros is not None
        self.made.unpriced += micros is None
        return micros

    def revenue(self, values: Values) -> dict[str, Any]:
        """Return the own fields of a revenue event."""
        amount = values["amount_micros"] if values["amount"] is None else values["amount"]
        if amount is None:
            raise BadRow("says no amount")
        self.made.micros += amount
        return {"kind": values["kind"], "amount_micros": amount, "subscription_id": values["subscription_id"]}

    def post(self, values: Values) -> dict[str, Any]:
        """Return the own fields of a post; one without an id has one that follows from persona, time and text."""
        if is_blank(values["text"]):
            raise BadRow("text is empty")
        said = (values["persona_id"], str(values["occurred_at"]), values["text"])
        return {"post_id": values["id"] or f"imported-{derived_id('post', *said)}", "text": values["text"]}

    def columns(self, records: Sequence[Mapping[str, Any]], lines: Sequence[int]) -> EventColumns:
        """Return records as columns of their topic."""
        names = list(records[0]) if records else []
        columns: dict[str, Column] = {name: [each[name] for each in records] for name in names}
        columns |= {"source": Constant(self.source_name), "backfilled": BACKFILLED}
        keys = [each["persona_id"] for each in records]
        return EventColumns(topic_named(self.layout.kind.topic), columns, keys, list(lines))


_MAKERS: Mapping[str, Callable[[RecordMaker, Values], dict[str, Any]]] = {
    "costs": RecordMaker.cost,
    "revenue": RecordMaker.revenue,
    "posts": RecordMaker.post,
}
