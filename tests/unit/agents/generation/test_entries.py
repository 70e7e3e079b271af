"""Entries of the state: each comes back as it was kept, under the id of what it is about, and no kind as another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.generation.asking.calls import Call, Saving
from agents.generation.kept.entries import (
    BATCHES,
    FINISHED,
    PARKED,
    UNDER_WAY,
    BatchJob,
    EntryKind,
    FinishedRequest,
    ParkedRequest,
    UnderWay,
)
from agents.llm.answers.reply import Usage
from schemas.records import PersonaRequest
from tests.support.drafting import draft, request, samples

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
COUNTS = st.integers(0, 10**9)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zoned there
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, st.booleans())
SAVINGS = st.builds(Saving, st.sampled_from(("tier", "batch", "cache")), COUNTS, COUNTS, st.none() | COUNTS)
CALLS = st.builds(
    Call,
    step=st.sampled_from(("hook", "body", "revise")),
    attempt=st.integers(0, 3),
    texts=st.lists(TEXTS, max_size=3).map(tuple),
    model=TEXTS,
    usage=USAGES,
    cost_micros=st.none() | COUNTS,
    latency_ms=COUNTS,
    occurred_at=MOMENTS,
    cut_off=st.booleans(),
    refusal=st.none() | TEXTS,
    from_cache=st.booleans(),
    savings=st.lists(SAVINGS, max_size=2).map(tuple),
)
REQUESTS: st.SearchStrategy[PersonaRequest] = st.builds(
    lambda name, brief: request(name, brief=brief), st.sampled_from(("a", "b")), TEXTS
)
ENTRIES: dict[EntryKind[Any], st.SearchStrategy[Any]] = {
    FINISHED: st.builds(
        FinishedRequest,
        offset=COUNTS,
        drafts=st.builds(lambda hook: (draft(hook, "Body."),), TEXTS),
        costs=st.just(()),
        faults=st.lists(TEXTS, max_size=2).map(tuple),
    ),
    UNDER_WAY: st.builds(
        UnderWay, TEXTS, st.just(samples()[0].definition()), st.dictionaries(TEXTS, CALLS, max_size=2)
    ),
    PARKED: st.builds(ParkedRequest, REQUESTS, COUNTS, MOMENTS, TEXTS, st.booleans()),
    BATCHES: st.builds(BatchJob, TEXTS, TEXTS, st.lists(TEXTS, max_size=3).map(tuple), st.none() | TEXTS),
}


@settings(deadline=None)
@given(st.data())
def test_every_entry_of_a_state_comes_back_as_its_kind_and_as_it_was(data: st.DataObject) -> None:
    kept = {kind: data.draw(st.dictionaries(TEXTS, entries, max_size=2)) for kind, entries in ENTRIES.items()}
    changes = [kind.kept(about, entry) for kind, entries in kept.items() for about, entry in entries.items()]
    state = {key: value for key, value in changes if value is not None}
    assert len(state) == sum(map(len, kept.values()))
    restored = {kind: kind.restored(state.items()) for kind in ENTRIES}
    assert restored == kept
    assert [kind.kept(about, entry) for kind, found in restored.items() for about, entry in found.items()] == changes


@settings(deadline=None)
@given(TEXTS, st.sampled_from([FINISHED, UNDER_WAY, PARKED, BATCHES]))
def test_an_entry_is_dropped_by_a_tombstone_of_its_own_key(about: str, kind: EntryKind[Any]) -> None:
    job = BatchJob("key", "model", ())
    key, value = kind.dropped(about)
    assert value is None
    assert (key == BATCHES.kept(about, job)[0]) == (kind is BATCHES)
