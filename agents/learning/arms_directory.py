"""The arms directory: which arms of hook styles are in force, kept up with their topic."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from agents.learning.bandit.arms_record import TOPIC, BadArms, arms_in
from agents.learning.bandit.choosing import Arms
from schemas.catalogue import topic_named
from schemas.records import HookArms
from schemas.registries.registry import SchemaRegistry
from streams.kafka.cluster import Cluster
from streams.kafka.tailed_table import Tail, TailedTable
from streams.kafka.topic_tail import WHOLE, TopicTail

logger = logging.getLogger(__name__)


class ArmsDirectory(TailedTable[HookArms]):
    """Find the arms of personas; the newest record of each is in force, as long as it can be believed."""

    def __init__(self, tail: Tail[HookArms], monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(tail, monotonic)
        self._known: dict[str, tuple[HookArms, Arms]] = {}

    def put(self, record: HookArms) -> None:
        """Put arms in force; of a record that is not to be believed the one before stays."""
        try:
            self._known[record.persona_id] = (record, arms_in(record))
        except BadArms as error:
            logger.warning("%s", error)

    def drop(self, key: bytes) -> None:
        """Put arms out of force."""
        self._known.pop(key.decode(errors="replace"), None)

    def find(self, persona_id: str) -> Arms | None:
        """Return the arms of a persona, None where nothing is known of its styles."""
        found = self._known.get(persona_id)
        return found[1] if found else None

    def records(self) -> list[HookArms]:
        """Return the records in force, by persona."""
        return [self._known[persona_id][0] for persona_id in sorted(self._known)]


def arms_directory(cluster: Cluster, registry: SchemaRegistry) -> ArmsDirectory:
    """Return a directory of the real topic; nothing is connected yet."""
    return ArmsDirectory(TopicTail(cluster, registry, {topic_named(TOPIC): WHOLE}, HookArms))
