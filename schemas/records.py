"""The typed records, one frozen class for each Avro record: written by schemas/generate.py from avro/*.avsc."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Base of all records; `schema_name` is the name of the Avro record."""

    schema_name: ClassVar[str]


BudgetAlertKind = Literal["warn", "downgrade", "pause", "resume", "spike"]


BudgetPeriod = Literal["hour", "day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlert(Record):
    """Spending reached a level of its budget, or rose out of line."""

    schema_name: ClassVar[str] = "BudgetAlert"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona that spends, or * for all of them; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    kind: BudgetAlertKind
    """Level that was reached: warn, downgrade, pause; resume when the period is over; spike at a multiple of the
    trailing mean.
    """
    period: BudgetPeriod
    """Period of the budget, UTC."""
    period_start: datetime
    """Start of the period."""
    spent_micros: int
    """Spent in the period so far, micro-dollars."""
    limit_micros: int | None = None
    """Budget of the period, micro-dollars; for a spike the trailing mean of the periods before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEvent(Record):
    """What one call to a model cost."""

    schema_name: ClassVar[str] = "CostEvent"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    request_id: str | None = None
    """event_id of the PersonaRequest it was for."""
    step: str
    """Step of the work: hook, body, embedding, ..."""
    model: str
    """Model as the provider reports it."""
    prompt_tokens: int
    """Tokens sent, cached ones included."""
    cached_tokens: int = 0
    """Part of prompt_tokens that the provider had cached."""
    completion_tokens: int
    """Tokens received, reasoning ones included."""
    reasoning_tokens: int = 0
    """Part of completion_tokens spent on reasoning."""
    cost_micros: int | None = None
    """Cost in micro-dollars; null when the model has no known price."""
    latency_ms: int = 0
    """Wall time of the call, milliseconds."""


SavingMeasure = Literal["tier", "cache", "template", "burst", "batch", "provider_cache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSaving(Record):
    """What one measure spared in one step, against the same step without it."""

    schema_name: ClassVar[str] = "CostSaving"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    request_id: str | None = None
    """event_id of the PersonaRequest it was for."""
    step: str
    """Step of the work: hooks, body, revise, ..."""
    measure: SavingMeasure
    """What spared it."""
    model: str
    """Model that was called, or would have been."""
    prompt_tokens: int = 0
    """Prompt tokens not sent."""
    completion_tokens: int = 0
    """Completion tokens not received."""
    saved_micros: int | None = None
    """Money not spent, micro-dollars; null when a price is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header(Record):
    """A header of a record."""

    schema_name: ClassVar[str] = "Header"

    name: str
    """Name of the header; one may come several times."""
    value: bytes | None
    """Value as it came; null where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(Record):
    """A record that could not be processed, as it came."""

    schema_name: ClassVar[str] = "DeadLetter"

    event_id: str
    """Derived from consumer, topic, partition and offset: the same record has the same id."""
    occurred_at: datetime
    """When it was set aside, UTC."""
    consumer: str
    """Role that refused it."""
    source_topic: str
    """Topic it came from."""
    source_partition: int
    """Partition it came from."""
    source_offset: int
    """Offset it came from."""
    source_timestamp: datetime
    """Broker timestamp of the record."""
    key: bytes | None = None
    """Original key."""
    value: bytes | None = None
    """Original value."""
    headers: tuple[Header, ...] = ()
    """Original headers."""
    error_class: str
    """Name of the fault's class."""
    reason: str
    """What was expected, what came and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationStep(Record):
    """One node of the generation graph as it ran for a draft."""

    schema_name: ClassVar[str] = "GenerationStep"

    name: str
    """Node: gather, hooks, choose, body, assemble, guard, revise."""
    outcome: str
    """What came of it: ok, or why not."""
    model: str | None = None
    """Model as the provider reports it; null where none was called."""
    latency_ms: int = 0
    """Wall time, milliseconds."""
    prompt_tokens: int = 0
    """Tokens sent, this draft's share."""
    completion_tokens: int = 0
    """Tokens received, this draft's share."""
    cost_micros: int | None = None
    """Cost in micro-dollars, this draft's share; null when the model has no known price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftGenerated(Record):
    """A draft as the model wrote it."""

    schema_name: ClassVar[str] = "DraftGenerated"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    draft_id: str
    """Identity of the draft, derived from the request's event_id and its number."""
    request_id: str
    """event_id of the PersonaRequest."""
    persona_version: str
    """Version of the persona that wrote it."""
    hook: str
    """First line that draws the reader in."""
    body: str
    """The rest of the text."""
    text: str
    """The whole post as it would be published."""
    language: str
    """ISO 639-1 code the draft was asked in."""
    model: str
    """Name of the model that wrote it, as the provider reports it."""
    prompt_tokens: int
    """Prompt tokens of all calls for this draft."""
    completion_tokens: int
    """Completion tokens of all calls for this draft."""
    cost_micros: int | None = None
    """Cost in micro-dollars; null when a model has no known price."""
    latency_ms: int
    """Wall time of generation, milliseconds."""
    call_to_action: str | None = None
    """Last line that asks the reader for something; null where the persona has none."""
    revisions: int = 0
    """How often the guard sent it back."""
    guard_reasons: tuple[str, ...] = ()
    """What the guard found before the text was as it is, in order."""
    steps: tuple[GenerationStep, ...] = ()
    """The nodes of the graph that ran, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFeature(Record):
    """One named part of the quality score."""

    schema_name: ClassVar[str] = "QualityFeature"

    name: str
    """Name of the feature."""
    value: float
    """Value in [0, 1]."""
    weight: float
    """Share of the score."""
    reason: str
    """Why it has this value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality(Record):
    """Quality score in [0, 1] with its named features."""

    schema_name: ClassVar[str] = "Quality"

    score: float
    """Weighted mean of the features, in [0, 1]."""
    threshold: float
    """Least score that passes."""
    passed: bool
    """Whether score reaches threshold and no safety feature failed."""
    features: tuple[QualityFeature, ...]
    """The parts of the score."""


Decision = Literal["accepted", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicate(Record):
    """What a draft resembles."""

    schema_name: ClassVar[str] = "NearDuplicate"

    draft_id: str
    """Identity of the earlier accepted draft."""
    similarity: float
    """Cosine similarity in [-1, 1]; 1 for an exact copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftDecided(Record):
    """The decision on a draft: topics drafts.accepted and drafts.rejected."""

    schema_name: ClassVar[str] = "DraftDecided"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    draft: DraftGenerated
    """The draft that was decided on."""
    quality: Quality
    """Its quality."""
    decision: Decision
    """Outcome."""
    reasons: tuple[str, ...]
    """Why it was rejected; empty when accepted."""
    near_duplicate: NearDuplicate | None = None
    """The accepted draft it resembles most, where that decided."""
    embedding_model: str
    """Name of the embedding model."""
    embedding: tuple[float, ...] = ()
    """Unit-length embedding of the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftScored(Record):
    """A draft with its quality."""

    schema_name: ClassVar[str] = "DraftScored"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    draft: DraftGenerated
    """The draft that was scored."""
    quality: Quality
    """Its quality."""


EngagementKind = Literal["view", "like", "reply", "repost", "quote", "share", "click", "follow", "follower_change"]


EngagementBasis = Literal["event", "total", "correction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngagementEvent(Record):
    """A count of one kind of engagement."""

    schema_name: ClassVar[str] = "EngagementEvent"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    post_id: str | None = None
    """Post the engagement is with; null for account-wide events such as follower_change."""
    kind: EngagementKind
    """What happened; follow is attributed to a post, follower_change is the account's net growth."""
    count: int = 1
    """How many; not negative, save for follower_change, totals and corrections."""
    source: str = "unknown"
    """Where the event comes from: threads, webhook, import:<name>, simulated."""
    simulated: bool = False
    """Whether the engagement is simulated."""
    basis: EngagementBasis = "event"
    """What count is: event, what happened at that time; total, the difference of a post's total so far to the one known
    before, which tells nothing of its first hour and day; correction, the difference to an earlier count of that time.
    The latter two may be negative.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProgress(Record):
    """How far an import of a source has come, by its digest."""

    schema_name: ClassVar[str] = "ImportProgress"

    event_id: str
    """Derived from source and rows."""
    occurred_at: datetime
    """When it was written, UTC."""
    source: str
    """Digest of the content and of the mapping."""
    file_name: str
    """Name of the file, for people."""
    rows: int
    """Rows whose events the broker has acknowledged, from the first on."""
    shift_ms: int = 0
    """Shift added to each event's time, milliseconds."""
    finished: bool
    """Whether every row is in."""
    base: int | None = None
    """Offset of the ledger up to which the writer knew it: the entry is in force only if it stands at this offset.
    null: written by an older version, in force.
    """
    run: str = ""
    """Identity of the run that wrote it; the last entry of a run is settled by a later one, and else its events may be
    missing.
    """
    channel: str = ""
    """Where the counts come from, as far as they are told apart: the name of a platform."""
    event_source: str = ""
    """Field source of the events."""
    simulated: bool = False
    """Field simulated of the events."""
    counts: bytes | None = None
    """Arrow IPC stream, a row a decided count: what it is now and by how much it changes; null: none."""
    posts: bytes | None = None
    """Arrow IPC stream, a row a published post; null: none."""
    log_ends: tuple[int, ...] = ()
    """End of each partition of engagement.events when the run began: its events are behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiPartial(Record):
    """What the events of a range of offsets of one source partition add, on its way to the merge by persona."""

    schema_name: ClassVar[str] = "KpiPartial"

    event_id: str
    """Derived from the source partition, the target partition and the end of the range."""
    occurred_at: datetime
    """When the range was counted, UTC."""
    source_topic: str
    """Topic of the events."""
    source_partition: int
    """Partition of source_topic."""
    last_offset: int
    """Last offset of the range: a merge partition that has it adds the range no second time."""
    panes: bytes
    """Arrow IPC stream, a row an amount: persona_id, granularity, pane, counter, amount; empty: none."""
    posts: bytes
    """Arrow IPC stream, a row an amount: key (persona_id and post_id), counter, amount; empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiUpdate(Record):
    """KPIs of one persona and window."""

    schema_name: ClassVar[str] = "KpiUpdate"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    window: str
    """1h, 24h, 7d, 30d or lifetime."""
    window_start: datetime | None = None
    """First instant of the window; null for lifetime."""
    window_end: datetime
    """Instant the window was taken at, UTC."""
    views: int = 0
    """Views."""
    likes: int = 0
    """Likes."""
    replies: int = 0
    """Replies."""
    reposts: int = 0
    """Reposts."""
    quotes: int = 0
    """Quotes."""
    shares: int = 0
    """Shares."""
    clicks: int = 0
    """Link clicks."""
    follows: int = 0
    """Follows attributed to a post."""
    account_growth: int = 0
    """Net change of the follower count."""
    posts: int = 0
    """Posts published."""
    cost_micros: int = 0
    """All cost of known price, micro-dollars."""
    unpriced_calls: int = 0
    """Model calls whose price is unknown, not in cost_micros."""
    revenue_micros: int = 0
    """Money received, micro-dollars."""
    one_off_revenue_micros: int = 0
    """Part of revenue_micros that is not a subscription payment."""
    recurring_revenue_micros: int = 0
    """Change of monthly recurring revenue in the window; over the lifetime, its level."""
    late_events: int = 0
    """Events older than the longest rolling window when they came."""
    engagements: int = 0
    """likes + replies + reposts + quotes + shares: numerator of engagement_rate, whose denominator is views."""
    engagement_rate: float | None = None
    """engagements / views; null without views."""
    cost_per_follow_dollars: float | None = None
    """cost_micros / 1e6 / follows; null without follows."""
    cost_per_account_growth_dollars: float | None = None
    """cost_micros / 1e6 / account_growth; null unless growth is positive."""
    revenue_projection_monthly_micros: int | None = None
    """Run rate of 30 days of one-off revenue plus recurring revenue; on the 30d window only."""
    viral_posts: int | None = None
    """Posts with engagement_rate over 10 % and at least 100 views; on the lifetime window only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaApplied(Record):
    """A persona as data, by version; the newest by key is in force."""

    schema_name: ClassVar[str] = "PersonaApplied"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    version: str
    """Hash of the definition."""
    definition: str
    """The persona as canonical JSON."""


Deadline = Literal["now", "tomorrow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaRequest(Record):
    """Ask a persona for drafts about a brief."""

    schema_name: ClassVar[str] = "PersonaRequest"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    brief: str
    """Topic, trend or pain statement to write about; must not be blank."""
    language: str | None = None
    """ISO 639-1 code of the wanted language; null takes the persona's first."""
    draft_count: int = 1
    """How many drafts to write, at least 1."""
    trend: str | None = None
    """Trend or pain statement to take up, from outside: data for the model, never an instruction."""
    deadline: Deadline = "now"
    """now, or tomorrow: may go through the provider's batch API at its lower price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostPublished(Record):
    """A post that is live."""

    schema_name: ClassVar[str] = "PostPublished"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    post_id: str
    """Identity of the post on the platform."""
    draft_id: str | None = None
    """Draft it came from; null for posts written elsewhere."""
    text: str
    """Text as published."""
    source: str = "unknown"
    """Where the event comes from: threads, import:<name>, simulated."""
    simulated: bool = False
    """Whether the post is simulated."""


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
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    kind: RevenueKind
    """What happened; started and ended change recurring revenue and are no payment."""
    amount_micros: int
    """Micro-dollars: the payment, or the monthly amount of the subscription."""
    subscription_id: str | None = None
    """Subscription it belongs to."""
    source: str = "unknown"
    """Where the event comes from."""
    simulated: bool = False
    """Whether the revenue is simulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendTotal(Record):
    """What a persona has spent on a UTC day, as booked on one partition of cost.events: absolute, the newest counts."""

    schema_name: ClassVar[str] = "SpendTotal"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it was counted, UTC."""
    total_id: str
    """persona_id, day and source partition with | between: the record key of its topic."""
    persona_id: str
    """Persona that spent it."""
    day: datetime
    """Start of the UTC day."""
    source_partition: int
    """Partition of cost.events."""
    hour_micros: tuple[int, ...]
    """Micro-dollars by hour of the day, 24 numbers."""
    unpriced_calls: int = 0
    """Calls of that day whose price is unknown: they are in no sum."""
