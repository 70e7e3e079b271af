"""KPI updates become samples at their own times, as Prometheus's two formats have them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.records import KpiUpdate
from sinks.prometheus_history.open_metrics import OpenMetricsFile
from sinks.prometheus_history.remote_write import encoded, varint
from sinks.prometheus_history.samples import JOB, Sample, by_series, samples_of

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOON_MS = 1_772_366_400_000
LABELS = (("__name__", "posts_engagement_rate"), ("job", JOB), ("persona_id", 'no"va'))


def test_an_update_has_a_sample_of_each_series_that_it_knows() -> None:
    update = KpiUpdate(
        event_id="1", occurred_at=NOON, persona_id="nova", window="24h", window_end=NOON, engagement_rate=0.5
    )
    samples = list(samples_of(update))
    assert {(dict(each.labels)["__name__"], each.value) for each in samples} >= {("posts_engagement_rate", 0.5)}
    assert {each.time_ms for each in samples} == {NOON_MS}
    assert "cost_per_follow_dollars" not in {dict(each.labels)["__name__"] for each in samples}


def test_samples_stand_in_order_and_the_last_of_an_instant_counts() -> None:
    samples = [Sample(LABELS, 2, 1.0), Sample(LABELS, 1, 2.0), Sample(LABELS, 2, 3.0)]
    assert by_series(samples) == {LABELS: [(1, 2.0), (2, 3.0)]}


@pytest.mark.parametrize(
    ("number", "wanted"),
    [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (-1, b"\xff" * 9 + b"\x01")],
)
def test_numbers_are_varints(number: int, wanted: bytes) -> None:
    assert varint(number) == wanted


def test_a_message_is_as_protobuf_writes_it() -> None:
    labels = (("__name__", "a"),)
    label = b"\x0a\x08__name__\x12\x01a"
    sample = b"\x09\x00\x00\x00\x00\x00\x00\xf0\x3f\x10\x05"
    series = b"\x0a" + bytes([len(label)]) + label + b"\x12" + bytes([len(sample)]) + sample
    assert encoded({labels: [(5, 1.0)]}) == b"\x0a" + bytes([len(series)]) + series


def test_a_file_is_whole_after_each_write(tmp_path: Path) -> None:
    file = OpenMetricsFile(tmp_path / "history" / "history.om")
    lines = [
        f'posts_engagement_rate{{job="{JOB}",persona_id="no\\"va"}} {value} {NOON_MS // 1000}.000\n'
        for value in (0.5, 0.25)
    ]
    file.write({LABELS: [(NOON_MS, 0.5)]})
    assert file.path.read_text() == lines[0] + "# EOF\n"
    file.write({LABELS: [(NOON_MS, 0.25)]})
    assert file.path.read_text() == "".join(lines) + "# EOF\n"
