"""What a loop counts of its own work for a scrape to tell: additions of integers, once a slice or checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from schemas.records import DeadLetter
from streams.engine.batch import Slice, TopicPartition
from streams.engine.dead_letters import Letters
from streams.engine.readings import Observations, Reading
from streams.engine.stage import AnyStage, Effects
from streams.errors import RecordFault
from streams.metrics import (
    DEAD_LETTERS,
    DROPPED_RECORDS,
    WORKER_BATCH,
    WORKER_CHECKPOINT,
    WORKER_REBALANCES,
    WORKER_RECORDS,
    WORKER_STATE_CHANGES,
)

REFUSED, ENDED = "refused", "ended"


class LoopCounters:
    """Counts of one loop since it began; every series is there from then on, so that its first increase is seen."""

    def __init__(self, stage: AnyStage, letters: Letters) -> None:
        self._stage = stage
        self._consumer = letters.consumer
        self._records: Counter[str] = Counter(dict.fromkeys(stage.topics, 0))
        self._letters: Counter[tuple[str, str]] = Counter(
            {(topic, reason): 0 for topic in stage.topics for reason in (REFUSED, ENDED)}
        )
        self._dropped: Counter[str] = Counter(dict.fromkeys(stage.topics, 0))
        self._slices = Observations(WORKER_BATCH)
        self._checkpoints = Observations(WORKER_CHECKPOINT)
        self._rebalances = 0
        self._changes = 0

    def folded(self, piece: Slice) -> None:
        """Count a slice."""
        self._records[piece.source.topic] += len(piece.records)
        self._slices.observe(len(piece.records))

    def durable(self, effects: Mapping[TopicPartition, Effects], letters: Letters) -> None:
        """Count what a checkpoint made durable."""
        self._changes += sum(len(each.changes) for each in effects.values())
        self._dropped.update(letters.dropped)
        for output in letters.waiting:
            letter = output.record
            assert isinstance(letter, DeadLetter)
            reason = REFUSED if letter.error_class == RecordFault.__name__ else ENDED
            self._letters[letter.source_topic, reason] += 1

    def checkpointed(self, duration_s: float) -> None:
        """Count a checkpoint."""
        self._checkpoints.observe(duration_s)

    def assigned(self) -> None:
        """Count a rebalance."""
        self._rebalances += 1

    def readings(self) -> Iterator[Reading]:
        """Yield what was counted."""
        name = self._stage.name
        for topic, records in self._records.items():
            yield Reading(WORKER_RECORDS, (name, topic), records)
        yield self._slices.reading(name)
        yield self._checkpoints.reading(name)
        yield Reading(WORKER_REBALANCES, (name,), self._rebalances)
        if self._stage.stateful:
            yield Reading(WORKER_STATE_CHANGES, (name,), self._changes)
        for (topic, reason), letters in self._letters.items():
            yield Reading(DEAD_LETTERS, (self._consumer, topic, reason), letters)
        for topic, records in self._dropped.items():
            yield Reading(DROPPED_RECORDS, (self._consumer, topic), records)
