"""How dead letters stand: what was done about each, and what came of it; it follows from letters and outcomes alone.

Consumers that refuse the same record write a letter each. What was sent again was the record: it settles them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from schemas.codec.wire_format import schema_id_of
from schemas.errors import DecodeFault
from schemas.records import DeadLetter, DeadOutcome
from streams.engine.dead_letters import is_cut

REDRIVE_OF = "redrive-of"
REDRIVE_COUNT = "redrive-count"
LEAST_ID_CHARS = 8  # of the beginning of an id that stands for the whole

State = Literal["open", "sent", "came back", "dropped"]
"""`sent` says that the record was not seen again as a letter; `came back` that it was, and that letter stands open."""

Place = tuple[str, int, int, datetime]
"""Topic, partition, offset and time of a record: of a topic that was made again offsets come twice."""

_VARYING = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|'[^']*'|\"[^\"]*\"|\d[\d,.]*")


@dataclass(frozen=True, slots=True)
class Case:
    """A letter without its value, which had `size` bytes (None: a tombstone), and how it stands.

    `schema_id` is the one that its record names, None where it names none.
    `outcomes` are those of the letter itself, in order; `settled_by` is the one that settles it, which may be that of
    another consumer's letter of the same record; `came_back_as` names the letter that a record sent again became.
    """

    letter: DeadLetter
    size: int | None
    cut: bool
    outcomes: tuple[DeadOutcome, ...] = ()
    settled_by: DeadOutcome | None = None
    came_back_as: str | None = None
    schema_id: int | None = None

    @classmethod
    def of(cls, letter: DeadLetter) -> Case:
        size = None if letter.value is None else len(letter.value)
        return cls(replace(letter, value=None), size, is_cut(letter), schema_id=_schema_id(letter.value))

    @property
    def id(self) -> str:
        return self.letter.event_id

    @property
    def state(self) -> State:
        if self.settled_by is None:
            return "open"
        if self.settled_by.outcome == "dropped":
            return "dropped"
        return "sent" if self.came_back_as is None else "came back"

    @property
    def bytes(self) -> int:
        """Return how many bytes its record has: key, value and headers."""
        headers = sum(len(each.name) + len(each.value or b"") for each in self.letter.headers)
        return len(self.letter.key or b"") + (self.size or 0) + headers


def _schema_id(value: bytes | None) -> int | None:
    try:
        return schema_id_of(value)
    except DecodeFault:
        return None


def place_of(letter: DeadLetter) -> Place:
    """Return where the record of a letter stands in its topic."""
    return letter.source_topic, letter.source_partition, letter.source_offset, letter.source_timestamp


def redrive_count(letter: DeadLetter) -> int:
    """Return how often the record of a letter had been sent again when it was refused, as its headers say."""
    counts = [each.value for each in letter.headers if each.name == REDRIVE_COUNT and each.value is not None]
    return max((int(each) for each in counts if each.isdigit()), default=0)


def standing(cases: Iterable[Case], outcomes: Iterable[DeadOutcome]) -> list[Case]:
    """Return each letter once, in order, with what became of it."""
    first: dict[str, Case] = {}
    for case in cases:
        first.setdefault(case.id, case)
    of_letter: dict[str, list[DeadOutcome]] = {}
    for outcome in {each.event_id: each for each in outcomes}.values():
        of_letter.setdefault(outcome.letter_id, []).append(outcome)
    sent = {
        place_of(first[each.letter_id].letter): each
        for of_one in of_letter.values()
        for each in of_one
        if each.outcome == "sent" and each.letter_id in first
    }
    back = {
        place_of(case.letter)[:3]: case.id
        for case in first.values()
        if any(header.name == REDRIVE_OF for header in case.letter.headers)
    }
    return [_stands(case, of_letter.get(case.id, []), sent, back) for case in first.values()]


def _stands(
    case: Case, own: Sequence[DeadOutcome], sent: dict[Place, DeadOutcome], back: dict[tuple[str, int, int], str]
) -> Case:
    dropped = next((each for each in own if each.outcome == "dropped"), None)
    settled = sent.get(place_of(case.letter), dropped)
    target = None
    if settled is not None and settled.target_partition is not None and settled.target_offset is not None:
        target = (settled.source_topic, settled.target_partition, settled.target_offset)
    return replace(
        case, outcomes=tuple(own), settled_by=settled, came_back_as=None if target is None else back.get(target)
    )


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters are meant: those with one of the ids, where some are named, that pass every filter."""

    ids: tuple[str, ...] = ()
    topic: str | None = None
    reason: str | None = None
    consumer: str | None = None
    key: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def holds(self, letter: DeadLetter) -> bool:
        """Tell whether a letter is meant; an id may be named by how it begins."""
        return (
            (not self.ids or any(_names(each, letter.event_id) for each in self.ids))
            and self.topic in (None, letter.source_topic)
            and self.consumer in (None, letter.consumer)
            and (self.reason is None or self.reason.lower() in letter.reason.lower())
            and (self.key is None or letter.key == self.key.encode())
            and (self.since is None or letter.occurred_at >= self.since)
            and (self.until is None or letter.occurred_at < self.until)
        )

    @property
    def is_everything(self) -> bool:
        return self == Selection()

    @property
    def text(self) -> str:
        """Return it in words, as the audit keeps it."""
        said = {
            "topic": self.topic,
            "reason": self.reason,
            "consumer": self.consumer,
            "key": self.key,
            "since": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
        }
        return ", ".join([*self.ids, *(f"{name} {value}" for name, value in said.items() if value)]) or "everything"


def _names(given: str, letter_id: str) -> bool:
    return given == letter_id or (len(given) >= LEAST_ID_CHARS and letter_id.startswith(given))


@dataclass(frozen=True, slots=True)
class Group:
    """Letters of one consumer and topic that say the same, but for numbers and quoted values."""

    cases: tuple[Case, ...]

    @property
    def newest(self) -> DeadLetter:
        return max((each.letter for each in self.cases), key=lambda letter: letter.occurred_at)

    @property
    def oldest(self) -> DeadLetter:
        return min((each.letter for each in self.cases), key=lambda letter: letter.occurred_at)


def grouped(cases: Iterable[Case]) -> list[Group]:
    """Return the letters by reason, the largest group first."""
    groups: dict[tuple[str, str, str, str], list[Case]] = {}
    for case in cases:
        letter = case.letter
        same = (letter.consumer, letter.source_topic, letter.error_class, _VARYING.sub("*", letter.reason))
        groups.setdefault(same, []).append(case)
    return sorted((Group(tuple(each)) for each in groups.values()), key=lambda group: -len(group.cases))
