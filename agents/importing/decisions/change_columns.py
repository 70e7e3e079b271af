"""Changes as bytes: what a ledger entry holds of decided counts and published posts, as Arrow IPC streams."""

from __future__ import annotations

import io
from collections.abc import Sequence

import polars as pl

from agents.importing.decisions.known_counts import Change, CountKey, PostKey, Slot

_CHANGES = {
    "persona_id": pl.String,
    "post_id": pl.String,
    "kind": pl.String,
    "at_ms": pl.Int64,
    "number": pl.Int32,
    "value": pl.Int64,
    "change": pl.Int64,
    "row": pl.Int64,
    "fresh": pl.Boolean,
    "as_of_ms": pl.Int64,
}
_POSTS = {"persona_id": pl.String, "post_id": pl.String}


def encode_changes(changes: Sequence[Change]) -> bytes | None:
    """Return changes of one channel as bytes, None where there are none."""
    rows = [(*each.key[1:], *each.slot, *_rest(each)) for each in changes]
    return _to_ipc(pl.DataFrame(rows, schema=_CHANGES, orient="row"))


def decode_changes(encoded: bytes | None, channel: str) -> list[Change]:
    """Return the changes in an entry of a channel."""
    if encoded is None:
        return []
    rows = pl.read_ipc_stream(io.BytesIO(encoded)).iter_rows()
    return [
        Change(CountKey(channel, persona_id, post_id, kind), Slot(at_ms, number), *rest)
        for persona_id, post_id, kind, at_ms, number, *rest in rows
    ]


def encode_posts(posts: Sequence[PostKey]) -> bytes | None:
    """Return posts of one channel as bytes, None where there are none."""
    return _to_ipc(pl.DataFrame([post[1:] for post in posts], schema=_POSTS, orient="row"))


def decode_posts(encoded: bytes | None, channel: str) -> list[PostKey]:
    """Return the posts in an entry of a channel."""
    if encoded is None:
        return []
    return [PostKey(channel, *row) for row in pl.read_ipc_stream(io.BytesIO(encoded)).iter_rows()]


def _rest(change: Change) -> tuple[int, int, int, bool, int | None]:
    return change.value, change.change, change.row, change.fresh, change.as_of_ms


def _to_ipc(frame: pl.DataFrame) -> bytes | None:
    if frame.is_empty():
        return None
    target = io.BytesIO()
    frame.write_ipc_stream(target, compression="zstd")
    return target.getvalue()
