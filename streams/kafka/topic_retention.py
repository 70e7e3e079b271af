"""Give topics that are there the retention that the settings want: Kafka deletes what is older, and soon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NoError, for_code

from schemas.catalogue import CATALOGUE, FOREVER, topic_named
from streams.errors import Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.retention import span_text
from streams.kafka.topics import administering, wanted_shape

RETENTION, TIMES = "retention.ms", "message.timestamp.type"
BY_BROKER, BY_PRODUCER = "LogAppendTime", "CreateTime"
_OF_THE_TOPIC = 1  # where a value is from: set for this topic, not a default of the broker


@dataclass(frozen=True, slots=True)
class RetentionChange:
    """A topic whose retention is not the wanted one, milliseconds or FOREVER; `config` is what it has of its own."""

    topic: str
    found_ms: int
    wanted_ms: int
    config: Mapping[str, str]

    @property
    def deletes(self) -> bool:
        """Tell whether records go that would stay."""
        return self.wanted_ms != FOREVER and (self.found_ms == FOREVER or self.wanted_ms < self.found_ms)

    def __str__(self) -> str:
        what = ": older records are deleted" if self.deletes else ""
        return f"{self.topic} from {span_text(self.found_ms)} to {span_text(self.wanted_ms)}{what}"


async def retention_changes(cluster: Cluster) -> list[RetentionChange]:
    """Return the topics on the broker whose retention is not the wanted one.

    Raises:
        Unavailable: the broker is away.
    """
    names = [topic.name for topic in CATALOGUE]
    async with administering(cluster) as admin, cluster.exchange("describing the configuration of topics"):
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found = {
        name: entries
        for answer in answers
        for code, _, _, name, entries in answer.resources
        if for_code(code) is NoError
    }
    changes = [_change(name, found[name], _wanted(cluster, name)) for name in names if name in found]
    return [each for each in changes if each.found_ms != each.wanted_ms]


def _change(name: str, entries: Sequence[Sequence[Any]], wanted: Mapping[str, str]) -> RetentionChange:
    values = {str(entry[0]): str(entry[1]) for entry in entries}
    own = {str(entry[0]): str(entry[1]) for entry in entries if entry[3] == _OF_THE_TOPIC}
    return RetentionChange(name, int(values[RETENTION]), int(wanted[RETENTION]), own)


def _wanted(cluster: Cluster, name: str) -> Mapping[str, str]:
    return wanted_shape(topic_named(name), cluster.settings).config


async def change_retention(cluster: Cluster, changes: Sequence[RetentionChange]) -> None:
    """Set the wanted retention of topics; what else is set for them stays.

    Raises:
        Unavailable: the broker is away or refuses; some may be changed, call again.
    """
    resources = [
        ConfigResource(
            ConfigResourceType.TOPIC,
            each.topic,
            configs={
                **each.config,
                RETENTION: str(each.wanted_ms),
                TIMES: _wanted(cluster, each.topic).get(TIMES, BY_PRODUCER),
            },
        )
        for each in changes
    ]
    async with administering(cluster) as admin, cluster.exchange("changing the retention of topics"):
        answers = await admin.alter_configs(resources)
    for answer in answers:
        for code, message, _, name in answer.resources:
            if for_code(code) is not NoError:
                reason = message or for_code(code).__name__
                raise Unavailable(f"Kafka at {cluster.bootstrap} does not change the retention of {name}: {reason}")
