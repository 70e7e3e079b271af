"""A record is let pass only where its topic's policy is to stop."""

from __future__ import annotations

import pytest

from schemas.catalogue import topic_named
from streams.engine.batch import TopicPartition
from streams.kafka.cluster import Cluster
from streams.letters.passing import NotStopped, stopped_record
from streams.settings import Settings

SOURCE = TopicPartition(topic_named("engagement.events").name, 0)


async def test_where_no_worker_would_stop_nothing_is_let_pass() -> None:
    cluster = Cluster("127.0.0.1:1", Settings())
    with pytest.raises(NotStopped, match="is park: no worker stops there; set THREADS_DEAD_LETTER_POLICY"):
        await stopped_record(cluster, "kpis", SOURCE, 7)
