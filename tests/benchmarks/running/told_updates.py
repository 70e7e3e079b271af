"""What the platform told: the newest KPI update of each persona and window, and what it should be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
import polars as pl

from agents.kpis.formulas import are_viral
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.engagement import COUNTER_OF, ENGAGING_COUNTERS
from schemas.records import KpiUpdate
from schemas.registries.registry import open_registry
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import read_range
from tests.benchmarks.answers import Answer
from tests.benchmarks.job import persona_name, post_name
from tests.benchmarks.running.workload import WorkloadSize, personas_of_posts

UPDATES = "kpi.updates"
LIFETIME = "lifetime"
COUNTED = (*dict.fromkeys(COUNTER_OF.values()), "late_events", "viral_posts")
SHOWN = 3

Told = dict[tuple[str, str], dict[str, int]]
"""By persona and window: the counters that are not zero."""


async def newest_updates(cluster: Cluster) -> Told:
    """Return what was told last; a persona's updates are in one partition, so in order."""
    codec, topic = RowCodec(open_registry(None)), topic_named(UPDATES)
    newest: dict[tuple[str, str], KpiUpdate] = {}
    async for _, records in read_range(cluster, UPDATES):
        for record in records:
            update = codec.decode(topic, record.value)
            assert isinstance(update, KpiUpdate)
            newest[update.persona_id, update.window] = update
    return {key: _counted(update) for key, update in newest.items()}


def _counted(update: KpiUpdate) -> dict[str, int]:
    return {name: count for name in COUNTED if (count := getattr(update, name))}


def expected_lifetimes(answer: Answer, size: WorkloadSize) -> Told:
    """Return what a workload's answer gives over the lifetime, viral posts too."""
    expected: dict[str, Counter[str]] = defaultdict(Counter)
    kinds = answer.panes.group_by("persona_id", "kind").agg(pl.col("count").sum())
    for persona_id, kind, count in kinds.iter_rows():
        expected[persona_id][COUNTER_OF[kind]] += count
    for persona_id, count in _viral_posts(answer, size):
        expected[persona_id]["viral_posts"] += count
    return {(persona_id, LIFETIME): dict(counters) for persona_id, counters in expected.items()}


def _viral_posts(answer: Answer, size: WorkloadSize) -> list[tuple[str, int]]:
    counters = answer.posts.with_columns(pl.col("kind").replace_strict(COUNTER_OF, return_dtype=pl.String))
    engagements = pl.col("count").filter(pl.col("kind").is_in(ENGAGING_COUNTERS)).sum()
    views = pl.col("count").filter(pl.col("kind") == "views").sum()
    posts = counters.group_by("post_id").agg(engagements.alias("engagements"), views.alias("views"))
    viral = posts.filter(pl.Series(are_viral(posts["engagements"].to_numpy(), posts["views"].to_numpy())))
    persona_of = personas_of_posts(size)
    names = {post_name(post): persona_name(int(persona)) for post, persona in enumerate(persona_of)}
    personas, counts = np.unique([names[post_id] for post_id in viral["post_id"]], return_counts=True)
    return list(zip(personas.tolist(), counts.tolist(), strict=True))


def difference_of(told: Told, expected: Mapping[tuple[str, str], Mapping[str, int]]) -> str | None:
    """Return how what was told differs for the keys that are expected, in words; None where it does not."""
    wrong = sorted(key for key in expected if told.get(key, {}) != expected[key])
    if not wrong:
        return None
    shown = (
        f"{persona}/{window}: {told.get((persona, window))}, not {dict(expected[persona, window])}"
        for persona, window in wrong[:SHOWN]
    )
    return f"{len(wrong)} of {len(expected)} windows are told wrong, e.g. {'; '.join(shown)}"
