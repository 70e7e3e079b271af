"""The wanted shape of topics, and how drift is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from schemas.catalogue import topic_named
from streams.errors import RecordFault
from streams.kafka.record_size import batch_limit, check_size, record_limit
from streams.kafka.topics import drift, wanted_shape
from streams.settings import Settings

SETTINGS = Settings(partitions=6)


def test_a_topic_takes_its_partitions_from_the_catalogue_or_the_settings() -> None:
    assert wanted_shape(topic_named("personas"), SETTINGS).partitions == 1
    assert wanted_shape(topic_named("engagement.events"), SETTINGS).partitions == 6


def test_facts_are_kept_for_ever_and_compacted_topics_keep_the_newest() -> None:
    assert wanted_shape(topic_named("engagement.events"), SETTINGS).config["retention.ms"] == "-1"
    assert wanted_shape(topic_named("personas"), SETTINGS).config["cleanup.policy"] == "compact"
    assert wanted_shape(topic_named("kpi.partials"), SETTINGS).config["retention.ms"] == str(24 * 3600 * 1000)


def test_a_compacted_topic_with_a_retention_keeps_the_newest_for_that_long() -> None:
    config = wanted_shape(topic_named("spend.totals"), SETTINGS).config
    assert (config["cleanup.policy"], config["retention.ms"]) == ("compact,delete", str(9 * 24 * 3600 * 1000))


def test_what_is_deleted_by_age_has_the_age_that_the_broker_gives_it() -> None:
    assert wanted_shape(topic_named("kpi.partials"), SETTINGS).config["message.timestamp.type"] == "LogAppendTime"
    assert "message.timestamp.type" not in wanted_shape(topic_named("engagement.events"), SETTINGS).config


def test_drift_names_what_is_wanted_and_what_is_there() -> None:
    wanted = wanted_shape(topic_named("personas"), SETTINGS)
    assert drift(wanted, wanted) == ()
    found = replace(wanted, partitions=3, config={**wanted.config, "cleanup.policy": "delete"})
    assert drift(wanted, found) == (
        "partitions: wanted 1, found 3",
        "cleanup.policy: wanted compact, found delete",
    )


def test_a_dead_letter_has_room_for_the_greatest_record() -> None:
    greatest = record_limit("engagement.events", SETTINGS)
    assert greatest == SETTINGS.max_record_bytes
    check_size("dead.letters", greatest + 1_000, SETTINGS)
    assert batch_limit("dead.letters", SETTINGS) > record_limit("dead.letters", SETTINGS)
    with pytest.raises(RecordFault, match=r"at most 1,048,576 bytes for topic engagement.events, got 10,485,760"):
        check_size("engagement.events", 10 * 2**20, SETTINGS)


def test_the_replicas_that_must_have_a_record_are_those_of_the_settings_or_the_brokers() -> None:
    assert "min.insync.replicas" not in wanted_shape(topic_named("personas"), SETTINGS).config
    careful = Settings(replication_factor=3, min_insync_replicas=2)
    assert wanted_shape(topic_named("personas"), careful).config["min.insync.replicas"] == "2"
    with pytest.raises(ValidationError, match="THREADS_REPLICATION_FACTOR, which is 1"):
        Settings(min_insync_replicas=2)
