"""What an answer means, and when a delivery is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.webhooks.delivery import Delivery, Patience, kept, restored
from agents.webhooks.sender import Answer, retry_after_s, verdict_of
from agents.webhooks.settings import WebhookSettings

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PATIENCE = Patience.of(WebhookSettings())
DELIVERY = Delivery(
    subscription_id="whk_1",
    tenant="default",
    webhook_id="m",
    event_type="draft.accepted",
    persona_id="ada",
    body='{"text":"Ґрати 🐈"}',
    offset=7,
    begun_at=NOW,
    due_at=NOW,
)


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_is_taken_tried_again_or_final(status: int) -> None:
    wanted = "refused"
    if 200 <= status < 300:
        wanted = "delivered"
    elif status == 410:
        wanted = "gone"
    elif status in (408, 425, 429) or status >= 500:
        wanted = "again"
    assert verdict_of(status) == wanted


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0), ("", 0), ("120", 120), ("  5 ", 5), ("-3", 0), ("soon", 0), ("٣", 0), ("9" * 400, 999_999_999),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("Fri, 27 Nov 2026 12:01:30 -0000", 90),
    ],
)  # fmt: skip
def test_the_wait_a_receiver_asks_for_is_read_in_either_form(header: str | None, seconds: float) -> None:
    assert retry_after_s(header, NOW) == seconds


@given(st.text())
def test_no_header_ends_in_an_error(header: str) -> None:
    assert retry_after_s(header, NOW) >= 0


NUMBERS = st.integers(0, 10**30)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS | st.just(0))
def test_no_date_of_a_receiver_ends_the_worker(day: int, year: int, hour: int, zone: int) -> None:
    for header in (f"Fri, {day} Nov {year} {hour}:00:00 GMT", f"Fri, 27 Nov 2026 12:00:00 +{zone}"):
        assert retry_after_s(header, NOW) >= 0


@given(st.floats(0, 1), st.integers(1, 15))
def test_waits_double_up_to_the_greatest_and_vary(draw: float, attempts: int) -> None:
    at = PATIENCE.next_attempt(replace(DELIVERY, attempts=attempts), Answer("again"), NOW, draw)
    assert at is not None
    whole = min(5.0 * 2 ** (attempts - 1), 14_400.0)
    assert 0.5 * whole - 0.001 <= (at - NOW).total_seconds() <= whole + 0.001


def test_the_wait_that_a_receiver_asks_for_is_kept_to() -> None:
    at = PATIENCE.next_attempt(replace(DELIVERY, attempts=1), Answer("again", retry_after_s=600), NOW, 0.5)
    assert at == NOW + timedelta(seconds=600)


@pytest.mark.parametrize(
    ("attempts", "age", "answer"),
    [
        (16, timedelta(), Answer("again")),
        (3, timedelta(hours=24), Answer("again")),
        (1, timedelta(hours=23), Answer("again", retry_after_s=3_700)),
        (1, timedelta(), Answer("refused")),
    ],
)
def test_it_is_given_up_after_its_attempts_its_time_or_a_final_answer(
    attempts: int, age: timedelta, answer: Answer
) -> None:
    delivery = replace(DELIVERY, attempts=attempts, begun_at=NOW - age)
    assert PATIENCE.next_attempt(delivery, answer, NOW, 0.5) is None


def test_sixteen_attempts_fit_into_a_day_and_take_most_of_it() -> None:
    now, attempts = NOW, 1
    while (at := PATIENCE.next_attempt(replace(DELIVERY, attempts=attempts), Answer("again"), now, 1.0)) is not None:
        now, attempts = at, attempts + 1
    assert attempts == 16
    assert timedelta(hours=12) < now - NOW < timedelta(hours=24)


@given(st.text(st.characters(codec="utf-8")), st.integers(0, 100))
def test_a_delivery_comes_back_from_the_state_as_it_was(body: str, attempts: int) -> None:
    delivery = replace(DELIVERY, body=body, attempts=attempts)
    key, value = kept(delivery)
    assert value is not None
    assert restored([(key, value)]) == [delivery]
