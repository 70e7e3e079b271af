"""What is told of a record: nothing of what is told is missing, nothing of what nobody needs is in it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from agents.webhooks.events import BY_TOPIC, EVENT_TYPES, NAMES
from schemas.catalogue import topic_named
from schemas.records import DeadLetter, PostPublished
from streams.json_records import parse_record

GOLDEN = Path(__file__).resolve().parents[3] / "golden"


def golden(topic: str) -> object:
    record = parse_record(topic_named(topic).record, (GOLDEN / f"{topic}.json").read_text(encoding="utf-8"))
    return replace(record, backfilled=False) if isinstance(record, PostPublished) else record


@pytest.mark.parametrize("topic", [each.topic for each in EVENT_TYPES if each.topic != "dead.letters"])
def test_the_golden_record_of_every_topic_is_told(topic: str) -> None:
    kind, record = BY_TOPIC[topic], golden(topic)
    event = kind.event(kind.name, record)
    assert event is not None
    told = json.loads(event.body("acme"))
    assert told["id"] == event.event_id
    assert (told["type"], told["tenant"]) == (kind.name, "acme")
    assert told["data"]["persona_id"] == event.persona_id
    assert not {"embedding", "event_id", "occurred_at"} & set(told["data"])


def test_an_event_has_the_same_id_each_time_and_another_for_another_record() -> None:
    kind, record = BY_TOPIC["budget.alerts"], golden("budget.alerts")
    ids = [kind.event(kind.name, each) for each in (record, record, replace(record, event_id="another"))]  # type: ignore[type-var]
    first, again, another = (each.event_id for each in ids if each is not None)
    assert first == again != another


def test_an_imported_post_is_not_told_for_it_went_live_long_ago() -> None:
    kind, post = BY_TOPIC["posts.published"], golden("posts.published")
    assert isinstance(post, PostPublished)
    assert kind.event(kind.name, replace(post, backfilled=False)) is not None
    assert kind.event(kind.name, replace(post, backfilled=True)) is None


def test_only_letters_of_requests_are_told_so_that_no_letter_of_a_webhook_makes_another() -> None:
    kind, letter = BY_TOPIC["dead.letters"], golden("dead.letters")
    assert isinstance(letter, DeadLetter)
    of_request = kind.event(kind.name, replace(letter, source_topic="persona.requests", key=b"ada"))
    assert of_request is not None
    assert of_request.persona_id == "ada"
    others = [each.topic for each in EVENT_TYPES]
    assert [kind.event(kind.name, replace(letter, source_topic=each)) for each in others] == [None] * len(others)


def test_every_kind_of_event_has_a_name_and_a_topic_of_its_own() -> None:
    assert len(set(NAMES)) == len(BY_TOPIC) == len(EVENT_TYPES)
