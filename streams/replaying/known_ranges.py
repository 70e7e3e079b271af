"""Ranges that a target has already: positions step over them, and reading ends where the next begins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from schemas.records import LogPosition
from streams.engine.batch import TopicPartition
from streams.replaying.target import KnownRange


def past(positions: Iterable[LogPosition], known: Iterable[KnownRange]) -> tuple[LogPosition, ...]:
    """Return positions moved over the known ranges in which they stand."""
    ranges = _by_source(known)
    moved = []
    for each in positions:
        offset = each.next
        for one in ranges[TopicPartition(each.topic, each.partition)]:
            if one.start <= offset < one.end:
                offset = min(one.end, each.end)
        moved.append(replace(each, next=offset))
    return tuple(moved)


def up_to(positions: Iterable[LogPosition], known: Iterable[KnownRange]) -> tuple[LogPosition, ...]:
    """Return positions that end where the next known range begins."""
    ranges = _by_source(known)
    return tuple(
        replace(
            each,
            end=min(
                (one.start for one in ranges[TopicPartition(each.topic, each.partition)] if each.next < one.start),
                default=each.end,
            ),
        )
        if each.next < each.end
        else each
        for each in positions
    )


def _by_source(known: Iterable[KnownRange]) -> dict[TopicPartition, Sequence[KnownRange]]:
    found: dict[TopicPartition, Sequence[KnownRange]] = defaultdict(list)
    for one in sorted(known, key=lambda each: each.start):
        found[one.source] = [*found[one.source], one]
    return found
