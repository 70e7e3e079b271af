"""Which model of the quality score is in force: the compacted topic quality.models is what counts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from agents.learning.quality.model_record import BadModel, usable_weights
from agents.scoring.weights import BUILT_IN, QualityWeights
from schemas.catalogue import topic_named
from schemas.records import QualityModel
from schemas.registries.registry import SchemaRegistry
from streams.kafka.cluster import Cluster
from streams.kafka.tailed_table import Tail, TailedTable
from streams.kafka.topic_tail import WHOLE, TopicTail

logger = logging.getLogger(__name__)

TOPIC = topic_named("quality.models")


class QualityModels(TailedTable[QualityModel]):
    """What a process knows of the models; of the promoted ones that can be used the one promoted last is in force.

    Last is what stands last on the topic's only partition, so all who read it find the same. A record that can't be
    used is told once, in the log and by `problem`, and changes nothing of what is in force.
    """

    def __init__(self, tail: Tail[QualityModel], monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(tail, monotonic)
        self._known: dict[str, QualityModel] = {}  # in the order of the topic
        self._promoted: dict[str, QualityWeights] = {}  # those that can be used, in the order of their promotions
        self._problems: dict[str, tuple[str, str]] = {}
        self._now = BUILT_IN

    def put(self, record: QualityModel) -> None:
        """Take a model over; one that can't be used leaves what is in force there."""
        version = record.version
        self._known.pop(version, None)
        self._known[version] = record
        if record.state != "promoted":
            self._problems.pop(version, None)
            self._promoted.pop(version, None)
        elif self._can_be_used(record):
            self._promoted.pop(version, None)
            self._promoted[version] = usable_weights(record)
        self._note()

    def drop(self, key: bytes) -> None:
        """Forget a model, which nobody's command does."""
        version = key.decode(errors="replace")
        self._known.pop(version, None)
        self._promoted.pop(version, None)
        self._problems.pop(version, None)
        self._note()

    def now(self) -> QualityWeights:
        """Return the weights in force; the built-in ones where no model was promoted."""
        return self._now

    def known(self) -> list[QualityModel]:
        """Return the newest record of each version, the one that changed last first."""
        return list(reversed(self._known.values()))

    def find(self, version: str) -> QualityModel | None:
        """Return the newest record of a version; None where the topic has none."""
        return self._known.get(version)

    def problem(self, version: str) -> str | None:
        """Return why a promoted version can't be used; None where it can."""
        return self._problems[version][1] if version in self._problems else None

    def before(self) -> QualityWeights:
        """Return what would be in force without the model in force."""
        promoted = [each for each in self._promoted.values() if each.version != self._now.version]
        return promoted[-1] if promoted else BUILT_IN

    def _can_be_used(self, record: QualityModel) -> bool:
        try:
            usable_weights(record)
        except BadModel as bad:
            if self._problems.get(record.version, ("", ""))[0] != record.event_id:
                logger.warning("%s. %s stays in force", bad, self._now.version)
            self._problems[record.version] = (record.event_id, str(bad))
            return False
        self._problems.pop(record.version, None)
        return True

    def _note(self) -> None:
        now = list(self._promoted.values())[-1] if self._promoted else BUILT_IN
        if now.version != self._now.version:
            logger.info("quality model %s is in force, before it was %s", now.version, self._now.version)
        self._now = now


def quality_models(cluster: Cluster, registry: SchemaRegistry) -> QualityModels:
    """Return the models of the real topic; nothing is connected yet."""
    return QualityModels(TopicTail(cluster, registry, {TOPIC: WHOLE}, QualityModel))
