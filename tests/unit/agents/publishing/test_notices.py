"""Notices of Threads: only what is signed and of now counts, each once, in any order."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.personas.directory import PersonaDirectory
from agents.personas.persona_topic import persona_applied
from agents.platforms.threads_ids import simulated_user_id
from agents.publishing.notice_stage import NoticeStage, commands_of
from agents.publishing.notices import AHEAD, NoNotice, is_signed, notices_of, signature_of
from schemas.records import PlatformNotice, PostCommand
from tests.support.accounts import SIMULATOR, account_record, listed
from tests.support.gateway import persona_named
from tests.support.listed_tail import ListedTail
from tests.support.single_outputs import single
from tests.support.sink_batches import rows
from tests.support.stage_driver import DrivenStage

NOW = datetime(2026, 11, 22, 9, 31, 2, tzinfo=UTC)
DAY = timedelta(days=1)
VALUE = {
    "id": "17900000000000001",
    "username": "ada",
    "text": "Erster Teil 🧵",
    "timestamp": "2026-11-22T09:31:00+0000",
}
SECRET = b"of the app"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def body(*, field: Any = "publish", value: Any = None, values: Any = None, **besides: Any) -> bytes:
    payload = {
        "app_id": "1",
        "topic": "interaction",
        "target_id": "17841400000000001",
        "time": int(NOW.timestamp()),
        "values": values if values is not None else {"field": field, "value": VALUE if value is None else value},
    }
    return json.dumps(payload | besides).encode()


def notices(given: bytes, now: datetime = NOW) -> list[PlatformNotice]:
    return notices_of(given, now, DAY)


def test_a_notice_says_what_came() -> None:
    [notice] = notices(body())
    assert (notice.field, notice.post_id, notice.user_id) == ("publish", "17900000000000001", "17841400000000001")
    assert notice.occurred_at == datetime(2026, 11, 22, 9, 31, tzinfo=UTC)
    assert notice.received_at == NOW
    assert json.loads(notice.body) == VALUE


def test_values_may_be_a_list() -> None:
    entries = [{"field": "publish", "value": VALUE}, {"field": "delete", "value": {"id": "2"}}]
    assert [each.field for each in notices(body(values=entries))] == ["publish", "delete"]


def test_what_comes_twice_is_one_whenever_it_comes_and_whatever_the_order_of_its_fields() -> None:
    twice = [{"field": "publish", "value": VALUE}, {"value": dict(reversed(VALUE.items())), "field": "publish"}]
    [first] = notices(body(values=twice))
    later = NOW + timedelta(hours=5)
    [again] = notices_of(body(time=int(later.timestamp())), later, DAY)
    assert again.event_id == first.event_id


@pytest.mark.parametrize(
    "besides",
    [{"field": "replies"}, {"target_id": "2"}, {"value": VALUE | {"text": "another"}}, {"value": VALUE | {"id": "3"}}],
)
def test_what_differs_is_another(besides: Any) -> None:
    [one], [other] = notices(body()), notices(body(**besides))
    assert one.event_id != other.event_id


def test_what_was_recorded_and_is_sent_again_later_is_refused() -> None:
    assert notices(body(), NOW + DAY)
    with pytest.raises(NoNotice, match=r"time: expected one of the last 86400 s.*THREADS_NOTICE_WINDOW_S"):
        notices(body(), NOW + DAY + timedelta(seconds=1))
    with pytest.raises(NoNotice, match="set this clock right"):
        notices(body(), NOW - AHEAD - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"", "body: expected a JSON object"),
        (b"[]", "body: expected a JSON object"),
        (b"\xff", "body: expected a JSON object"),
        (b"[" * 100_000, "body: expected a JSON object"),
        (body(time="soon"), "time: expected seconds"),
        (body(time=10**30), "time: expected seconds"),
        (body(values=[]), "values: expected an object"),
        (body(values={"field": "publish"}), "values: expected an object of field and value"),
        (body(field="Publish!"), r"values\.field: expected a word"),
        (body(target_id=None), "target_id: expected the id"),
        (body(value={"id": "1", "text": "\ud800"}), r"values\.value: expected Unicode"),
    ],
)
def test_what_is_no_webhook_is_refused_with_what_was_expected(given: bytes, expected: str) -> None:
    with pytest.raises(NoNotice, match=expected):
        notices(given)


@given(JSON, JSON, st.text(max_size=5))
def test_whatever_is_signed_is_taken_or_refused(value: Any, besides: Any, name: str) -> None:
    for given_body in (body(value=value), body(values=besides), body(**{f"x{name}": besides})):
        try:
            found = notices(given_body)
        except NoNotice:
            continue
        assert all(json.loads(each.body) is not None for each in found)


def test_the_signature_is_that_of_the_documentation() -> None:
    expected = "sha256=" + hmac.new(SECRET, body(), hashlib.sha256).hexdigest()
    assert signature_of(SECRET, body()) == expected
    assert is_signed(SECRET, body(), expected)


@given(st.binary(max_size=50), st.text(max_size=80))
def test_no_other_signature_is_taken(content: bytes, signature: str) -> None:
    assert not is_signed(SECRET, content, signature)
    assert not is_signed(SECRET, content, signature_of(SECRET + b"x", content))
    assert not is_signed(SECRET, content + b" ", signature_of(SECRET, content))


def test_a_published_post_confirms_and_a_deleted_one_is_looked_up() -> None:
    [published], [deleted] = notices(body()), notices(body(field="delete", value={"id": "2"}))
    [confirm] = commands_of(published, ("ada",))
    assert (confirm.kind, confirm.post_id, confirm.texts) == ("confirm", "17900000000000001", ("Erster Teil 🧵",))
    assert confirm.causation_id == published.event_id
    [heal] = commands_of(deleted, ("ada",))
    assert (heal.kind, heal.post_id, heal.reason) == ("heal", "2", "the platform told that it was deleted")


def test_of_an_account_that_several_publish_with_each_is_asked_once_and_no_other() -> None:
    [notice] = notices(body())
    both = list(commands_of(notice, ("ada", "nova")))
    assert [each.persona_id for each in both] == ["ada", "nova"]
    assert len({each.event_id for each in both}) == 2
    assert list(commands_of(notice, ())) == []
    [replied] = notices(body(field="replies"))
    assert list(commands_of(replied, ("ada",))) == []


async def commands_from(*given: PlatformNotice) -> list[PostCommand]:
    """Return what the stage makes of notices, where one account is ours and one persona is simulated."""
    personas = PersonaDirectory(ListedTail([("nova", persona_applied(persona_named("nova"), NOW))]))
    accounts = listed([account_record("acc_1", user_id="17841400000000001")], simulator=SIMULATOR)
    driven = DrivenStage(NoticeStage(accounts, personas))
    await driven.open()
    await driven.catch_up()
    assert list(await driven.add(rows("platform.notices", 0, given))) == []
    outputs = list(single((await driven.flush()).outputs))
    await driven.close()
    commands = [output.record for output in outputs if output.topic == "posts.commands"]
    assert len(commands) == len(outputs)
    return [each for each in commands if isinstance(each, PostCommand)]


async def test_notices_go_to_the_personas_of_the_account_simulated_ones_too_and_those_of_strangers_nowhere() -> None:
    given = [
        notice
        for user_id in ("17841400000000001", simulated_user_id("nova"), "1", simulated_user_id("nobody"))
        for notice in notices(body(target_id=user_id))
    ]
    assert [each.persona_id for each in await commands_from(*given, *given)] == ["ada", "nova"] * 2
    assert len({each.event_id for each in await commands_from(*given, *given)}) == 2
