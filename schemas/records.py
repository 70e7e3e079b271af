"""The typed records: one frozen class for each Avro record of schemas/avro/, field for field (a test compares them)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Base of all records; `schema_name` is the name of the Avro record."""

    schema_name: ClassVar[str]


Deadline = Literal["now", "tomorrow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaRequest(Record):
    """Ask a persona for drafts about a brief."""

    schema_name: ClassVar[str] = "PersonaRequest"

    event_id: str
    occurred_at: datetime
    persona_id: str
    causation_id: str | None = None
    brief: str
    language: str | None = None
    draft_count: int = 1
    trend: str | None = None
    deadline: Deadline = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationStep(Record):
    """One node of the generation graph as it ran for a draft."""

    schema_name: ClassVar[str] = "GenerationStep"

    name: str
    outcome: str
    model: str | None = None
    latency_ms: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micros: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftGenerated(Record):
    """A draft as the model wrote it."""

    schema_name: ClassVar[str] = "DraftGenerated"

    event_id: str
    occurred_at: datetime
    persona_id: str
    causation_id: str | None = None
    draft_id: str
    request_id: str
    persona_version: str
    hook: str
    body: str
    text: str
    language: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost_micros: int | None = None
    latency_ms: int
    call_to_action: str | None = None
    revisions: int = 0
    guard_reasons: tuple[str, ...] = ()
    steps: tuple[GenerationStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFeature(Record):
    """One named part of the quality score."""

    schema_name: ClassVar[str] = "QualityFeature"

    name: str
    value: float
    weight: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality(Record):
    """Quality score in [0, 1] with its named features."""

    schema_name: ClassVar[str] = "Quality"

    score: float
    threshold: float
    passed: bool
    features: tuple[QualityFeature, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftScored(Record):
    """A draft with its quality."""

    schema_name: ClassVar[str] = "DraftScored"

    event_id: str
    occurred_at: datetime
    persona_id: str
    causation_id: str | None = None
    draft: DraftGenerated
    quality: Quality


Decision = Literal["accepted", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicate(Record):
    """What a draft resembles."""

    schema_name: ClassVar[str] = "NearDuplicate"

    draft_id: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftDecided(Record):
    """The decision on a draft: topics drafts.accepted and drafts.rejected."""

    schema_name: ClassVar[str] = "DraftDecided"

    event_id: str
    occurred_at: datetime
    persona_id: str
    causation_id: str | None = None
    draft: DraftGenerated
    quality: Quality
    decision: Decision
    reasons: tuple[str, ...]
    near_duplicate: NearDuplicate | None = None
    embedding_model: str
    embedding: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PostPublished(Record):
    """A post that is live."""

    schema_name: ClassVar[str] = "PostPublished"

    event_id: str
    occurred_at: datetime
    persona_id: str
    causation_id: str | None = None
    post_id: str
    draft_id: str | None = None
    text: str
    source: str = "unknown"
    simulated: bool = False


EngagementKind = Literal[
    "view",
    "like",
    "reply",
    "repost",
    "quote",
    "share",
    "click",
    "follow",
    "follower_change",
]


EngagementBasis = Literal["event", "total", "correction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngagementEvent(Record):
    """A count of one kind of engagement."""

    schema_name: ClassVar[str] = "EngagementEvent"

    event_id: str
    occurred_at: datetime
    persona_id: str
    causation_id: str | None = None
    post_id: str | None = None
    kind: EngagementKind
    count: int = 1
    source: str = "unknown"
    simulated: bool = False
    basis: EngagementBasis = "event"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEvent(Record):
    """What one call to a model cost."""

    schema_name: ClassVar[str] = "CostEvent"

    event_id: str
    occurred_at: datetime
    persona_id: str
    causation_id: str | None = None
    request_id: str | None = None
    step: str
    model: str
    prompt_tokens: int
    cached_tokens: int = 0
    completion_tokens: int
    reasoning_tokens: int = 0
    cost_micros: int | None = None
    latency_ms: int = 0


SavingMeasure = Literal["tier", "cache", "template", "burst", "batch", "provider_cache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSaving(Record):
    """What one measure spared in one step, against the same step without it."""

    schema_name: ClassVar[str] = "CostSaving"

    event_id: str
    occurred_at: datetime
    persona_id: str
    causation_id: str | None = None
    request_id: str | None = None
    step: str
    measure: SavingMeasure
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    saved_micros: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendTotal(Record):
    """What a persona has spent on a UTC day, as booked on one partition of cost.events."""

    schema_name: ClassVar[str] = "SpendTotal"

    event_id: str
    occurred_at: datetime
    total_id: str
    persona_id: str
    day: datetime
    source_partition: int
    hour_micros: tuple[int, ...]
    unpriced_calls: int = 0


BudgetAlertKind = Literal["warn", "downgrade", "pause", "resume", "spike"]
BudgetPeriod = Literal["hour", "day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlert(Record):
    """Spending reached a level of its budget, or rose out of line."""

    schema_name: ClassVar[str] = "BudgetAlert"

    event_id: str
    occurred_at: datetime
    persona_id: str
    causation_id: str | None = None
    kind: BudgetAlertKind
    period: BudgetPeriod
    period_start: datetime
    spent_micros: int
    limit_micros: int | None = None


RevenueKind = Literal[
    "affiliate",
    "lead",
    "sale",
    "subscription_payment",
    "subscription_started",
    "subscription_ended",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueEvent(Record):
    """Money earned, or a change of recurring revenue."""

    schema_name: ClassVar[str] = "RevenueEvent"

    event_id: str
    occurred_at: datetime
    persona_id: str
    causation_id: str | None = None
    kind: RevenueKind
    amount_micros: int
    subscription_id: str | None = None
    source: str = "unknown"
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiPartial(Record):
    """Absolute counters of one source partition since they last changed, on their way to the merge by persona."""

    schema_name: ClassVar[str] = "KpiPartial"

    event_id: str
    occurred_at: datetime
    source_topic: str
    source_partition: int
    last_offset: int
    panes: bytes
    posts: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiUpdate(Record):
    """KPIs of one persona and window."""

    schema_name: ClassVar[str] = "KpiUpdate"

    event_id: str
    occurred_at: datetime
    persona_id: str
    causation_id: str | None = None
    window: str
    window_start: datetime | None = None
    window_end: datetime
    views: int = 0
    likes: int = 0
    replies: int = 0
    reposts: int = 0
    quotes: int = 0
    shares: int = 0
    clicks: int = 0
    follows: int = 0
    account_growth: int = 0
    posts: int = 0
    cost_micros: int = 0
    unpriced_calls: int = 0
    revenue_micros: int = 0
    one_off_revenue_micros: int = 0
    recurring_revenue_micros: int = 0
    late_events: int = 0
    engagements: int = 0
    engagement_rate: float | None = None
    cost_per_follow_dollars: float | None = None
    cost_per_account_growth_dollars: float | None = None
    revenue_projection_monthly_micros: int | None = None
    viral_posts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Header(Record):
    """A header of a record."""

    schema_name: ClassVar[str] = "Header"

    name: str
    value: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(Record):
    """A record that could not be processed, as it came."""

    schema_name: ClassVar[str] = "DeadLetter"

    event_id: str
    occurred_at: datetime
    consumer: str
    source_topic: str
    source_partition: int
    source_offset: int
    source_timestamp: datetime
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[Header, ...] = ()
    error_class: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaApplied(Record):
    """A persona as data, by version; the newest by key is in force."""

    schema_name: ClassVar[str] = "PersonaApplied"

    event_id: str
    occurred_at: datetime
    persona_id: str
    causation_id: str | None = None
    version: str
    definition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProgress(Record):
    """How far an import of a source has come, by its digest."""

    schema_name: ClassVar[str] = "ImportProgress"

    event_id: str
    occurred_at: datetime
    source: str
    file_name: str
    rows: int
    shift_ms: int = 0
    finished: bool
    base: int | None = None
    run: str = ""
    channel: str = ""
    event_source: str = ""
    simulated: bool = False
    counts: bytes | None = None
    posts: bytes | None = None
    log_ends: tuple[int, ...] = ()
