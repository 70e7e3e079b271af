"""What a topic of the catalogue should look like on a broker, and how a real one differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.catalogue import FOREVER, Topic
from streams.kafka.record_size import batch_limit
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class TopicShape:
    """Partitions and configuration of a topic, wanted or found; configuration values are text as Kafka gives them."""

    partitions: int
    config: Mapping[str, str]


def wanted_shape(topic: Topic, settings: Settings) -> TopicShape:
    """Return the shape that the catalogue and the settings give a topic."""
    config = {
        "cleanup.policy": _cleanup(topic),
        "retention.ms": str(topic.retention_ms),
        "max.message.bytes": str(batch_limit(topic.name, settings)),
        **durability(settings),
    }
    if topic.retention_ms != FOREVER:  # by the broker's clock: one of a producer that is behind would delete at once
        config["message.timestamp.type"] = "LogAppendTime"
    return TopicShape(topic.partitions or settings.partitions, config)


def _cleanup(topic: Topic) -> str:
    if not topic.compacted:
        return "delete"
    return "compact" if topic.retention_ms == FOREVER else "compact,delete"


def durability(settings: Settings) -> dict[str, str]:
    """Return the configuration that says how many replicas must have a record; every topic of ours has it."""
    least = settings.min_insync_replicas
    return {} if least is None else {"min.insync.replicas": str(least)}


def drift(wanted: TopicShape, found: TopicShape) -> tuple[str, ...]:
    """Return one line for each difference, naming what is wanted and what is there; empty when there is none."""
    lines = []
    if wanted.partitions != found.partitions:
        lines.append(f"partitions: wanted {wanted.partitions}, found {found.partitions}")
    for name, value in wanted.config.items():
        if found.config.get(name) != value:
            lines.append(f"{name}: wanted {value}, found {found.config.get(name, 'nothing')}")
    return tuple(lines)
