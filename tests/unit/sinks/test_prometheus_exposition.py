"""What /metrics shows: the closed list of series, no sample without a ratio, and a text Prometheus's parser reads."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from schemas.records import DraftDecided, DraftGenerated, KpiUpdate, Quality
from sinks.prometheus.exposition import Snapshot, SnapshotCollector, snapshot_of
from sinks.prometheus.increments import PartitionCounters, cost_increments, draft_increments
from sinks.prometheus.kpi_readings import KpiReading, KpiReadings
from sinks.prometheus.metrics import DRAFT_QUALITY, GENERATION_LATENCY, METRICS
from tests.support.drafts import plain_draft

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def registry_of(snapshot: Snapshot) -> CollectorRegistry:
    collector, registry = SnapshotCollector("24h"), CollectorRegistry()
    registry.register(collector)
    collector.show(snapshot)
    return registry


def samples(snapshot: Snapshot) -> dict[str, float]:
    """Return the samples by `name{label=value,...}` with sorted labels, as the classic text format has them."""
    text = generate_latest(registry_of(snapshot)).decode()
    return {
        sample.name
        + "{"
        + ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
        + "}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def reading(
    window: str, persona_id: str = "nova", at: datetime = NOON, views: int = 0, micros: int | None = None
) -> KpiReading:
    update = KpiUpdate(
        event_id="e",
        occurred_at=at,
        persona_id=persona_id,
        window=window,
        window_end=at,
        views=views,
        likes=3,
        engagement_rate=3 / views if views else None,
        cost_per_follow_dollars=0.25 if views else None,
        revenue_projection_monthly_micros=micros,
        viral_posts=2 if window == "lifetime" else None,
    )
    return KpiReading.of(update, offset=7)


def costs(**changes: list[int] | list[str] | list[bool] | list[None]) -> pl.DataFrame:
    row: dict[str, list[int] | list[str] | list[bool] | list[None]] = {
        "offset": [5],
        "persona_id": ["nova"],
        "step": ["hook"],
        "model": ["gpt"],
        "latency_ms": [700],
        "cost_micros": [1_504],
        "prompt_tokens": [100],
        "cached_tokens": [60],
        "completion_tokens": [20],
        "reasoning_tokens": [4],
        "backfilled": [False],
    }
    return pl.DataFrame(row | changes)


def generated(latency_ms: int) -> DraftGenerated:
    return plain_draft(latency_ms=latency_ms)


def test_ratios_are_of_the_set_window_and_totals_of_the_lifetime() -> None:
    readings = [reading("24h", views=30), reading("1h", views=10), reading("lifetime", views=100)]
    found = samples(snapshot_of([], readings))
    assert found["posts_engagement_rate{persona_id=nova}"] == pytest.approx(0.1)
    assert found["cost_per_follow_dollars{persona_id=nova}"] == 0.25
    assert found["viral_posts_total{persona_id=nova}"] == 2
    assert found["engagements_total{kind=views,persona_id=nova}"] == 100
    assert found["engagements_total{kind=likes,persona_id=nova}"] == 3
    assert found["engagements_total{kind=follows,persona_id=nova}"] == 0
    assert found["engagements_last_hour{kind=views,persona_id=nova}"] == 10


def test_a_persona_without_views_has_no_rate_instead_of_zero() -> None:
    found = samples(snapshot_of([], [reading("24h")]))
    assert not [name for name in found if name.startswith(("posts_engagement_rate", "cost_per_follow", "revenue"))]


def test_the_projection_is_the_sum_over_personas_in_dollars() -> None:
    readings = [
        reading("30d", "nova", micros=1_500_000),
        reading("30d", "rex", micros=2_000_000),
        reading("30d", "new"),
    ]
    assert samples(snapshot_of([], readings))["revenue_projection_monthly{}"] == 3.5


def test_counters_of_several_partitions_are_added_up() -> None:
    key = ("posts_generated_total", "nova", "accepted")
    found = samples(snapshot_of([{key: 2}, {key: 3}], []))
    assert found["posts_generated_total{persona_id=nova,status=accepted}"] == 5


def test_tokens_and_latency_of_a_model_call_are_counted() -> None:
    counters = PartitionCounters()
    for offset, increments in cost_increments(costs()):
        counters.apply(offset, increments)
    found = samples(snapshot_of([counters.values], []))
    assert {
        kind: found[f"llm_tokens_total{{kind={kind},model=gpt}}"] for kind in ("prompt", "cached", "completion")
    } == {
        "prompt": 100,
        "cached": 60,
        "completion": 20,
    }
    assert found["llm_tokens_total{kind=reasoning,model=gpt}"] == 4
    latency = "content_generation_latency_seconds"
    assert found[f"{latency}_bucket{{le=0.5,persona_id=nova,phase=hook}}"] == 0
    assert found[f"{latency}_bucket{{le=1.0,persona_id=nova,phase=hook}}"] == 1
    assert found[f"{latency}_sum{{persona_id=nova,phase=hook}}"] == 0.7


def test_a_backfilled_call_moves_no_counter_for_it_would_be_a_jump_of_now() -> None:
    two = pl.concat([costs(), costs(offset=[6], backfilled=[True])])
    assert [offset for offset, _ in cost_increments(two)] == [5]


def test_a_call_that_is_no_phase_of_writing_has_tokens_but_no_latency() -> None:
    [(_, increments)] = cost_increments(costs(step=["embedding"]))
    assert {key[0] for key, _ in increments} == {"llm_tokens_total", "llm_cost_dollars_total"}


def test_the_cost_of_a_call_is_shown_in_dollars_to_the_micro_dollar() -> None:
    counters = PartitionCounters()
    for offset in range(5, 8):
        for _, increments in cost_increments(costs(offset=[offset], cost_micros=[333_333_333_333])):
            counters.apply(offset, increments)
    found = samples(snapshot_of([counters.values, counters.values], []))
    shown = found["llm_cost_dollars_total{model=gpt,persona_id=nova}"]
    assert shown == 1_999_999.999998
    assert round(shown * 1_000_000) == 6 * 333_333_333_333


def test_a_call_of_unknown_price_is_counted_and_in_no_cost() -> None:
    [(_, increments)] = cost_increments(costs(cost_micros=[None]))
    found = samples(snapshot_of([dict(increments)], []))
    assert found["llm_unpriced_calls_total{model=gpt,persona_id=nova}"] == 1
    assert not [name for name in found if name.startswith("llm_cost_dollars")]


@pytest.mark.parametrize(("latency_ms", "below"), [(100, "0.1"), (101, "0.25"), (60_000, "60.0"), (60_001, "+Inf")])
def test_a_latency_falls_into_the_bucket_whose_bound_it_does_not_exceed(latency_ms: int, below: str) -> None:
    counters = PartitionCounters()
    counters.apply(0, draft_increments(generated(latency_ms)))
    found = samples(snapshot_of([counters.values], []))
    labels = "persona_id=nova,phase=total}"
    bounds = [*map(str, GENERATION_LATENCY.buckets), "+Inf"]
    buckets = [found[f"{GENERATION_LATENCY.name}_bucket{{le={bound},{labels}"] for bound in bounds]
    assert buckets == [0.0] * bounds.index(below) + [1.0] * (len(bounds) - bounds.index(below))
    assert found[f"{GENERATION_LATENCY.name}_count{{{labels}"] == 1


def decided(score: float) -> DraftDecided:
    return DraftDecided(
        event_id="e",
        occurred_at=NOON,
        persona_id="nova",
        draft=generated(0),
        quality=Quality(score=score, threshold=0.72, passed=score >= 0.72, features=()),
        decision="accepted" if score >= 0.72 else "rejected",
        reasons=(),
        embedding_model="m",
    )


def test_the_scores_of_accepted_and_rejected_drafts_are_one_distribution_with_an_exact_sum() -> None:
    counters = PartitionCounters()
    for offset, score in enumerate((0.0, 0.05, 0.050001, 0.72, 1.0)):
        counters.apply(offset, draft_increments(decided(score)))
    found = samples(snapshot_of([counters.values], []))
    below = {bound: found[f"{DRAFT_QUALITY.name}_bucket{{le={bound},persona_id=nova}}"] for bound in (0.05, 0.1, 0.75)}
    assert below == {0.05: 2, 0.1: 3, 0.75: 4}
    assert len(DRAFT_QUALITY.buckets) == 20
    assert found[f"{DRAFT_QUALITY.name}_count{{persona_id=nova}}"] == 5
    assert found[f"{DRAFT_QUALITY.name}_sum{{persona_id=nova}}"] == 1.820001


def test_observations_under_the_bounds_of_an_earlier_version_are_kept() -> None:
    name = GENERATION_LATENCY.name
    found = samples(
        snapshot_of([{(name, "nova", "hook", "bucket", "0.3"): 4, (name, "nova", "hook", "sum_ms"): 900}], [])
    )
    assert found[f"{name}_bucket{{le=0.25,persona_id=nova,phase=hook}}"] == 0
    assert found[f"{name}_bucket{{le=0.5,persona_id=nova,phase=hook}}"] == 4


def test_exactly_the_metrics_of_the_catalogue_are_exposed_with_their_types_and_labels() -> None:
    counters = {
        ("posts_generated_total", 'no"va\\\n', "generated"): 1,
        ("llm_tokens_total", "gpt", "prompt"): 10**30,
        ("llm_cost_dollars_total", "nova", "gpt"): 10**30,
        ("llm_unpriced_calls_total", "nova", "gpt"): 1,
        (GENERATION_LATENCY.name, "nova", "hook", "bucket", "0.5"): 1,
        (DRAFT_QUALITY.name, "nova", "bucket", "0.5"): 1,
    }
    readings = [reading(window, views=10, micros=1) for window in ("1h", "24h", "30d", "lifetime")]
    registry = registry_of(snapshot_of([counters], readings))
    types = {
        line.split()[2]: line.split()[3]
        for line in generate_latest(registry).decode().splitlines()
        if line.startswith("# TYPE")
    }
    assert types == {metric.name: metric.type for metric in METRICS}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        [metric] = [each for each in METRICS if each.name in (family.name, f"{family.name}_total")]
        assert family.samples
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels)


def test_the_latest_reading_counts_in_whatever_order_they_come() -> None:
    early, late = reading("24h", views=10), reading("24h", at=NOON.replace(hour=13), views=20)
    for order in ([early, late], [late, early]):
        readings = KpiReadings()
        for each in order:
            readings.apply(each)
        assert readings.latest == [late]
        assert snapshot_of([], order).readings == {("nova", "24h"): late}


def test_a_reading_survives_its_encoding_and_fields_of_another_version() -> None:
    known = reading("24h", views=10)
    assert KpiReading.decoded(known.encoded()) == known
    assert KpiReading.decoded(known.encoded().replace(b'"views":10', b'"new_field":1')).counts["views"] == 0
