"""A simulated day with faults of every kind and kill -9, small: what `threads-agent bench week` does for a week."""

from __future__ import annotations

import pytest

from tests.benchmarks.running.own_broker import broker
from tests.benchmarks.week.command import week_of
from tests.benchmarks.week.run import Terms
from tests.support.faults.fault_report import BeginFault

EVENTS = 100_000


@pytest.mark.timeout(300)
def test_after_a_day_of_faults_and_kills_every_accepted_post_is_there_once_and_kpis_are_the_simulators_numbers(
    seed: int, begin_fault: BeginFault
) -> None:
    run = begin_fault("a day of faults of every kind, kill -9 of roles")
    terms = Terms(days=1, personas=4, posts_per_day=2, speed=6_000.0, kills=3, fault_rate=0.05, seed=seed)
    with broker(EVENTS) as running:
        report = week_of(running, terms)
    for role in report.kills:
        run.inflict(f"kill -9 of {role}")
    run.events = report.accepted
    verdict = report.verdict
    run.found(verdict.duplicates + verdict.lost + verdict.kpi_differences, report.settled_s)
    assert verdict.words == []
    assert (verdict.published, len(report.kills)) == (report.accepted, terms.kills)
    assert report.faults, "faults befell it"
