"""What a redrive sends, and what it refuses and why. Pure: it follows from the letters and how they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.catalogue import Topic
from streams.errors import RecordFault
from streams.kafka.record_size import check_size
from streams.letters.standing import REDRIVE_COUNT, REDRIVE_OF, Case, Place, Selection, place_of, redrive_count
from streams.settings import Settings

MOST_REDRIVES = 3
NEW_HEADERS_BYTES = len(REDRIVE_OF) + 36 + len(REDRIVE_COUNT) + 3
OWN_TOPICS = ("dead.letters", "dead.outcomes")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a redrive may do: how often a record is sent again at most, how many letters it takes.

    Of a compacted topic the record that comes last is the one in force: an old one sent again would undo a newer one.
    """

    most: int = MOST_REDRIVES
    letters: int | None = None
    into_compacted: bool = False


@dataclass(frozen=True, slots=True)
class There:
    """What is there to send to: the topics on the broker, with what the catalogue says of them.

    Of `lost_schemas`, ids that the registry does not know, the text says what of each.
    """

    topics: Mapping[str, Topic | None]
    lost_schemas: Mapping[int | None, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sending:
    """A record to send again, by the first of its letters; `cases` are the letters of all consumers that refused it."""

    cases: tuple[Case, ...]
    count: int

    @property
    def letter_id(self) -> str:
        return self.cases[0].id


@dataclass(frozen=True, slots=True)
class Refusal:
    """A letter that is not sent again; `count` is what its record's count would have been."""

    case: Case
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a redrive does; `settled` letters that a filter took in are passed over, `left` are beyond the limit."""

    sendings: list[Sending] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    settled: int = 0
    left: int = 0

    @property
    def letters(self) -> int:
        return sum(len(each.cases) for each in self.sendings) + len(self.refusals)


def plan(
    cases: Iterable[Case],
    selection: Selection,
    limits: Limits,
    there: There,
    settings: Settings,
) -> Plan:
    """Return what to do about the letters that are meant.

    A letter whose record is sent settles those
    of other consumers too, which are taken along: what is in the topic again is there for all of them.
    """
    cases = list(cases)
    of_place: dict[Place, list[Case]] = {}
    for case in cases:
        if case.settled_by is None:
            of_place.setdefault(place_of(case.letter), []).append(case)
    made, taken = Plan(), set[str]()
    settled = left = 0
    for case in cases:
        if case.id in taken or not selection.holds(case.letter):
            continue
        if limits.letters is not None and made.letters >= limits.letters:
            left += case.settled_by is None
            continue
        if case.settled_by is not None:
            settled += 1
            if selection.ids:
                made.refusals.append(Refusal(case, _how_settled(case), redrive_count(case.letter)))
            continue
        count = redrive_count(case.letter) + 1
        reason = _refusal(case, limits, there, settings)
        if reason is not None:
            made.refusals.append(Refusal(case, reason, count))
        else:
            together = (case, *(each for each in of_place[place_of(case.letter)] if each.id != case.id))
            made.sendings.append(Sending(together, count))
            taken |= {each.id for each in together}
    return Plan(made.sendings, made.refusals, settled, left)


def _how_settled(case: Case) -> str:
    outcome = case.settled_by
    assert outcome is not None
    done = f"{outcome.outcome} by {outcome.requested_by} at {outcome.occurred_at:%Y-%m-%d %H:%M:%S} UTC"
    if case.came_back_as:
        return f"it was {done} and came back as letter {case.came_back_as}: redrive that one"
    return f"it was {done}; nothing is sent twice"


def _refusal(case: Case, limits: Limits, there: There, settings: Settings) -> str | None:
    letter = case.letter
    if case.cut:
        return "bytes of the record did not fit into its letter; send it again from its source, then drop this letter"
    if letter.key is None and case.size is None:
        return "the record has neither key nor value: there is nothing to send; drop it"
    if redrive_count(letter) >= limits.most:
        return (
            f"its record was sent again {redrive_count(letter)} times and refused each time, the limit is "
            f"{limits.most}: mend the cause first, then raise --most for this run, or drop it"
        )
    if letter.source_topic not in there.topics:
        return f"there is no topic {letter.source_topic} any more; create it, or export and drop the letter"
    if letter.source_topic in OWN_TOPICS:
        return f"{letter.source_topic} is written by workers and commands alone; drop the letter"
    return _refusal_by_topic(case, there, limits, settings)


def _refusal_by_topic(case: Case, there: There, limits: Limits, settings: Settings) -> str | None:
    letter = case.letter
    topic = there.topics[letter.source_topic]
    if topic is not None and case.schema_id in there.lost_schemas:
        return (
            f"its record names schema id {case.schema_id}, which {there.lost_schemas[case.schema_id]}: it would come "
            "back; have the registry know that id again, or export the letter, drop it and write its record anew"
        )
    if topic is not None and topic.compacted and not limits.into_compacted:
        return (
            f"{topic.name} keeps the last record of each key: this old one would undo a newer one; where none is "
            "newer, redrive it with --into-compacted"
        )
    try:
        check_size(letter.source_topic, case.bytes + NEW_HEADERS_BYTES, settings)
    except RecordFault as fault:
        return f"{fault}: with the headers of a redrive it is too large"
    return None
