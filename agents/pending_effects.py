"""Effects folded since the last flush, apart by source partition, so that a partition that goes takes its own along."""

from __future__ import annotations

from streams.engine.batch import TopicPartition
from streams.engine.stage import Effects


class PendingEffects:
    """Effects by source partition."""

    def __init__(self) -> None:
        self._by_source: dict[TopicPartition, Effects] = {}

    def of(self, source: TopicPartition) -> Effects:
        """Return the effects of a partition, to be added to."""
        return self._by_source.setdefault(source, Effects())

    def take(self) -> Effects:
        """Return the effects of all partitions and begin anew."""
        taken, self._by_source = self._by_source, {}
        return Effects(
            state=[change for effects in taken.values() for change in effects.state],
            outputs=[output for effects in taken.values() for output in effects.outputs],
        )

    def drop(self, source: TopicPartition) -> None:
        """Forget the effects of a partition."""
        self._by_source.pop(source, None)
