"""KPI counters: any order, batching, duplication, replay and partition gives the same KPIs as a naive count."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.kpis.counters import COUNTERS, ENGAGEMENT_COUNTER, contributions
from agents.kpis.partials import PartialWriter, read_block
from agents.kpis.persona_counters import PersonaCounters
from agents.kpis.source_counters import PERSONA_WIDTH, POST_WIDTH, SourceCounters
from agents.kpis.windows import DAY_MS, HOUR_MS, MINUTE_MS, WINDOWS
from streams.engine.batch import TopicPartition

NOW_MS = 1_790_000_000_000


@dataclass(frozen=True)
class Event:
    persona_id: str
    post_id: str | None
    kind: str
    count: int
    occurred_at: int


def events() -> st.SearchStrategy[list[Event]]:
    ages = st.one_of(
        st.integers(0, HOUR_MS),
        st.integers(0, 2 * DAY_MS),
        st.integers(0, 45 * DAY_MS),
        st.sampled_from([HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS]),
    )
    event = st.builds(
        Event,
        persona_id=st.sampled_from(["ada", "a|b", "ü", "3|x"]),
        post_id=st.sampled_from([None, "p1", "p|2", "9"]),
        kind=st.sampled_from(sorted(ENGAGEMENT_COUNTER)),
        count=st.integers(0, 500),
        occurred_at=ages.map(lambda age: NOW_MS - age),
    )
    return st.lists(event, min_size=1, max_size=60)


def frame(log: Sequence[tuple[int, Event]]) -> pl.DataFrame:
    columns = {
        "persona_id": pl.String,
        "post_id": pl.String,
        "kind": pl.String,
        "count": pl.Int64,
        "occurred_at": pl.Int64,
        "offset": pl.Int64,
    }
    rows = [
        (event.persona_id, event.post_id, event.kind, event.count, event.occurred_at, offset) for offset, event in log
    ]
    return pl.DataFrame(rows, schema=columns, orient="row")


def naive(log: Sequence[Event]) -> dict[tuple[str, str], Counter[str]]:
    """Count by (persona, window), event by event."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for event in log:
        name = ENGAGEMENT_COUNTER[event.kind]
        counts[event.persona_id, "lifetime"][name] += event.count
        if event.occurred_at // HOUR_MS <= NOW_MS // HOUR_MS - 30 * 24:
            counts[event.persona_id, "lifetime"]["late_events"] += 1
        for window, length, pane in (
            ("1h", 60, MINUTE_MS),
            ("24h", 1440, MINUTE_MS),
            ("7d", 168, HOUR_MS),
            ("30d", 720, HOUR_MS),
        ):
            if NOW_MS // pane - event.occurred_at // pane < length:
                counts[event.persona_id, window][name] += event.count
    return counts


Durable = dict[str, bytes]


def changed_rows(counters: SourceCounters, keys: Sequence[str], table: str) -> list[tuple[str, bytes]]:
    of = counters.panes if table == "panes" else counters.posts
    return list(zip(keys, of.encoded(of.rows(keys)), strict=True))


def restarted(panes: Durable, posts: Durable) -> SourceCounters:
    counters = SourceCounters()
    counters.load(list(panes.items()), list(posts.items()))
    return counters


def fold_and_merge(
    partitions: Sequence[Sequence[Event]], cuts: Sequence[int], *, crash: bool
) -> dict[tuple[str, str], Counter[str]]:
    """Fold each partition in parts. With `crash`, each part is first folded by a worker that dies when half of its rows
    are in the changelog and none of its partials are out; the next worker gets the part again."""
    merged = PersonaCounters()
    writer = PartialWriter(1)
    for number, log in enumerate(partitions):
        source = TopicPartition("engagement.events", number)
        panes: Durable = {}
        posts: Durable = {}
        counters = SourceCounters()
        numbered = [(2 * position, event) for position, event in enumerate(log)]  # offsets with holes
        bounds = [0, *sorted({cut % (len(log) + 1) for cut in cuts}), len(log)]
        for start, end in zip(bounds, bounds[1:], strict=False):
            part = numbered[start:end]
            if not part:
                continue
            for dies in [True, False] if crash else [False]:
                changes = counters.fold(contributions(source.topic, frame(part)), part[-1][0], NOW_MS)
                panes.update(changed_rows(counters, changes.panes.keys, "panes")[:: 2 if dies else 1])
                posts.update(changed_rows(counters, changes.posts.keys, "posts")[:: 2 if dies else 1])
                if dies:
                    counters = restarted(panes, posts)
            for _, partial in writer.partials(source, counters, changes, part[-1][0], NOW_MS):
                for _again in range(2):
                    merged.merge_panes(
                        f"engagement.events/{number}", read_block(partial.panes, PERSONA_WIDTH), partial.last_offset
                    )
                    merged.merge_posts(
                        f"engagement.events/{number}", read_block(partial.posts, POST_WIDTH), partial.last_offset
                    )
    return {
        (persona, counted.window.name): Counter(dict(zip(COUNTERS, counted.counts.tolist(), strict=True)))
        for persona in merged.personas()
        for counted in merged.windows(persona, NOW_MS)
    }


def positive(counts: dict[tuple[str, str], Counter[str]]) -> dict[tuple[str, str], dict[str, int]]:
    return {key: {name: n for name, n in of.items() if n} for key, of in counts.items() if any(of.values())}


@settings(deadline=None, max_examples=60)
@given(log=events(), cuts=st.lists(st.integers(0, 60), max_size=6), split=st.integers(1, 3), crash=st.booleans())
def test_any_batching_partitioning_and_restart_gives_the_naive_counts(
    log: list[Event], cuts: list[int], split: int, crash: bool
) -> None:
    partitions = [log[number::split] for number in range(split)]
    got = fold_and_merge([part for part in partitions if part], cuts, crash=crash)
    assert positive(got) == positive(naive(log))


def test_a_pane_leaves_the_window_when_the_clock_moves_on() -> None:
    merged = PersonaCounters()
    counters = SourceCounters()
    source = TopicPartition("engagement.events", 0)
    changes = counters.fold(contributions(source.topic, frame([(0, Event("ada", "p", "view", 7, NOW_MS))])), 0, NOW_MS)
    for _, partial in PartialWriter(1).partials(source, counters, changes, 0, NOW_MS):
        merged.merge_panes("engagement.events/0", read_block(partial.panes, PERSONA_WIDTH), 0)

    def views(now_ms: int) -> list[int]:
        return [int(counted.counts[0]) for counted in merged.windows("ada", now_ms)]

    assert [window.name for window in WINDOWS] == ["1h", "24h", "7d", "30d", "lifetime"]
    assert views(NOW_MS) == [7, 7, 7, 7, 7]
    assert views(NOW_MS + HOUR_MS) == [0, 7, 7, 7, 7]
    assert views(NOW_MS + DAY_MS) == [0, 0, 7, 7, 7]
    assert views(NOW_MS + 30 * DAY_MS) == [0, 0, 0, 0, 7]
