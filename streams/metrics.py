"""The metrics catalogue: every series that any process exposes, a closed list; dashboards use no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricType = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `name` as it is queried (a counter's with its _total; a histogram's without _bucket), in base units.

    `buckets` are the upper bounds of a histogram, without +Inf.
    """

    name: str
    type: MetricType
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


# What the Prometheus sink folds from the log.
POSTS_ENGAGEMENT_RATE = Metric(
    "posts_engagement_rate",
    "gauge",
    ("persona_id",),
    "(likes + replies + reposts + quotes + shares) / views in the window THREADS_METRICS_WINDOW; absent without views.",
)
COST_PER_FOLLOW = Metric(
    "cost_per_follow_dollars",
    "gauge",
    ("persona_id",),
    "All cost / follows in the window THREADS_METRICS_WINDOW, dollars; absent without follows.",
)
REVENUE_PROJECTION = Metric(
    "revenue_projection_monthly",
    "gauge",
    (),
    "Run rate of the last 30 days of one-off revenue plus recurring revenue, all personas, dollars a month.",
)
VIRAL_POSTS = Metric(
    "viral_posts_total",
    "gauge",  # a post's rate can fall again, so this can too
    ("persona_id",),
    "Posts with an engagement rate over 10 % and at least 100 views.",
)
POSTS_GENERATED = Metric(
    "posts_generated_total", "counter", ("persona_id", "status"), "Drafts by status: generated, accepted, rejected."
)
LLM_TOKENS = Metric(
    "llm_tokens_total",
    "counter",
    ("model", "kind"),
    "Tokens by kind: prompt (with cached), cached, completion (with reasoning), reasoning.",
)
LLM_COST = Metric(
    "llm_cost_dollars_total",
    "counter",
    ("persona_id", "model"),
    "Cost of model calls, dollars, exact to the micro-dollar; those of unknown price are in llm_unpriced_calls_total.",
)
LLM_UNPRICED_CALLS = Metric(
    "llm_unpriced_calls_total",
    "counter",
    ("persona_id", "model"),
    "Model calls without a known price: they are in no sum of costs.",
)
GENERATION_LATENCY = Metric(
    "content_generation_latency_seconds",
    "histogram",
    ("persona_id", "phase"),
    "Wall time of generation by phase: hook, body and revise (one model call each), total (a draft).",
    buckets=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0),
)
DRAFT_QUALITY = Metric(
    "draft_quality_score",
    "histogram",
    ("persona_id",),
    "Quality scores of decided drafts, accepted and rejected, from 0 to 1.",
    buckets=tuple(twentieth / 20 for twentieth in range(1, 21)),
)
ENGAGEMENTS = Metric(
    "engagements_total",
    "counter",
    ("persona_id", "kind"),
    "Sum of the counts of engagement events by kind: views, likes, replies, reposts, quotes, shares, clicks, follows.",
)

BUSINESS_METRICS = (
    POSTS_ENGAGEMENT_RATE,
    COST_PER_FOLLOW,
    REVENUE_PROJECTION,
    VIRAL_POSTS,
    POSTS_GENERATED,
    LLM_TOKENS,
    LLM_COST,
    LLM_UNPRICED_CALLS,
    GENERATION_LATENCY,
    DRAFT_QUALITY,
    ENGAGEMENTS,
)

# What a worker tells of itself, as it is now.
GENERATION_BOUND = Metric("generation_bound", "gauge", (), "Bursts of drafts that may be under way in the worker.")
GENERATION_UNDER_WAY = Metric("generation_under_way", "gauge", (), "Bursts of drafts that are under way.")
GENERATION_WAITING = Metric("generation_waiting", "gauge", (), "Bursts of drafts that wait for their turn.")
GENERATION_OLDEST = Metric(
    "generation_oldest_seconds",
    "gauge",
    (),
    "Age of the request that has been under way longest, seconds; 0 where none is.",
)
GENERATION_PARKED = Metric(
    "generation_parked_requests", "gauge", (), "Requests over budget that wait for their period to end."
)
LLM_BREAKER_STATE = Metric(
    "llm_breaker_state",
    "gauge",
    ("model", "state"),
    "1 for the state that a model's circuit breaker is in: closed, open, half-open; 0 for the others.",
)
LLM_WAITS = Metric(
    "llm_waits",
    "gauge",
    ("model", "reason"),
    "1 for the reason why calls to a model wait: no credit (the account must be topped up), no answer, away; else 0.",
)
WORKER_BREAKER_STATE = Metric(
    "worker_breaker_state",
    "gauge",
    ("stage", "state"),
    "1 for the state of the breaker around what a stage needs: closed, open, half-open; 0 for the others.",
)
WORKER_CHECKPOINT_AGE = Metric(
    "worker_checkpoint_age_seconds",
    "gauge",
    ("stage",),
    "Time since a stage last folded a slice or took a checkpoint, seconds; an idle stage ages too.",
)
WORKER_ROLE_FAILING = Metric(
    "worker_role_failing",
    "gauge",
    ("role",),
    "1 for a role that the worker gave up, because it kept on ending whatever records came; 0 for one that runs.",
)

WORKER_METRICS = (
    GENERATION_BOUND,
    GENERATION_UNDER_WAY,
    GENERATION_WAITING,
    GENERATION_OLDEST,
    GENERATION_PARKED,
    LLM_BREAKER_STATE,
    LLM_WAITS,
    WORKER_BREAKER_STATE,
    WORKER_CHECKPOINT_AGE,
    WORKER_ROLE_FAILING,
)

METRICS: tuple[Metric, ...] = (*BUSINESS_METRICS, *WORKER_METRICS)
