"""What the Prometheus sink folds from the log: the series of posts, drafts and money."""

from __future__ import annotations

from streams.metrics import Metric

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
    "Cost of live model calls, dollars, exact to the micro-dollar, without imported ones; those of unknown price are "
    "in llm_unpriced_calls_total.",
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
ENGAGEMENTS_LAST_HOUR = Metric(
    "engagements_last_hour",
    "gauge",
    ("persona_id", "kind"),
    "Sum of the counts of engagement events of the last 60 minutes by their own time; imported history is not in it.",
)

METRICS = (
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
    ENGAGEMENTS_LAST_HOUR,
)
