"""The script of a week follows from its seed, and the comparison with the simulator's truth finds what is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.personas.persona_file import SAMPLES, read_personas
from agents.platforms.capabilities import capabilities_of
from agents.platforms.contract import Outgoing
from agents.platforms.texts import problems
from agents.simulator.faults import FAULTS
from schemas.records import InsightsSnapshot, KpiUpdate, PostCommand
from tests.benchmarks.running.module_process import PROJECT
from tests.benchmarks.week.run import fault_rates
from tests.benchmarks.week.script import Script, Wanted, script_of
from tests.benchmarks.week.verdict import COMPARED, METRICS, Snapshots, Verdict, judged
from tests.support.faults.shifted_clock import ShiftedClock

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def week(seed: int = 1) -> Script:
    return script_of(read_personas(SAMPLES), seed=seed, days=7, personas=8, posts_per_day=3)


def test_a_seed_gives_a_script_and_every_way_to_become_a_post_is_in_it() -> None:
    script, again = week(), week()
    assert [each.at_s for each in script.moments] == [each.at_s for each in again.moments]
    assert script.wanted == again.wanted
    assert script.wanted != week(2).wanted
    assert {each.what for each in script.wanted} >= {
        "accepted",
        "accepted, later deleted",
        "a thread",
        "approved by hand",
        "cancelled",
        "edited",
        "rejected by hand",
        "rejected by the pipeline",
    }
    assert {each.posting.approval for each in script.personas} == {"auto", "approve"}
    assert len({each.posting.timezone for each in script.personas}) > 2


def test_all_texts_differ_and_fit_and_all_commands_come_within_the_week() -> None:
    script = week()
    texts = [(each.persona_id, text) for each in script.wanted for text in each.public_texts]
    assert len(texts) == len(set(texts)) == script.accepted
    can = capabilities_of("threads")
    assert [text for _, text in texts if problems(Outgoing(key="k", text=text), can)] == []
    assert all(0 <= each.at_s <= 7 * 86_400 for each in script.moments)
    records = [each.make(NOW).record for each in script.moments]
    assert len({getattr(each, "event_id", None) for each in records}) == len(records)
    assert any(isinstance(each, PostCommand) and len(each.texts) == 3 for each in records)


def test_every_kind_of_fault_has_its_share() -> None:
    rates = fault_rates(0.05)
    assert rates.keys() == FAULTS.keys()
    assert rates["timeout_after_publish"] == 0.05
    assert sum(rate for name, rate in rates.items() if not FAULTS[name].routes) == pytest.approx(0.05)


WANTED = (
    Wanted("p1", "ada", ("one", "two"), "a thread"),
    Wanted("p2", "ada", ("gone",), "accepted, later deleted", is_deleted=True),
    Wanted("p3", "ada", (), "rejected by hand"),
)


def post(post_id: str, text: str, **changes: Any) -> dict[str, Any]:
    plain = {"id": post_id, "username": "ada", "text": text, "container_id": f"c{post_id}", "reply_to": None}
    return {**plain, "deleted_at": None, "totals": dict.fromkeys(METRICS, 5), "clicks": {}, **changes}


def truth(*more: dict[str, Any]) -> dict[str, Any]:
    posts = [post("1", "one"), post("2", "two", reply_to="1"), post("3", "gone", deleted_at="2026-11-27T00:00:00")]
    return {"posts": [*posts, *more], "users": [{"username": "ada", "followers": 12}]}


def lifetime(**changes: int) -> dict[str, KpiUpdate]:
    counts = dict.fromkeys(METRICS, 13) | {"posts": 3, "clicks": 0, "account_growth": 2} | changes
    others = {name: 0 for name in KpiUpdate.__annotations__ if name not in COMPARED}
    given: dict[str, Any] = {**others, **counts, "event_id": "k", "occurred_at": NOW, "persona_id": "ada"}
    given |= {"window": "lifetime", "window_start": None, "window_end": NOW, "causation_id": None}
    given.pop("schema_name", None)
    return {"ada": KpiUpdate(**given)}


def said() -> Snapshots:
    snapshots = Snapshots()
    plain: dict[str, Any] = {"occurred_at": NOW, "persona_id": "ada", "account_id": "a", "platform": "threads"}
    for sequence, followers in ((2, 11), (1, 10)):
        snapshots.take(InsightsSnapshot(event_id=f"a{sequence}", sequence=sequence, followers=followers, **plain))
    for sequence in (2, 1):
        totals: dict[str, Any] = dict.fromkeys(METRICS, sequence + 1)
        snapshots.take(InsightsSnapshot(event_id=f"p{sequence}", sequence=sequence, post_id="3", **totals, **plain))
    return snapshots


def test_what_is_as_it_should_be_is_good() -> None:
    verdict = judged(truth(), WANTED, lifetime(), said())
    assert (verdict.words, verdict.published, verdict.is_good) == ([], 3, True)


@pytest.mark.parametrize(
    ("found", "told", "wrong"),
    [
        (truth(post("4", "one")), lifetime(posts=4), lambda verdict: verdict.duplicates == 1),
        (truth(post("4", "rejected")), lifetime(posts=4), lambda verdict: verdict.duplicates == 1),
        ({**truth(), "posts": truth()["posts"][1:]}, lifetime(posts=2), lambda verdict: verdict.lost == 2),
        (
            {**truth(), "posts": [*truth()["posts"][:2], post("3", "gone")]},
            lifetime(),
            lambda verdict: verdict.lost == 1,
        ),
        (truth(), lifetime(views=12), lambda verdict: verdict.kpi_differences == 1),
        (truth(), lifetime(account_growth=0), lambda verdict: verdict.kpi_differences == 2),
        (truth(), {}, lambda verdict: verdict.kpi_differences == 3 + 2 + 6 * 13),
    ],
    ids=["twice", "unasked", "lost", "not deleted", "views", "growth", "nothing told"],
)
def test_what_is_wrong_is_found(
    found: dict[str, Any], told: dict[str, KpiUpdate], wrong: Callable[[Verdict], bool]
) -> None:
    verdict = judged(found, WANTED, told, said())
    assert wrong(verdict), verdict
    assert verdict.words
    assert not verdict.is_good


def test_a_process_has_the_clock_of_its_file_fast_and_set(tmp_path: Path) -> None:
    clock = ShiftedClock(tmp_path / "clock")
    clock.run(1_000_000_000_000, 1_000.0)
    asked = (
        "import sys, time; from pathlib import Path; from tests.support.faults.shifted_clock import shift;"
        "shift(Path(sys.argv[1])); print(time.time_ns() // 1_000_000)"
    )
    before = clock.now_ms()
    command = [sys.executable, "-c", asked, str(clock.path)]
    told = int(subprocess.run(command, capture_output=True, check=True, cwd=PROJECT, timeout=60).stdout)
    assert 1_000_000_000_000 <= before <= told <= clock.now_ms()
