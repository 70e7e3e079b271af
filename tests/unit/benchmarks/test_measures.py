"""What the measuring commands of the benchmark compute from what they see; the measuring itself is in benchmarks/."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from datetime import datetime

import click
import fastavro
import pytest

from schemas.definitions import definition
from schemas.records import EngagementEvent
from tests.benchmarks.answers import Answer, expected_answer
from tests.benchmarks.curve import points
from tests.benchmarks.job import persona_name, post_name
from tests.benchmarks.latency import Latency, Waiting
from tests.benchmarks.number_list import numbers, whole_numbers
from tests.benchmarks.running.avro_values import Chunk
from tests.benchmarks.running.restart_log import RestartLog
from tests.benchmarks.running.state_load import WINDOWS, StateLoad
from tests.benchmarks.running.told_updates import difference_of, expected_lifetimes
from tests.benchmarks.running.workload import WorkloadSize, personas_of_posts, segments

NOW_MS = 1_795_363_200_000
SCHEMA = fastavro.parse_schema(definition(EngagementEvent.schema_name))


def events(*chunks: Chunk) -> list[EngagementEvent]:
    decoded = (fastavro.schemaless_reader(io.BytesIO(body), SCHEMA, None) for chunk in chunks for body in chunk.bodies)
    return [EngagementEvent(**event) for event in decoded if isinstance(event, dict)]


def test_an_event_is_told_when_its_persona_has_as_many_views_as_were_sent_up_to_it() -> None:
    waiting = Waiting()
    waiting.sent("ada", 1.0, is_measured=False)
    waiting.sent("ada", 2.0, is_measured=True)
    waiting.sent("bob", 3.0, is_measured=True)
    waiting.sent("ada", 4.0, is_measured=True)
    waiting.told("ada", 2, 5.0)
    waiting.told("ada", 2, 9.0)
    assert (waiting.seconds, waiting.left) == ([3.0], 2)
    waiting.told("bob", 1, 6.0)
    waiting.told("ada", 3, 6.0)
    assert (waiting.seconds, waiting.left) == ([3.0, 3.0, 2.0], 0)


def test_latencies_are_summed_up_in_milliseconds() -> None:
    assert Latency.of([number / 1_000 for number in range(101)]) == Latency(101, 50.0, 95.0, 99.0, 100.0)


@pytest.mark.parametrize("keys", [1_000, 20_000, 400_000])
def test_a_state_load_makes_the_wanted_number_of_posts_and_the_panes_it_says(keys: int) -> None:
    load = StateLoad.of(keys, NOW_MS)
    sent = events(*load.views())
    assert len({event.post_id for event in sent}) == keys
    assert len({(event.persona_id, event.occurred_at) for event in sent}) == load.panes >= keys // 10


def test_what_must_be_told_of_a_state_load_is_what_its_events_count() -> None:
    load = StateLoad.of(5_000, NOW_MS)
    sent = events(*load.views(), *load.likes(0, 70), *load.likes(1, 70))
    assert len({event.event_id for event in sent}) == len(sent) == load.posts + 140
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for event in sent:
        counted[event.persona_id][f"{event.kind}s"] += event.count
    viral = Counter(event.persona_id for event in sent if event.kind == "like")
    told = load.told(2, 70)
    assert len(told) == load.personas * len(WINDOWS)
    for (persona, window), counts in told.items():
        more = {"viral_posts": viral[persona]} if window == "lifetime" and viral[persona] else {}
        assert counts == {**counted[persona], **more}


def test_the_events_of_a_state_load_lie_in_all_windows_that_are_checked() -> None:
    times_ms = [event.occurred_at.timestamp() * 1_000 for event in events(*StateLoad.of(5_000, NOW_MS).views())]
    assert NOW_MS - 20 * 3_600_000 <= min(times_ms) <= max(times_ms) < NOW_MS
    assert times_ms == sorted(times_ms)


def test_lifetimes_are_expected_with_the_viral_posts_that_the_events_make() -> None:
    size = WorkloadSize(events=20_000, personas=30, posts=400)
    answer = expected_answer(list(segments(size)))
    of_post: dict[str, Counter[str]] = defaultdict(Counter)
    for post_id, kind, count in answer.posts.iter_rows():
        of_post[post_id][kind] += count
    viral: Counter[str] = Counter()
    for index, persona in enumerate(personas_of_posts(size)):
        counts = of_post[post_name(index)]
        engagements = sum(counts[kind] for kind in ("like", "reply", "repost", "quote", "share"))
        viral[persona_name(int(persona))] += counts["view"] >= 100 and engagements * 10 > counts["view"]
    told = expected_lifetimes(answer, size)
    assert sum(viral.values()) > 10
    assert {persona: counts.get("viral_posts", 0) for (persona, _), counts in told.items()} == {
        persona: viral[persona] for persona, _ in told
    }
    assert sum(counts["views"] for counts in told.values()) == _views(answer)


def _views(answer: Answer) -> int:
    return sum(count for _, kind, _, count in answer.panes.iter_rows() if kind == "view")


def test_windows_told_wrong_or_not_at_all_are_named() -> None:
    expected = {("ada", "lifetime"): {"views": 2}, ("bob", "lifetime"): {"views": 1}}
    assert difference_of({**expected, ("eve", "1h"): {"views": 9}}, expected) is None
    said = difference_of({("ada", "lifetime"): {"views": 3}}, expected)
    assert said is not None
    assert said.startswith("2 of 2 windows are told wrong, e.g. ada/lifetime: {'views': 3}, not {'views': 2}")


def test_a_restart_is_read_from_the_log() -> None:
    lines = [
        "2026-11-22 22:45:38,794 INFO streams.engine.worker: Running kpis",
        "  a line of another form",
        "2026-11-22 22:45:40,318 INFO s: Restored TopicPartition(topic='p', partition=3): 700 changes read, 1.33 s",
        "2026-11-22 22:45:40,118 INFO s: Restored TopicPartition(topic='p', partition=1): 12 changes read, 1.13 s",
    ]
    started_at = datetime(2026, 11, 22, 22, 45, 36).astimezone().timestamp()  # logs are in local time
    assert RestartLog.of(lines, started_at) == RestartLog(running_s=2.79, restored_s=4.32, changes=712)
    assert RestartLog.of([], started_at) == RestartLog(None, None, 0)


def test_the_curve_measures_no_size_twice() -> None:
    default = WorkloadSize(personas=150)
    found = points((1_000, 2_000), (100, 150), 2_000, default)
    assert [(size.events, size.personas) for size in found] == [(1_000, 150), (2_000, 150), (2_000, 100)]


def test_a_list_of_numbers_has_commas_between_and_none_below_one() -> None:
    param, ctx = click.Option(["--events"]), click.Context(click.Command("bench"))
    assert whole_numbers(ctx, param, "100_000, 2") == (100_000, 2)
    assert numbers(ctx, param, "0.05,1") == (0.05, 1.0)
    assert numbers(ctx, param, "") == ()
    with pytest.raises(click.BadParameter, match="expected numbers with commas between, got '1;2'"):
        whole_numbers(ctx, param, "1;2")
    with pytest.raises(click.BadParameter, match="greater than 0"):
        whole_numbers(ctx, param, "0")
