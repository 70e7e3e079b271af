"""Whose an entry of a state is: every stage that keeps state says it, and every decoder leaves out what is hidden."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import entry_points

import polars as pl

from agents.generation.kept.entries import FINISHED, PARKED, FinishedRequest, ParkedRequest, owner_of
from agents.kpis.counters import contributions, count
from agents.kpis.merge import APPLIED, MergeStage
from agents.kpis.partials import PartialWriter, read_panes, read_posts, without_hidden
from agents.kpis.persona_counters import PersonaCounters
from agents.spend.spend_book import DayKey
from agents.spend.stages import SpendStage
from schemas.records import PersonaRequest
from sinks.prometheus.stage import PrometheusStage
from streams.engine.batch import TopicPartition
from streams.engine.offset_ranges import OffsetRange
from streams.engine.stage import AnyStage, Stage
from streams.erasers import ENTRY_POINTS, erasers
from streams.kafka.hidden import Hidden
from tests.support.drafts import PLAIN
from tests.support.source_imports import REPOSITORY

SOURCE = TopicPartition("engagement.events", 0)


def stage_classes() -> Iterator[type[AnyStage]]:
    """Yield all stages that keep state, of the modules that roles are made of."""
    for entry in entry_points(group="threads.roles"):
        entry.load()
    waiting: list[type[AnyStage]] = Stage.__subclasses__()
    while waiting:
        found = waiting.pop()
        waiting += found.__subclasses__()
        if found.stateful and found.__module__.split(".")[0] in ("agents", "sinks"):
            yield found


def test_every_stage_that_keeps_state_says_whose_its_entries_are() -> None:
    stages = list(stage_classes())
    assert len(stages) > 9
    assert [each.__name__ for each in stages if each.owner_of is Stage.owner_of] == []


def test_the_readers_of_the_log_that_decode_leave_out_what_is_hidden() -> None:
    plain = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for package in ("streams", "agents", "sinks")
        for path in (REPOSITORY / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Decoder" and len(node.args) < 3
    ]
    assert plain == []


def test_every_eraser_can_be_loaded() -> None:
    assert {"accounts", "personas", "postgres", "qdrant", "response-cache", "spend", "worker-state"} <= erasers().keys()
    assert len(erasers()) == len(entry_points(group=ENTRY_POINTS))


def test_an_entry_of_the_kpi_state_is_its_personas_whatever_its_id() -> None:
    for persona in ("ada", "a|b", "3|x", "é"):
        rows = [f"l{persona}", f"m12|{persona}", f"h12|{persona}", f"p{len(persona)}|{persona}post|1"]
        assert [PersonaCounters.owner_of(row.encode()) for row in rows] == [persona] * 4
        assert MergeStage().owner_of(APPLIED + persona.encode(), b"") is None
        assert SpendStage().owner_of(DayKey(20_000, persona).encoded(), b"") == persona


def test_a_partial_of_before_adds_nothing_of_a_hidden_persona() -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    at_ms = round(at.timestamp() * 1000)
    frame = pl.DataFrame(
        {
            "persona_id": ["ada", "bob", "ada"],
            "post_id": ["p", "q", None],
            "kind": ["view", "view", "like"],
            "count": [5, 7, 1],
            "occurred_at": [at_ms] * 3,
            "offset": [0, 1, 2],
        }
    )
    counts = count(contributions("engagement.events", frame), at_ms)
    [(_, partial)] = PartialWriter(1).partials(SOURCE, OffsetRange(0, 3), counts, at_ms)
    whole = read_panes(partial.panes), read_posts(partial.posts)
    assert without_hidden(*whole, Hidden({b"ada": at_ms}), at_ms) == whole  # of the new ada
    panes, posts = without_hidden(*whole, Hidden({b"ada": at_ms + 1}), at_ms)
    assert (panes.personas, posts.keys) == (["bob"], ["3|bobq"])
    assert set(panes.persona.tolist()) == {0}
    assert posts.amount.tolist() == [7]


def test_what_generation_keeps_is_of_the_persona_that_it_is_written_for() -> None:
    request = PersonaRequest(event_id="r", occurred_at=PLAIN.occurred_at, persona_id="ada", brief="bread")
    parked = ParkedRequest(request, 0, PLAIN.occurred_at, "a budget")
    key, value = PARKED.kept("r", parked)
    assert value is not None
    assert owner_of(key, value) == "ada"
    key, value = FINISHED.kept("r", FinishedRequest(0, (PLAIN,), ()))
    assert value is not None
    assert owner_of(key, value) == PLAIN.persona_id
    key, value = FINISHED.kept("r", FinishedRequest(0, (), (), faults=("no",)))
    assert value is not None
    assert owner_of(key, value) is None


def test_counters_and_readings_are_their_personas_and_tokens_are_their_models() -> None:
    stage = PrometheusStage("24h", "127.0.0.1", 0, lambda _: None)
    assert stage.owner_of(b'c["posts_generated_total","ada","accepted"]', b"1 1") == "ada"
    assert stage.owner_of(b'k["ada","24h"]', b"{}") == "ada"
    assert stage.owner_of(b'c["llm_tokens_total","gpt","prompt"]', b"1 1") is None
    assert stage.owner_of(b"da draft", b"1") is None
