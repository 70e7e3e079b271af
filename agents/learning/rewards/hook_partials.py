"""Hook partials: what a range of offsets says of drafts, posts and engagement, on its way to the persona's rewards."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from schemas.records import HookPartial
from streams.engine.batch import TopicPartition
from streams.engine.offset_ranges import OffsetRange, target_partition
from streams.identity import derived_id

TOPIC = "hooks.partials"

DRAFT_SCHEMA = pl.Schema(
    {
        "persona_id": pl.String,
        "draft_id": pl.String,
        "generated_ms": pl.Int64,
        "style": pl.String,
        "propensity": pl.Float64,
        "arms_version": pl.String,
        "experiment_id": pl.String,
        "model_version": pl.String,
        "win_probability": pl.Float64,
        "hook_log_odds": pl.Float64,
    }
)
CHOICE_FIELDS = tuple(DRAFT_SCHEMA)[3:]
"""The fields of a HookChoice, in their order among the columns."""
POST_SCHEMA = pl.Schema(
    {
        "persona_id": pl.String,
        "post_id": pl.String,
        "draft_id": pl.String,
        "published_ms": pl.Int64,
        "simulated": pl.Boolean,
    }
)
ENGAGEMENT_SCHEMA = pl.Schema(
    {
        "persona_id": pl.String,
        "post_id": pl.String,
        "start_ms": pl.Int64,
        "simulated": pl.Boolean,
        "views": pl.Int64,
        "engagements": pl.Int64,
    }
)


@dataclass(frozen=True, slots=True)
class Observed:
    """Drafts, posts and engagement, columns as their schemas say; `engagement` is by post and five minutes."""

    drafts: pl.DataFrame
    posts: pl.DataFrame
    engagement: pl.DataFrame

    def parts(self) -> Mapping[str, pl.DataFrame]:
        """Return the frames by the field of HookPartial that holds them."""
        return {"drafts": self.drafts, "posts": self.posts, "engagement": self.engagement}


SCHEMAS: Mapping[str, pl.Schema] = {"drafts": DRAFT_SCHEMA, "posts": POST_SCHEMA, "engagement": ENGAGEMENT_SCHEMA}


def partials_of(
    source: TopicPartition, offsets: OffsetRange, observed: Observed, partitions: int, now_ms: int
) -> list[tuple[int, HookPartial]]:
    """Return (target partition, partial) pairs that together say all that was observed in a range."""
    by_target: dict[int, dict[str, bytes]] = {}
    for name, frame in observed.parts().items():
        for target, part in _by_target(frame, partitions):
            by_target.setdefault(target, {})[name] = _to_ipc(part)
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    return [
        (
            target,
            HookPartial(
                event_id=derived_id("hooks", source.topic, str(source.partition), str(target), str(offsets.end)),
                occurred_at=at,
                source_topic=source.topic,
                source_partition=source.partition,
                last_offset=offsets.end - 1,
                drafts=parts.get("drafts", b""),
                posts=parts.get("posts", b""),
                engagement=parts.get("engagement", b""),
            ),
        )
        for target, parts in sorted(by_target.items())
    ]


def observed_in(partial: HookPartial) -> Observed:
    """Return what a partial says.

    Raises:
        ValueError: a part of it is no Arrow IPC stream of its columns.
    """
    return Observed(
        _read(partial.drafts, DRAFT_SCHEMA),
        _read(partial.posts, POST_SCHEMA),
        _read(partial.engagement, ENGAGEMENT_SCHEMA),
    )


def size_of(partial: HookPartial) -> int:
    """Return the bytes of what a partial says."""
    return len(partial.drafts) + len(partial.posts) + len(partial.engagement)


def _by_target(frame: pl.DataFrame, partitions: int) -> Iterable[tuple[int, pl.DataFrame]]:
    if frame.is_empty():
        return
    personas = frame["persona_id"].unique(maintain_order=True).to_list()
    targets = [target_partition(persona, partitions) for persona in personas]
    target = pl.col("persona_id").replace_strict(personas, targets, return_dtype=pl.Int64).alias("target")
    parts = frame.with_columns(target).partition_by("target", as_dict=True, include_key=False)
    for (number,), part in parts.items():
        yield int(number), part


def _to_ipc(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    frame.write_ipc_stream(target, compression="zstd")
    return target.getvalue()


def _read(block: bytes, schema: pl.Schema) -> pl.DataFrame:
    if not block:
        return pl.DataFrame(schema=schema)
    try:
        frame = pl.read_ipc_stream(io.BytesIO(block))
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"expected an Arrow IPC stream, got {len(block)} bytes that are none: {error}") from error
    if frame.schema != schema:
        raise ValueError(f"expected the columns {', '.join(schema)}, got {frame.schema}")
    return frame
