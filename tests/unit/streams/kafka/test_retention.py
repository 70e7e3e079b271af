"""THREADS_RETENTION: what it says of each topic, and what is refused."""

from __future__ import annotations

import pytest

from schemas.catalogue import DAY_MS, FOREVER, topic_named
from streams.kafka.retention import OFFERED, parse_retention, span_text
from streams.kafka.topic_retention import RetentionChange
from streams.kafka.topic_sizes import size_text
from streams.kafka.topics import wanted_shape
from streams.settings import Settings


def test_a_time_for_all_leaves_what_the_catalogue_bounds_and_what_is_fixed() -> None:
    said = parse_retention("90d")
    assert said.of(topic_named("engagement.events")) == 90 * DAY_MS
    assert said.of(topic_named("webhooks.deliveries")) == 30 * DAY_MS
    assert said.of(topic_named("personas")) == said.of(topic_named("dead.outcomes")) == FOREVER
    assert said.of(topic_named("spend.totals")) == 9 * DAY_MS


def test_a_topic_has_a_time_of_its_own() -> None:
    said = parse_retention("365d, engagement.events=720h,kpi.updates = forever")
    assert said.of(topic_named("engagement.events")) == 30 * DAY_MS
    assert said.of(topic_named("kpi.updates")) == FOREVER
    assert said.of(topic_named("cost.events")) == 365 * DAY_MS
    assert parse_retention("").of(topic_named("cost.events")) == FOREVER


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("90", "'90' is no time; expected 90d"),
        ("0d", "'0d' is no time"),
        ("30d,90d", "'90d' is the second for all topics"),
        ("engagement.event=30d", "did you mean engagement.events?"),
        ("personas=30d", "the retention of personas is fixed: its newest record of each key is what holds"),
        ("dead.outcomes=30d", "fixed: it says which dead letters are done with"),
        ("cost.events=30d,cost.events=31d", "cost.events comes twice"),
    ],
)
def test_what_is_misspelt_or_fixed_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="retention") as refused:
        Settings(retention=text)
    assert says in str(refused.value)


def test_a_topic_that_forgets_goes_by_the_brokers_clock() -> None:
    config = wanted_shape(topic_named("engagement.events"), Settings(retention="30d")).config
    assert (config["retention.ms"], config["message.timestamp.type"]) == (str(30 * DAY_MS), "LogAppendTime")


def test_a_time_is_told_as_it_is_set() -> None:
    assert [span_text(parse_retention(each).everywhere_ms) for each in (*OFFERED, "36h", "forever")] == [
        "30d",
        "90d",
        "365d",
        "36h",
        "forever",
    ]


def test_a_change_says_whether_it_deletes() -> None:
    def change(found: int, wanted: int) -> RetentionChange:
        return RetentionChange("t", found, wanted, {})

    assert str(change(FOREVER, DAY_MS)) == "t from forever to 1d: older records are deleted"
    assert str(change(DAY_MS, FOREVER)) == "t from 1d to forever"
    assert change(2 * DAY_MS, DAY_MS).deletes
    assert not change(DAY_MS, 2 * DAY_MS).deletes


def test_sizes_are_told_in_the_greatest_unit() -> None:
    assert [size_text(each) for each in (0, 999, 1_000, 12_345_678, 3 * 10**12)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "12.3 MB",
        "3.0 TB",
    ]
