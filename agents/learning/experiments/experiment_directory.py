"""The experiment directory: which experiments there are and which is active, kept up with their topic."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from agents.learning.bandit.choosing import place_of
from agents.learning.experiments.experiment_states import TOPIC
from schemas.catalogue import topic_named
from schemas.records import Experiment
from schemas.registries.registry import SchemaRegistry
from streams.kafka.cluster import Cluster
from streams.kafka.tailed_table import Tail, TailedTable
from streams.kafka.topic_tail import WHOLE, TopicTail


class ExperimentDirectory(TailedTable[Experiment]):
    """Find experiments; of two records with one sequence the first in the log counts."""

    def __init__(self, tail: Tail[Experiment], monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(tail, monotonic)
        self._known: dict[str, Experiment] = {}

    def put(self, record: Experiment) -> None:
        """Take a change over, unless another one of that sequence was first."""
        known = self._known.get(record.experiment_id)
        if known is None or record.sequence > known.sequence:
            self._known[record.experiment_id] = record

    def drop(self, key: bytes) -> None:
        """Forget an experiment."""
        self._known.pop(key.decode(errors="replace"), None)

    def known(self) -> list[Experiment]:
        """Return all experiments, the newest change first."""
        return sorted(self._known.values(), key=lambda each: (each.occurred_at, each.experiment_id), reverse=True)

    def find(self, experiment_id: str) -> Experiment | None:
        """Return an experiment as it stands, None where there is none of that id."""
        return self._known.get(experiment_id)

    def active(self, persona_id: str) -> Experiment | None:
        """Return the active experiment of a persona; of several the one that started first."""
        found = [each for each in self._known.values() if each.persona_id == persona_id and each.state == "active"]
        return min(found, key=lambda each: (each.started_at or each.occurred_at, each.experiment_id), default=None)


def experiment_directory(cluster: Cluster, registry: SchemaRegistry) -> ExperimentDirectory:
    """Return a directory of the real topic; nothing is connected yet."""
    return ExperimentDirectory(TopicTail(cluster, registry, {topic_named(TOPIC): WHOLE}, Experiment))


def assigned(experiment: Experiment, styles: tuple[str, ...], draft_id: str) -> tuple[str, float] | None:
    """Return the style that an experiment gives a draft, and its probability: each that is not stopped alike.

    None where none of its styles is left among the persona's `styles`. The same draft gets the same style on every
    machine.
    """
    left = [each for each in experiment.styles if each not in experiment.stopped_styles and each in styles]
    if not left:
        return None
    salt = hashlib.sha256(experiment.experiment_id.encode()).hexdigest()
    return left[int(place_of(f"{salt}|{draft_id}") * len(left))], 1 / len(left)
