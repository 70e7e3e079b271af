"""Batches of every topic that the sinks write, with duplicates and texts that are hard to write."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from schemas.records import BudgetAlert, CostSaving, DeadLetter, Header, PersonaApplied, PersonaRequest
from streams.engine.batch import Batch
from tests.support.sink_batches import NOON, columns, decided, draft, engagement, kpi, rows, scored


def every_kind_of_batch() -> list[Batch]:
    """Batches of every topic, with duplicates of one id that differ, in one partition and in two."""
    ids = [f"event-{n}" for n in range(50)]
    request = PersonaRequest(event_id="request-1", occurred_at=NOON, persona_id="nova", brief="pains of commuting")
    persona = PersonaApplied(event_id="p1", occurred_at=NOON, persona_id="nova", version="v1", definition="{}")
    letter = DeadLetter(
        event_id="letter-1",
        occurred_at=NOON,
        consumer="kpis",
        source_topic="engagement.events",
        source_partition=1,
        source_offset=7,
        source_timestamp=NOON,
        key=b"\x00key",
        value=None,
        headers=(Header(name="trace", value=b"\xff"), Header(name="empty", value=None)),
        error_class="DecodeFault",
        reason="got \x00\x01",
    )
    return [
        engagement(0, ids),
        engagement(0, ids[:10], first_offset=50, source="a repeat that differs"),
        engagement(1, ids[5:15], first_offset=3, source="the same ids on another partition"),
        rows("persona.requests", 0, [request, replace(request, brief="a repeat that differs")]),
        rows("personas", 0, [persona, replace(persona, version="v2", definition='{"voice": "dry"}')]),
        rows("drafts.generated", 0, [draft(n) for n in range(5)] + [draft(4, text="written again")]),
        rows("drafts.scored", 0, [scored(n) for n in range(4)]),
        rows("drafts.accepted", 0, [decided(0, "accepted"), decided(3, "accepted", seconds=90)]),
        rows("drafts.rejected", 0, [decided(n, "rejected", reasons=("near duplicate",)) for n in (1, 3)]),
        rows("kpi.updates", 0, [kpi("1h", second, views) for second, views in ((1, 10), (59, 20), (61, 30), (61, 40))]),
        rows(
            "kpi.updates", 0, [kpi("lifetime", second, views) for second, views in ((1, 10), (3599, 5))], first_offset=4
        ),
        rows("dead.letters", 0, [letter]),
        *spend_batches(),
        *column_batches(),
    ]


def spend_batches() -> list[Batch]:
    """Batches of savings, known and unknown, and of alerts, told twice."""
    saving = CostSaving(
        event_id="saving-1",
        occurred_at=NOON,
        persona_id="nova",
        step="body",
        measure="tier",
        model="gpt",
        saved_micros=5,
    )
    alert = BudgetAlert(
        event_id="alert-1",
        occurred_at=NOON,
        persona_id="*",
        kind="pause",
        period="day",
        period_start=NOON,
        spent_micros=9,
    )
    unknown = replace(saving, event_id="saving-2", measure="cache", saved_micros=None)
    return [
        rows("cost.savings", 0, [saving, unknown, replace(saving, saved_micros=7)]),
        rows("cost.savings", 1, [replace(saving, saved_micros=6)]),
        rows(
            "budget.alerts", 0, [alert, replace(alert, spent_micros=10), replace(alert, event_id="a", limit_micros=8)]
        ),
    ]


def column_batches() -> list[Batch]:
    """Batches of posts, costs and revenue, with texts that CSV has to quote."""
    return [
        columns(
            "posts.published",
            {
                "event_id": ["post-event"],
                "post_id": ["post-1"],
                "draft_id": ["draft-0"],
                "text": ['Ünï\r\n,"x" \\.'],
                "source": ["simulated"],
                "simulated": [True],
            },
        ),
        columns(
            "cost.events",
            {
                "event_id": ["cost-1", "cost-2", "\\."],
                "request_id": ["request-1", None, ""],
                "step": ["hook", "body", "body"],
                "model": ["gpt", "gpt", "new"],
                "prompt_tokens": [100, 200, 7],
                "cached_tokens": [50, 0, 0],
                "completion_tokens": [10, 20, 3],
                "reasoning_tokens": [0, 0, 0],
                "cost_micros": [1_234, 5_000_001, None],
                "latency_ms": [900, 800, 10],
            },
        ),
        columns(
            "revenue.events",
            {
                "event_id": ["revenue-1"],
                "kind": ["sale"],
                "amount_micros": [2_500_000],
                "subscription_id": pl.Series([None], dtype=pl.String),
                "source": ["shop"],
                "simulated": [False],
            },
        ),
    ]
