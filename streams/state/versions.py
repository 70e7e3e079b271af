"""Which version of a stage's state is the live one: the topic state.versions says; where it says nothing, the first.

A version is a changelog of its own beside the others. One record switches; workers notice, and begin anew with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from schemas.catalogue import topic_named
from schemas.records import StateVersion
from streams.engine.stage import Output
from streams.identity import derived_id
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.kafka.tailed_table import Tail, TailedTable
from streams.kafka.topic_tail import WHOLE, TopicTail

TOPIC = topic_named("state.versions")
FIRST = 1
LOOK_EVERY_S = 1.0


def state_id(role: str, stage: str) -> str:
    """Return what a stage's state is called in the topic."""
    return f"{role}/{stage}"


class LiveVersions(TailedTable[StateVersion]):
    """The live version of each state; `changed` is called at each switch that is learnt of after the first reading."""

    def __init__(self, tail: Tail[StateVersion], changed: Callable[[], None] | None = None) -> None:
        super().__init__(tail)
        self._changed = changed
        self._live: dict[str, int] = {}
        self._is_read = False

    @classmethod
    def of(cls, cluster: Cluster, changed: Callable[[], None] | None = None) -> LiveVersions:
        """Return the table of a cluster; nothing is read yet."""
        return cls(TopicTail(cluster, cluster.open_registry(), {TOPIC: WHOLE}, StateVersion), changed)

    def of_state(self, role: str, stage: str) -> int:
        """Return the live version of a stage's state, as of the last reading."""
        return self._live.get(state_id(role, stage), FIRST)

    def put(self, record: StateVersion) -> None:
        self._live[record.state_id] = record.version

    async def refresh(self, *, max_age_s: float = 0.0) -> None:
        before = dict(self._live)
        await super().refresh(max_age_s=max_age_s)
        if self._is_read and self._live != before and self._changed is not None:
            self._changed()
        self._is_read = True


async def switch(cluster: Cluster, role: str, stage: str, version: int, *, run_id: str, requested_by: str) -> None:
    """Make a version the live one: one record, acknowledged when this returns.

    Raises:
        Unavailable: Kafka did not acknowledge it; whether it is there, the next look tells.
    """
    record = StateVersion(
        event_id=derived_id("state version", state_id(role, stage), str(version), run_id),
        occurred_at=datetime.now(UTC),
        state_id=state_id(role, stage),
        version=version,
        run_id=run_id,
        requested_by=requested_by,
    )
    async with EventProducer(cluster, cluster.open_registry()) as producer:
        await producer.append_all([Output(TOPIC.name, record)])
