"""Batches of every topic that the sinks write, with duplicates and texts that are hard to write."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from schemas.records import (
    BudgetAlert,
    CostSaving,
    DeadLetter,
    DeadOutcome,
    DraftReviewed,
    Header,
    HookChoice,
    HookReward,
    InsightsSnapshot,
    LinkClicks,
    LogPosition,
    OperationRun,
    PersonaApplied,
    PersonaRequest,
    PlatformNotice,
    PostState,
)
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
    dropped = DeadOutcome(
        event_id="outcome-1",
        occurred_at=NOON,
        letter_id=letter.event_id,
        outcome="dropped",
        source_topic=letter.source_topic,
        source_partition=letter.source_partition,
        source_offset=letter.source_offset,
        reason='sent by a "test"\t\\.',
        run_id="run-1",
        run_letters=1,
        selection="--id letter-1",
        requested_by="ada",
    )
    run = OperationRun(
        event_id="run-1/1",
        occurred_at=NOON,
        run_id="run-1",
        sequence=1,
        operation="replay",
        status="running",
        requested_by="ada",
        selection="engagement.events --persona 'a \\. b'",
        target="postgres",
        positions=(LogPosition(topic="engagement.events", partition=0, start=0, next=7, end=9),),
        started_at=NOON,
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
        rows("operations.runs", 0, [run, replace(run, sequence=2, status="done", read=9, ended_at=NOON), run]),
        rows("dead.outcomes", 0, [dropped, replace(dropped, reason="a repeat that differs"), dropped]),
        *review_batches(),
        *publishing_batches(),
        *reward_batches(),
        *spend_batches(),
        *column_batches(),
    ]


def review_batches() -> list[Batch]:
    """Batches of reviews: two that compete, in one partition and in two, and one that replaces whichever stands."""
    first = DraftReviewed(
        event_id="review-1",
        occurred_at=NOON,
        persona_id="nova",
        draft_id="draft-1",
        content_digest="0" * 64,
        decision="accepted",
        reviewed_by="token:page",
    )
    other = replace(first, event_id="review-2", decision="rejected", reason='off "brand"\t\\.')
    replacing = replace(other, event_id="review-3", revision=2)
    return [
        rows("drafts.reviews", 0, [first, other, first, replacing]),
        rows("drafts.reviews", 1, [replace(other, event_id="review-4"), replace(first, event_id="review-5")]),
    ]


def publishing_batches() -> list[Batch]:
    """Batches of states, told again and in two partitions, of snapshots, known and unknown, and of notices."""
    state = PostState(
        event_id="state-1",
        occurred_at=NOON,
        persona_id="nova",
        publication_id="publication-1",
        sequence=1,
        state="approved",
        platform="threads",
        text='two\r\nlines, "quoted" \\.',
        content_digest="0" * 64,
    )
    intent = replace(state, event_id="state-2", sequence=2, state="publishing", container_id="c", attempt=1)
    there = replace(intent, event_id="state-3", sequence=3, state="published", post_id="post-1", due_at=NOON)
    second = replace(state, event_id="state-4", part=1, parts=2, state="failed", reason="over 500", retryable=False)
    snapshot = InsightsSnapshot(
        event_id="snapshot-1",
        occurred_at=NOON,
        persona_id="nova",
        account_id="account-1",
        platform="threads",
        post_id="post-1",
        sequence=1,
        views=10,
        links=(LinkClicks(url="https://example.com/?a=b", clicks=3),),
    )
    notice = PlatformNotice(
        event_id="notice-1",
        occurred_at=NOON,
        received_at=NOON,
        platform="threads",
        user_id="1784",
        field="publish",
        post_id="post-1",
        body='{"id": "post-1", "text": "a\\n\\"b\\""}',
    )
    return [
        rows("posts.states", 0, [state, intent, there, intent, second]),
        rows("posts.states", 1, [intent, replace(state, publication_id="publication-2")]),
        rows(
            "insights.snapshots",
            0,
            [snapshot, replace(snapshot, views=11), replace(snapshot, event_id="s", views=None)],
        ),
        rows("insights.snapshots", 1, [replace(snapshot, views=12)]),
        rows("platform.notices", 0, [notice, replace(notice, event_id="notice-2", post_id=None), notice]),
        rows("platform.notices", 1, [notice]),
    ]


def reward_batches() -> list[Batch]:
    """Batches of rewards: told again with a greater revision, twice, and in two partitions."""
    choice = HookChoice(style='dry "wit"\t\\.', propensity=0.25, arms_version=None, experiment_id=None)
    reward = HookReward(
        event_id="reward-1",
        occurred_at=NOON,
        persona_id="nova",
        causation_id=None,
        post_id="post-1",
        draft_id="draft-1",
        age_hours=24,
        revision=1,
        choice=choice,
        published_at=NOON,
        views=100,
        engagements=7,
        simulated=False,
    )
    later = replace(reward, event_id="reward-2", revision=2, views=120)
    week = replace(reward, event_id="reward-3", age_hours=168, choice=replace(choice, hook_log_odds=0.5))
    return [
        rows("hooks.rewards", 0, [reward, later, reward, week]),
        rows("hooks.rewards", 1, [reward, replace(reward, event_id="reward-4", post_id="post-2")]),
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
