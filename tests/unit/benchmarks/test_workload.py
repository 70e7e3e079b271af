from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import fastavro
import numpy as np
import polars as pl
import pytest

from schemas.codec.wire_format import header
from schemas.definitions import definition
from schemas.records import EngagementEvent
from streams.errors import ThreadsError
from tests.benchmarks.answers import Answer, difference, expected_answer, read_answer, read_counters, write_answer
from tests.benchmarks.choice import choose
from tests.benchmarks.contestants.hand_written import HORIZON_EVENTS, HandWrittenCounts, RecentIds
from tests.benchmarks.job import HOUR_MS
from tests.benchmarks.roster import ROSTER
from tests.benchmarks.running.avro_values import encode
from tests.benchmarks.running.load import container
from tests.benchmarks.running.workload import LATEST_MS, Segment, WorkloadSize, segments
from tests.benchmarks.standing import Run, Standing

SIZE = WorkloadSize(events=20_000, personas=30, posts=400)


def generate(size: WorkloadSize) -> Segment:
    (only,) = segments(size)
    return only


def values() -> list[bytes]:
    return [header(1) + body for chunk in encode(generate(SIZE)) for body in chunk.bodies]


def test_the_pieced_together_bodies_are_records_of_the_schema() -> None:
    workload = generate(SIZE)
    schema = fastavro.parse_schema(definition(EngagementEvent.schema_name))
    chunk = next(iter(encode(workload)))
    body = io.BytesIO(chunk.bodies[0])
    event = fastavro.schemaless_reader(body, schema, None)
    assert isinstance(event, dict)
    assert body.tell() == len(chunk.bodies[0])
    first = int(workload.order[0])
    assert event["occurred_at"] == datetime.fromtimestamp(int(workload.occurred_ms[first]) / 1000, UTC)
    assert event["count"] == workload.count[first]
    assert (event["source"], event["simulated"]) == ("simulated", True)


def test_the_same_seed_is_the_same_job_and_another_is_another() -> None:
    again = generate(SIZE)
    other = generate(WorkloadSize(events=20_000, personas=30, posts=400, seed=1))
    assert np.array_equal(generate(SIZE).order, again.order)
    assert not np.array_equal(again.post, other.post)


def test_the_shares_of_late_and_duplicate_events_are_as_said() -> None:
    workload = generate(SIZE)
    assert len(workload.order) == SIZE.events
    assert len(set(workload.order.tolist())) == SIZE.events * 0.99
    oldest_on_time = SIZE.end_ms - 24 * HOUR_MS
    assert 0.003 < (workload.occurred_ms < oldest_on_time).mean() < 0.02
    assert workload.occurred_ms.min() >= oldest_on_time - LATEST_MS


def test_segments_follow_each_other_in_time_and_each_has_its_own_events_and_duplicates() -> None:
    parts = list(segments(SIZE, segment_events=8_000))
    assert [len(part.order) for part in parts] == [8_000, 8_000, 4_000]
    ids = [one.tobytes() for part in parts for one in part.ids]
    assert len(set(ids)) == len(ids) == SIZE.events * 0.99
    middles = [np.median(part.occurred_ms) for part in parts]
    assert middles == sorted(middles)
    oldest_on_time = SIZE.end_ms - 24 * HOUR_MS
    newest = [part.occurred_ms.max() for part in parts]
    assert newest == sorted(newest)
    assert oldest_on_time < newest[0] < newest[-1] < SIZE.end_ms


def test_the_answer_to_segments_is_the_answer_to_all_their_events() -> None:
    parts = list(segments(SIZE, segment_events=8_000))
    joined = Segment(*(np.concatenate([getattr(part, name) for part in parts]) for name in Segment.__slots__))
    assert difference(expected_answer(parts), expected_answer([joined])) is None


def test_few_posts_have_most_of_the_events() -> None:
    posts = Counter(generate(SIZE).post.tolist())
    assert sum(count for _, count in posts.most_common(40)) > 0.5 * SIZE.events


def test_counting_by_hand_gives_the_expected_answer(tmp_path: Path) -> None:
    counts = HandWrittenCounts()
    for value in values():
        counts.fold(0, value)
    counts.counters.write(tmp_path / "counters.json")
    assert difference(read_counters(tmp_path / "counters.json"), expected_answer([generate(SIZE)])) is None


def test_the_container_file_holds_the_same_events(tmp_path: Path) -> None:
    workload = generate(SIZE)
    with container(tmp_path / "events.avro") as write:
        for chunk in encode(workload):
            write(chunk)
    found = pl.read_avro(tmp_path / "events.avro")
    assert found.height == SIZE.events
    assert found.unique("event_id")["count"].sum() == workload.count.sum()


def test_a_wrong_answer_is_described(tmp_path: Path) -> None:
    right = expected_answer([generate(SIZE)])
    write_answer(tmp_path, right)
    assert difference(read_answer(tmp_path), right) is None
    wrong = Answer(right.panes.with_columns(pl.col("count") + 1), right.posts.slice(1))
    said = difference(wrong, right)
    assert said is not None
    assert f"{right.panes.height} panes are wrong" in said
    assert "1 posts are wrong" in said


def test_an_id_counts_again_only_beyond_the_horizon() -> None:
    recent = RecentIds()
    assert recent.is_new("first")
    assert not recent.is_new("first")
    assert all(recent.is_new(str(number)) for number in range(HORIZON_EVENTS))
    assert recent.is_new("first")


def test_the_roster_has_the_names_of_the_contract() -> None:
    assert {one.name for one in ROSTER} == {
        "threads-agent-stack",
        "stock-faust",
        "quix",
        "bytewax-recovery",
        "bytewax",
        "confluent-loop",
        "aiokafka-loop",
        "polars-file",
    }
    assert [one.name for one in choose(ROSTER, "quix, bytewax")] == ["quix", "bytewax"]
    with pytest.raises(ThreadsError, match="there are: threads-agent-stack"):
        choose(ROSTER, "quicks")


def run(seconds: float, peak_rss_mb: float, difference: str | None = None) -> Run:
    return Run(1_000, seconds, seconds / 2, seconds / 4, peak_rss_mb, difference, {})


def test_the_median_counts_and_one_wrong_answer_is_wrong() -> None:
    runs = (run(10.0, 10.0), run(4.0, 30.0, difference="2 panes are wrong"), run(8.0, 20.0))
    standing = Standing(ROSTER[0], 1_000, runs)
    found = standing.summary()
    assert (found["events_per_second"], found["min"], found["max"], found["peak_rss_mb"]) == (125, 100, 250, 30.0)
    assert (found["cpu_seconds"], found["cpu_seconds_per_million_events"], found["broker_cpu_seconds"]) == (4, 4_000, 2)
    assert not standing.is_right
    assert found["correct"] is False
    assert found["difference"] == "2 panes are wrong"
