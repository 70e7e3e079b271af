"""What is in already: the imported records that a topic holds, asked of the log itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.catalogue import Topic
from schemas.codec.columns import ColumnCodec
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import read_range
from streams.validation import schema_faults

SAID = {  # what a record of a topic says beside its id: another value under a known id is told, not passed over
    "cost.events": ("persona_id", "occurred_at", "model", "prompt_tokens", "completion_tokens", "cost_micros"),
    "revenue.events": ("persona_id", "occurred_at", "kind", "amount_micros"),
    "posts.published": ("persona_id", "post_id"),
}
SETTLED_AT_ONCE = 500_000
Hashes = npt.NDArray[np.uint64]


@dataclass(slots=True)
class KnownRecords:
    """The ids of the records that are in, with a digest of what each says: 16 bytes a record, however long its id is.

    Ids are held as 64-bit hashes: among a hundred million of them the chance that a new one is taken for a known one is
    under one in a hundred thousand millions, and it would have to say the same, too.
    """

    topic: Topic
    ids: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))
    said: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))
    taken: dict[int, int] = field(default_factory=dict)
    waiting: list[tuple[Hashes, Hashes]] = field(default_factory=list)

    def add(self, frame: pl.DataFrame) -> None:
        """Add records of the topic; they are known from the next `settle` on."""
        self.waiting.append(self._hashes(frame))

    def settle(self) -> None:
        """Sort in what was added; what is known of an id stays as it is."""
        ids, said = zip((self.ids, self.said), *self.waiting, strict=True)
        self.ids, first = np.unique(np.concatenate(ids), return_index=True)
        self.said = np.concatenate(said)[first]
        self.waiting.clear()

    def compare(self, records: Sequence[Mapping[str, Any]], *, remember: bool) -> list[bool | None]:
        """Return for each record whether it says what is known of its id; None where the id is new.

        With `remember` new ones are known at once, for ids of a file's own may come twice in it; else they are from the
        next `settle` on.
        """
        if not records:
            return []
        ids, said = self._hashes(self._frame(records))
        if not remember:
            self.waiting.append((ids, said))
        places = np.searchsorted(self.ids, ids)
        places[places == len(self.ids)] = 0
        logged = (self.ids[places] == ids).tolist() if len(self.ids) else [False] * len(ids)
        alike = (self.said[places] == said).tolist() if len(self.ids) else logged
        found: list[bool | None] = []
        for one, what, is_logged, is_alike in zip(ids.tolist(), said.tolist(), logged, alike, strict=True):
            before = self.taken.get(one)
            found.append(is_alike if is_logged else None if before is None else before == what)
            if remember and not is_logged:
                self.taken.setdefault(one, what)
        return found

    def _frame(self, records: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        names = ("event_id", *SAID[self.topic.name])
        whole = {"occurred_at", "prompt_tokens", "completion_tokens", "cost_micros", "amount_micros"}
        types = {name: pl.Int64 if name in whole else pl.String for name in names}
        return pl.DataFrame({name: [each[name] for each in records] for name in names}, schema=types)

    def _hashes(self, frame: pl.DataFrame) -> tuple[Hashes, Hashes]:
        return frame["event_id"].hash().to_numpy(), frame.select(SAID[self.topic.name]).hash_rows().to_numpy()


async def known_records(cluster: Cluster, topic: Topic) -> KnownRecords:
    """Read which imported records a topic holds.

    Raises:
        Unavailable: the broker, the topic or the registry does not answer.
    """
    codec, known = ColumnCodec(cluster.open_registry()), KnownRecords(topic)
    names = ["event_id", *SAID[topic.name], "backfilled"]
    count = 0
    async for _, block in read_range(cluster, topic.name):
        with schema_faults():
            frame = codec.decode(topic, [record.value for record in block], names).frame
        known.add(frame.filter("backfilled").drop("backfilled"))
        count += len(block)
        if count >= SETTLED_AT_ONCE:
            known.settle()
            count = 0
    known.settle()
    return known
