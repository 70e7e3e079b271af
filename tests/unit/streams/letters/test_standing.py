"""How letters stand, and what a redrive does: by any history each record is sent once, and no loop is endless."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import topic_named
from schemas.codec.wire_format import header
from schemas.records import DeadLetter, DeadOutcome, Header
from streams.cli.dead_letters import advice, groups_table, letters_table
from streams.cli.table import table_lines
from streams.letters.content import Content, hex_lines, text_or_hex
from streams.letters.planning import Limits, Plan, There, plan
from streams.letters.redrive import Run, record_of
from streams.letters.standing import Case, Selection, grouped, redrive_count, standing
from streams.settings import Settings
from tests.support.dead_letter_log import NOON, letter

TOPIC = "some.topic"
EVENTS = topic_named("engagement.events")
LOST = 77
THERE = There(
    {TOPIC: None, "personas": topic_named("personas"), EVENTS.name: EVENTS}, {LOST: "the registry does not know"}
)
SETTINGS = Settings()
RUN = Run(Selection(topic=TOPIC), "somebody", 1, "run")
EVERYTHING = Selection()


def planned(
    letters: Sequence[DeadLetter],
    outcomes: Sequence[DeadOutcome] = (),
    selection: Selection = EVERYTHING,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Plan:
    return plan(standing(map(Case.of, letters), outcomes), selection, limits, THERE, SETTINGS)


def sent(made: Plan, target: int = 1_000) -> list[DeadOutcome]:
    """Return the outcomes of a plan that was carried out."""
    return [
        RUN.outcome(case, "sent", sending.count, None, (0, target + number))
        for number, sending in enumerate(made.sendings)
        for case in sending.cases
    ]


def refused_again(original: DeadLetter, outcome: DeadOutcome) -> DeadLetter:
    """Return the letter that a record becomes that was sent again."""
    headers = (Header(name="redrive-of", value=b"x"), Header(name="redrive-count", value=b"%d" % outcome.redrive_count))
    offset = outcome.target_offset or 0
    return replace(original, event_id=f"again-{offset}", source_offset=offset, headers=headers)


@given(
    places=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["kpis", "sink-postgres"])), max_size=12),
    chunks=st.lists(st.integers(1, 4), max_size=8),
)
def test_whatever_is_cut_off_and_begun_again_each_record_is_sent_once(
    places: list[tuple[int, str]], chunks: list[int]
) -> None:
    letters = [letter(TOPIC, at, event_id=f"{by}-{at}", consumer=by) for at, by in places]
    outcomes: list[DeadOutcome] = []
    records: Counter[int] = Counter()
    for size in [*chunks, len(letters)]:
        made = planned(letters, outcomes)
        done = made.sendings[:size]  # then it is killed
        records.update(each.cases[0].letter.source_offset for each in done)
        outcomes += sent(replace(made, sendings=done))
    assert records == Counter({at for at, _ in places})
    assert planned(letters, outcomes).sendings == []
    assert {each.state for each in standing(map(Case.of, letters), outcomes)} <= {"sent"}


def test_a_record_that_comes_back_each_time_is_sent_to_the_limit_and_then_refused() -> None:
    letters, outcomes = [letter(TOPIC, 1)], list[DeadOutcome]()
    for count in range(1, 4):
        made = planned(letters, outcomes)
        assert [each.count for each in made.sendings] == [count]
        outcomes += sent(made, count * 1_000)
        letters.append(refused_again(letters[-1], outcomes[-1]))
    last = planned(letters, outcomes)
    assert (last.sendings, len(last.refusals)) == ([], 1)
    assert "was sent again 3 times" in last.refusals[0].reason
    states = [(each.state, each.came_back_as) for each in standing(map(Case.of, letters), outcomes)]
    assert states == [*(("came back", each.event_id) for each in letters[1:]), ("open", None)]
    assert [each.count for each in planned(letters, outcomes, limits=Limits(most=4)).sendings] == [4]


@pytest.mark.parametrize("value", [b"", b"-1", b"many", b"\xff", None])
def test_a_count_that_is_none_counts_nothing(value: bytes | None) -> None:
    assert redrive_count(letter(TOPIC, 1, headers=(Header(name="redrive-count", value=value),))) == 0


def test_a_sent_record_has_the_headers_of_this_redrive_in_place_of_the_last() -> None:
    again = letter(TOPIC, 7, headers=(Header(name="redrive-count", value=b"1"), Header(name="trace", value=b"t")))
    [sending] = planned([again]).sendings
    record = record_of(again, sending, {TOPIC: 1})
    assert [(each.name, each.value) for each in record.headers] == [
        ("trace", b"t"), ("redrive-of", again.event_id.encode()), ("redrive-count", b"2"),
    ]  # fmt: skip
    assert (record.partition, record.key, record.value) == (0, again.key, again.value)
    assert record.timestamp_ms == round(again.source_timestamp.timestamp() * 1000)


def test_a_dropped_letter_is_settled_and_named_again_it_is_refused_with_who_dropped_it() -> None:
    one = letter(TOPIC, 1)
    dropped = [RUN.outcome(Case.of(one), "dropped", 0, "a test")]
    assert planned([one], dropped) == Plan(settled=1)
    [refusal] = planned([one], dropped, Selection(ids=(one.event_id,))).refusals
    assert "dropped by somebody" in refusal.reason


def test_a_letter_of_a_topic_made_anew_is_not_taken_for_the_old_one_at_its_offset() -> None:
    old, new = letter(TOPIC, 1), letter(TOPIC, 1, event_id="of the new log", source_timestamp=NOON)
    outcomes = sent(planned([old]))
    assert [each.letter_id for each in planned([old, new], outcomes).sendings] == ["of the new log"]


def test_the_filters_hold_together_and_an_id_may_be_named_by_its_beginning() -> None:
    letters = [letter(TOPIC, number, consumer=("kpis", "spend")[number % 2]) for number in range(6)]
    for selection, meant in (
        (Selection(consumer="kpis", since=NOON + timedelta(seconds=2)), [2, 4]),
        (Selection(until=NOON + timedelta(seconds=1)), [0]),
        (Selection(reason="GOT 3"), [3]),
        (Selection(key="key 5"), [5]),
        (Selection(ids=(letters[4].event_id, "another")), [4]),
        (Selection(ids=(f"{TOPIC}-",)), [0, 1, 2, 3, 4, 5]),
        (Selection(ids=("some.to",)), []),  # too short to stand for any
        (Selection(topic="another"), []),
    ):
        assert [each.source_offset for each in letters if selection.holds(each)] == meant


def test_letters_that_differ_in_numbers_and_quoted_values_are_one_group() -> None:
    reasons = ["got 'a' at 0x1f", "got 'b' at 0x2e", "got nothing"]
    groups = grouped(Case.of(letter(TOPIC, number, reason=reason)) for number, reason in enumerate(reasons))
    assert [len(each.cases) for each in groups] == [2, 1]
    lines = list(table_lines(groups_table(groups), 80))
    assert any("got 'b' at 0x2e" in line for line in lines)


def test_a_table_of_each_letter_names_it_and_its_state() -> None:
    one = letter(TOPIC, 1)
    text = "\n".join(table_lines(letters_table([one], [Case.of(one)]), None))
    assert one.event_id in text
    assert "open" in text


def test_what_to_do_names_a_command_that_does_it() -> None:
    case = Case.of(letter(TOPIC, 1))
    assert f"redrive --id {case.id}" in advice(case, Content("record", {}))
    assert "mend what the reason says" in advice(case, Content("record", {}, "a rule is broken"))
    assert "send it again from its source" in advice(replace(case, cut=True), Content("bytes", None))


def test_bytes_are_shown_as_hex_with_what_can_be_printed() -> None:
    assert hex_lines(b"value \xff") == ["00000000  76 61 6c 75 65 20 ff" + " " * 27 + "  value ."]
    assert [text_or_hex(each) for each in (None, b"", b"k", b"\xff")] == ["none", '""', '"k"', "0xff"]


def test_a_record_of_a_schema_that_the_registry_lost_is_refused_with_what_to_do_and_others_are_sent() -> None:
    letters = [
        letter(EVENTS.name, 1, value=header(LOST) + b"body"),
        letter(EVENTS.name, 2, value=header(LOST + 1) + b"body"),
        letter(TOPIC, 3, value=header(LOST) + b"not of our registry"),
    ]
    made = planned(letters)
    assert [each.letter_id for each in made.sendings] == [letters[1].event_id, letters[2].event_id]
    [refusal] = made.refusals
    assert refusal.reason.startswith("its record names schema id 77, which the registry does not know: it would come")
