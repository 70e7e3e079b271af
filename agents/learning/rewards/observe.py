"""The observe stage: drafts, posts and engagement -> what a range of their partition says -> hooks.partials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter

import polars as pl

from agents.learning.rewards.hook_partials import (
    CHOICE_FIELDS,
    DRAFT_SCHEMA,
    ENGAGEMENT_SCHEMA,
    POST_SCHEMA,
    TOPIC,
    Observed,
    partials_of,
    size_of,
)
from agents.learning.rewards.persona_rewards import SLOT_MS
from schemas.engagement import ENGAGING_KINDS
from schemas.records import DraftGenerated, HookPartial
from streams.engine.batch import ColumnBatch, RowBatch, TopicPartition
from streams.engine.offset_ranges import Boundaries, OffsetRange, told_in_ranges
from streams.engine.stage import Effects, Output, Part, Rejection, Stage
from streams.wall_clock import ClockMs, now_ms

BOUNDARIES = b"boundaries"
DRAFTS, POSTS, ENGAGEMENT = "drafts.generated", "posts.published", "engagement.events"
MAX_PARTIAL_BYTES = 2**20  # a range whose partial is larger is halved
_choice_of = attrgetter(*CHOICE_FIELDS)


class ObservePart(Part[RowBatch[DraftGenerated] | ColumnBatch]):
    """Records of a partition, as rows with their offsets, until the checkpoint tells of them by ranges."""

    def __init__(self, source: TopicPartition, boundaries: Boundaries, partitions: int, clock_ms: ClockMs) -> None:
        self._source = source
        self._boundaries = boundaries
        self._partitions = partitions
        self._clock_ms = clock_ms
        self._drafts: list[pl.DataFrame] = []
        self._posts: list[pl.DataFrame] = []
        self._engagement: list[pl.DataFrame] = []

    async def add(self, batch: RowBatch[DraftGenerated] | ColumnBatch) -> Sequence[Rejection]:
        if isinstance(batch, RowBatch):
            self._drafts.append(_drafts(batch))
        elif self._source.topic == POSTS:
            self._posts.append(_posts(batch.frame))
        else:
            self._engagement.append(_engagement(batch.frame))
        return ()

    def flush(self) -> Effects:
        """Tell what the records since the last flush say, by ranges of offsets."""
        frames = _joined(self._drafts, DRAFT_SCHEMA), _joined(self._posts, POST_SCHEMA)
        engagement = _joined(self._engagement, ENGAGEMENT_SCHEMA)
        self._drafts, self._posts, self._engagement = [], [], []
        every = Observed(*frames, engagement)
        offsets = [frame["offset"] for frame in every.parts().values() if not frame.is_empty()]
        if not offsets:
            return Effects()
        known = pl.concat(offsets).to_numpy()
        ranges = self._boundaries.cut(int(known.min()), int(known.max()) + 1)
        told = list(told_in_ranges(ranges, lambda each: self._partials(each, every), size_of, MAX_PARTIAL_BYTES))
        self._boundaries = self._boundaries.extended([each for each, _ in told])
        return Effects(
            changes=[(BOUNDARIES, self._boundaries.encoded())],
            outputs=[Output(TOPIC, partial, partition=target) for _, partials in told for target, partial in partials],
        )

    def _partials(self, offsets: OffsetRange, every: Observed) -> list[tuple[int, HookPartial]]:
        within = pl.col("offset").is_between(offsets.start, offsets.end, closed="left")
        drafts, posts, engagement = (frame.filter(within).drop("offset") for frame in every.parts().values())
        counts = [pl.col("simulated").any(), pl.col("views").sum(), pl.col("engagements").sum()]
        by_slot = engagement.group_by("persona_id", "post_id", "start_ms", maintain_order=True).agg(counts)
        observed = Observed(drafts, posts, by_slot.select(ENGAGEMENT_SCHEMA.names()))
        return partials_of(self._source, offsets, observed, self._partitions, self._clock_ms())


class ObserveStage(Stage[ObservePart]):
    """Read drafts, posts and engagement, and at each checkpoint tell what those since the last say.

    Reads drafts.generated, posts.published and engagement.events; writes hooks.partials. An engagement event that came
    lately under the same id is left out. What an account as a whole got is of no post, and left out too.
    """

    name = "observe"
    topics = (DRAFTS, POSTS, ENGAGEMENT)
    stateful = True
    once_per_event = True
    done_by_add = True

    def __init__(self, partitions: int, clock_ms: ClockMs = now_ms) -> None:
        """Take the number of partitions of hooks.partials."""
        self._partitions = partitions
        self._clock_ms = clock_ms

    def owner_of(self, key: bytes, value: bytes) -> None:
        """Return that an entry is nobody's: it says where ranges of offsets ended."""
        del key, value

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> ObservePart:
        boundaries = Boundaries.decoded(dict(state).get(BOUNDARIES, b""))
        return ObservePart(source, boundaries, self._partitions, self._clock_ms)


def _drafts(batch: RowBatch[DraftGenerated]) -> pl.DataFrame:
    rows = [
        (row.offset, draft.persona_id, draft.draft_id, _ms(draft.occurred_at), *_choice_of(draft.hook_choice))
        for row in batch.rows
        if (draft := row.record).hook_choice is not None
    ]
    return pl.DataFrame(rows, schema=_with_offset(DRAFT_SCHEMA), orient="row")


def _posts(frame: pl.DataFrame) -> pl.DataFrame:
    of_drafts = frame.filter(pl.col("draft_id").is_not_null())
    at = pl.col("occurred_at").cast(pl.Int64).alias("published_ms")
    found = of_drafts.select("offset", "persona_id", "post_id", "draft_id", at, "simulated")
    return found.cast(_with_offset(POST_SCHEMA))


def _engagement(frame: pl.DataFrame) -> pl.DataFrame:
    kind, count = pl.col("kind").cast(pl.String), pl.col("count")
    of_posts = frame.filter(pl.col("post_id").is_not_null(), kind.is_in(["view", *ENGAGING_KINDS]))
    slot = (pl.col("occurred_at").cast(pl.Int64) // SLOT_MS * SLOT_MS).alias("start_ms")
    views = pl.when(kind == "view").then(count).otherwise(0).alias("views")
    others = pl.when(kind == "view").then(0).otherwise(count).alias("engagements")
    found = of_posts.select("offset", "persona_id", "post_id", slot, "simulated", views, others)
    return found.cast(_with_offset(ENGAGEMENT_SCHEMA))


def _joined(frames: Sequence[pl.DataFrame], schema: pl.Schema) -> pl.DataFrame:
    return pl.concat(frames) if frames else pl.DataFrame(schema=_with_offset(schema))


def _with_offset(schema: pl.Schema) -> pl.Schema:
    return pl.Schema([("offset", pl.Int64()), *schema.items()])


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
