"""The typed records, one frozen class for each Avro record: written by schemas/generate.py from avro/*.avsc."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Base of all records; `schema_name` is the name of the Avro record."""

    schema_name: ClassVar[str]


TokenKind = Literal["service", "session"]


AccessRole = Literal["viewer", "operator", "admin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken(Record):
    """A token that opens the gateway, without its secret; the newest by key is what holds."""

    schema_name: ClassVar[str] = "AccessToken"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    token_id: str
    """Public name of the token; the record key of its topic."""
    digest: str
    """SHA-256 of the secret, hexadecimal; the secret itself is nowhere."""
    kind: TokenKind
    """service, or session: what a browser that signed in holds as its cookie."""
    name: str
    """What it is for, as its maker said."""
    subject: str
    """Who is told to have acted with it."""
    role: AccessRole
    """What it may do: viewer, operator or admin."""
    tenant: str
    """The tenant whose personas it sees; * is all of them."""
    scopes: tuple[str, ...]
    """Path prefixes that it is good for; empty: all that the role may."""
    created_by: str
    """Subject of who made it."""
    created_at: datetime
    """When it was made."""
    expires_at: datetime | None = None
    """When it ends; null where it does not."""
    revoked_at: datetime | None = None
    """When it was revoked; null while it holds."""
    parent_id: str | None = None
    """The token that this one goes with: a session ends with it, a rotated one follows it."""


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
    source: str = "unknown"
    """Where the event comes from: the platform's own call, import:<name>."""
    backfilled: bool = False
    """Whether it is history that was imported: it counts where it belongs, and raises no alert."""


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


LetterOutcome = Literal["sent", "refused", "dropped", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadOutcome(Record):
    """What became of a dead letter by way of a command: who did it, when, as one of how many."""

    schema_name: ClassVar[str] = "DeadOutcome"

    event_id: str
    """Derived from the letter, the outcome and the count: the same outcome has the same id."""
    occurred_at: datetime
    """When it was decided, UTC."""
    letter_id: str
    """event_id of the dead letter; the record key of its topic."""
    outcome: LetterOutcome
    """sent: its record stands in its topic again, written in one transaction with this; refused: it was not sent, and
    why; dropped: nothing is to be done about it.
    """
    redrive_count: int = 0
    """How often the record was sent again, this time included; 0 for dropped."""
    source_topic: str
    """Topic that the record came from, and went back to."""
    source_partition: int
    """Partition it came from."""
    source_offset: int
    """Offset it came from."""
    target_partition: int | None = None
    """Partition where it stands again; null where it was not sent."""
    target_offset: int | None = None
    """Offset where it stands again; null where it was not sent."""
    reason: str | None = None
    """Why it was refused or dropped; null for sent."""
    run_id: str
    """One run of a command."""
    run_letters: int
    """How many letters that run set out with."""
    selection: str
    """What that run was asked for: ids and filters."""
    requested_by: str
    """Who ran it: user and machine, or a name that was given."""


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
class HookChoice(Record):
    """The hook style that a draft was asked in, and what was foretold of its hook."""

    schema_name: ClassVar[str] = "HookChoice"

    style: str
    """Style, one of the persona's hook_styles."""
    propensity: float
    """Probability in (0, 1] with which this style was chosen then."""
    arms_version: str | None
    """Version of the hooks.arms it was chosen by; null where the persona had none."""
    experiment_id: str | None
    """Experiment that chose it; null where none was active."""
    model_version: str | None = None
    """Version of the hook predictor; null where it judged nothing."""
    win_probability: float | None = None
    """Probability in [0, 1] that readers take this hook and not the mean of its candidates; null with one candidate."""
    hook_log_odds: float | None = None
    """Log odds of a click that the predictor gives this hook over one of mean strength; null where it judged nothing.
    """


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
    hook_choice: HookChoice | None = None
    """The hook style it was asked in; null where nothing was chosen."""


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
class DraftReviewed(Record):
    """What somebody decided on a draft by hand.

    Of the reviews of one text with one revision the first in the log counts; the greatest revision stands.
    """

    schema_name: ClassVar[str] = "DraftReviewed"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    draft_id: str
    """Draft that was decided on."""
    content_digest: str
    """SHA-256 of the draft's text in UTF-8, 64 hex digits: a review is of this text alone."""
    revision: int = 1
    """1 for the first review of this text; one more than the review it replaces."""
    decision: Decision
    """Outcome."""
    reason: str | None = None
    """Why, in the reviewer's words; null where nothing was said."""
    reviewed_by: str
    """Who decided, as the gateway knows the caller."""


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
    backfilled: bool = False
    """Whether it is history that was imported: it counts where it belongs, and raises no alert."""


ExperimentState = Literal["draft", "active", "paused", "completed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment(Record):
    """An experiment of a persona with its hook styles, as of its newest event; the greatest sequence stands."""

    schema_name: ClassVar[str] = "Experiment"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None
    """event_id of the event that caused this one; null at the source."""
    experiment_id: str
    """Identity of the experiment; the record key of its topic."""
    sequence: int
    """1 for the first event of the experiment, one more for each further one: of two with one number the first in the
    log counts.
    """
    name: str
    """What it is about, for people."""
    state: ExperimentState
    """Where it stands."""
    styles: tuple[str, ...]
    """Hook styles that are compared, each with the same probability."""
    stopped_styles: tuple[str, ...]
    """Those that lost early and get no drafts any more."""
    error: float
    """Probability in (0, 1) of a false winner that was allowed, over all looks and styles."""
    age_hours: int
    """Age of posts in hours at which they are compared: 1, 24 or 168."""
    started_at: datetime | None
    """When it became active first, UTC; null before."""
    ended_at: datetime | None
    """When it was completed or cancelled, UTC; null before."""
    winner: str | None
    """Style that won; null where there is none, or not enough evidence."""
    requested_by: str
    """Who changed it."""
    reason: str | None
    """Why, in words; null where nothing was said."""


AuditOutcome = Literal["done", "refused", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAudit(Record):
    """Something that was written, or tried, by way of the gateway: who, what, and how it ended."""

    schema_name: ClassVar[str] = "GatewayAudit"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    tenant: str
    """Tenant of who acted; the record key of its topic."""
    subject: str
    """Who acted."""
    token_id: str | None = None
    """Token that was shown; null for a JWT."""
    role: str
    """Role of who acted."""
    request_id: str
    """Id of the HTTP request, as its answer's header X-Request-Id says."""
    action: str
    """Method and route template, such as PUT /v1/personas/{persona_id}."""
    target: str
    """What it was done to: the path as it was asked for."""
    outcome: AuditOutcome
    """done, refused (a fault of the request), or failed (a fault of ours)."""
    status: int
    """HTTP status of the answer."""
    address: str
    """Address that it came from."""
    details: str | None = None
    """What the route says of it, such as how many; null where it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookArm(Record):
    """What is known of one hook style of a persona: a Beta distribution of its engagement rate."""

    schema_name: ClassVar[str] = "HookArm"

    style: str
    """Style, one of the persona's hook_styles."""
    posts: int
    """Posts whose rewards it has."""
    views: int
    """Their views at the greatest age known of each."""
    engagements: int
    """Their engagements at that age."""
    alpha: float
    """First parameter: prior and engagements, discounted, capped and weighted by maturity."""
    beta: float
    """Second parameter: prior and views without engagement, likewise."""
    recent_share: float
    """Share in [0, 1] of the style among the persona's last posts, for its fatigue."""
    capped_posts: int
    """Posts whose influence was capped, for their engagement is out of all proportion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookArms(Record):
    """What a persona's hook styles are worth by the rewards known: chosen by, until the next version."""

    schema_name: ClassVar[str] = "HookArms"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """Newest reward that it knows of, UTC."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None
    """event_id of the event that caused this one; null at the source."""
    version: str
    """Version: the first 16 hex digits of the checksum."""
    rewards: int
    """Rewards that it was made from."""
    arms: tuple[HookArm, ...]
    """The styles, in alphabetical order."""
    checksum: str
    """SHA-256 of what it says, 64 hex digits: who reads it computes it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookPartial(Record):
    """What a range of offsets of one source partition says of drafts, posts and their engagement."""

    schema_name: ClassVar[str] = "HookPartial"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When the range was read, UTC."""
    source_topic: str
    """Topic of the records."""
    source_partition: int
    """Partition of source_topic."""
    last_offset: int
    """Last offset of the range: a partition of rewards that has it adds the range no second time."""
    drafts: bytes
    """Arrow IPC stream, a row a draft: persona_id, draft_id and its choice; empty: none."""
    posts: bytes
    """Arrow IPC stream, a row a post: persona_id, post_id, draft_id, published_ms, simulated; empty: none."""
    engagement: bytes
    """Arrow IPC stream, a row a post and five minutes: persona_id, post_id, start_ms, simulated, views, engagements;
    empty: none.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class HookReward(Record):
    """What a post of a chosen hook style had brought at a fixed age.

    Of one post and age the greatest revision stands.
    """

    schema_name: ClassVar[str] = "HookReward"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """Instant at which the post had that age, UTC."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None
    """event_id of the event that caused this one; null at the source."""
    post_id: str
    """Identity of the post on the platform."""
    draft_id: str
    """Draft it came from."""
    age_hours: int
    """Age of the post in hours: 1, 24 or 168."""
    revision: int
    """1 at first; one more each time late events or corrections changed it."""
    choice: HookChoice
    """What its draft was asked in."""
    published_at: datetime
    """When the post was published, UTC."""
    views: int
    """Views up to that age."""
    engagements: int
    """likes + replies + reposts + quotes + shares up to that age."""
    simulated: bool
    """Whether the post or any of its engagement is simulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey(Record):
    """An Idempotency-Key that was used: the same key with another body is refused."""

    schema_name: ClassVar[str] = "IdempotencyKey"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    key_id: str
    """Follows from tenant, route and the key that was sent; the record key of its topic."""
    body_digest: str
    """SHA-256 of the body that came with it, hexadecimal."""


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
class LinkClicks(Record):
    """Clicks on one address."""

    schema_name: ClassVar[str] = "LinkClicks"

    url: str
    """Address."""
    clicks: int
    """Clicks so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InsightsSnapshot(Record):
    """Lifetime totals as a platform told them, of a post or of an account; what it did not tell is null, never 0."""

    schema_name: ClassVar[str] = "InsightsSnapshot"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    account_id: str
    """Account that was asked with."""
    platform: str
    """Platform: threads, bluesky, mastodon."""
    post_id: str | None = None
    """Post; null for the account's own numbers."""
    sequence: int
    """Counts the snapshots of this post or account, from 1."""
    views: int | None = None
    """Views."""
    likes: int | None = None
    """Likes."""
    replies: int | None = None
    """Replies."""
    reposts: int | None = None
    """Reposts."""
    quotes: int | None = None
    """Quotes."""
    shares: int | None = None
    """Shares."""
    clicks: int | None = None
    """Clicks on links."""
    followers: int | None = None
    """Followers of the account."""
    links: tuple[LinkClicks, ...] = ()
    """Clicks by address, of an account."""
    source: str = "unknown"
    """Where it comes from: threads, bluesky, mastodon, simulated."""
    simulated: bool = False
    """Whether the numbers are simulated."""


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


Operation = Literal["unknown", "replay", "rebuild", "import", "offset_reset", "persona_erasure", "persona_export"]


RunStatus = Literal["unknown", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPosition(Record):
    """How far a partition is read."""

    schema_name: ClassVar[str] = "LogPosition"

    topic: str
    """Topic that is read."""
    partition: int
    """Its partition."""
    start: int
    """First offset of the selection."""
    next: int
    """Offset to go on at."""
    end: int
    """Offset behind the last of the selection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRun(Record):
    """One run of a command that changes state on purpose: who, what, how far, how it ended; a run's newest counts."""

    schema_name: ClassVar[str] = "OperationRun"

    event_id: str
    """Derived from the run and the sequence: the same step has the same id."""
    occurred_at: datetime
    """When it was told, UTC."""
    run_id: str
    """Identity of the run; the record key of its topic."""
    sequence: int
    """Steps told of the run before, this one counted: the greater is the newer."""
    operation: Operation
    """What it does."""
    status: RunStatus
    """running: begun, or broken off without a word; failed and cancelled can be gone on with where the operation says
    so.
    """
    requested_by: str
    """Who ran it: user and machine, or a name that was given."""
    selection: str
    """What it reads, in the words of the command line."""
    target: str
    """What it changes."""
    selected: int | None = None
    """Records that it set out with; null where that is not known."""
    read: int = 0
    """Records read so far."""
    written: int = 0
    """Records written so far."""
    skipped: int = 0
    """Records that were not of the selection, or there already."""
    refused: int = 0
    """Records that the schema or the target refused."""
    positions: tuple[LogPosition, ...] = ()
    """How far each partition is read; a run that is gone on with starts there."""
    started_at: datetime
    """When the run began, UTC."""
    ended_at: datetime | None = None
    """When it ended, UTC; null while it runs."""
    reason: str | None = None
    """Why it failed; null otherwise."""
    detail: str | None = None
    """What else is to be known of it, JSON."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaErased(Record):
    """A persona whose data was erased: records of before are not shown, counted or replayed again."""

    schema_name: ClassVar[str] = "PersonaErased"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it was erased, UTC: records that brokers took before are erased, later ones are of a new persona."""
    persona_id: str
    """Persona that was erased; the record key of its topic."""
    run_id: str
    """Run that erased it."""
    requested_by: str
    """Who ran it: user and machine, or a name that was given."""


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


AccountState = Literal["active", "token_rejected", "restricted", "removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformAccount(Record):
    """An account on a platform, with which posts of personas are published. Its token is encrypted."""

    schema_name: ClassVar[str] = "PlatformAccount"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    account_id: str
    """Identity of the account here; the record key of its topic."""
    tenant: str = "default"
    """Tenant that it belongs to."""
    platform: str
    """Platform: threads, bluesky, mastodon."""
    base_url: str
    """Address of the platform's API."""
    user_id: str
    """Identity of the account on the platform."""
    username: str
    """Name of the account on the platform."""
    persona_ids: tuple[str, ...] = ()
    """Personas that publish with it."""
    token_cipher: str | None = None
    """Access token, encrypted (AES-256-GCM), in base64; null where there is none any more."""
    key_id: str | None = None
    """Tells which key it is encrypted with, and gives nothing of it away."""
    scopes: tuple[str, ...] = ()
    """Permissions that were granted."""
    token_expires_at: datetime | None = None
    """When the token ends; null where it does not, or the platform does not tell."""
    token_refreshed_at: datetime | None = None
    """When the token was last exchanged or refreshed."""
    state: AccountState = "active"
    """active: is published with; the others say why not."""
    reason: str | None = None
    """Why it is in this state and what to do; null for active."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformNotice(Record):
    """A webhook of a platform as it came, checked and told apart from its repetitions."""

    schema_name: ClassVar[str] = "PlatformNotice"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    received_at: datetime
    """When it came, UTC."""
    platform: str
    """Platform: threads."""
    user_id: str
    """Account that it is of, on the platform; the record key of its topic."""
    field: str
    """What happened, in the platform's word: publish, replies, mentions, delete."""
    post_id: str | None = None
    """Post that it is about; null where it names none."""
    body: str
    """The value as it came, JSON."""


PostCommandKind = Literal["propose", "review", "schedule", "edit", "cancel", "delete", "retry", "heal", "confirm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostCommand(Record):
    """What the publisher is asked to do: drafts proposed, reviews, and what people and the watchdog want.

    One log, one order.
    """

    schema_name: ClassVar[str] = "PostCommand"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    kind: PostCommandKind
    """propose: a decided draft; review: accepted or rejected by hand; schedule: at a time, or as soon as may be; edit:
    another text, which revokes an approval; heal: look again, by the watchdog; confirm: the platform told that it is
    published.
    """
    publication_id: str | None = None
    """Publication that is meant; null for propose, and for review, which names a draft."""
    draft_id: str | None = None
    """Draft that is meant; null for posts that are of no draft."""
    texts: tuple[str, ...] = ()
    """Text of each part in order, for propose, edit and a schedule without a draft; several make a thread."""
    decision: Decision | None = None
    """Of a proposed draft, or of a review."""
    content_digest: str | None = None
    """SHA-256 of the text that a review is of, in UTF-8, 64 hex digits."""
    revision: int = 0
    """Of a review: the greatest stands, and of one revision the first in the log."""
    due_at: datetime | None = None
    """When to publish; null leaves it to the persona's plan."""
    platform: str | None = None
    """Platform to publish on; null: that of the persona's account."""
    topic_tag: str | None = None
    """Topic tag of the post, without #; null for none."""
    reply_control: str | None = None
    """Who may reply, in the platform's words; null leaves it to the platform."""
    link: str | None = None
    """Link that is attached; null for none."""
    model: str | None = None
    """Model that wrote the text; null where a person did."""
    post_id: str | None = None
    """Of confirm: identity of the post on the platform."""
    reason: str | None = None
    """Why, in words."""
    requested_by: str = "unknown"
    """Who asks: a role, or a person as the gateway or the command line knows them."""


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
    backfilled: bool = False
    """Whether it is history that was imported: it counts where it belongs, and raises no alert."""


PublicationState = Literal[
    "proposed",
    "approved",
    "scheduled",
    "container_created",
    "publishing",
    "published",
    "unconfirmed",
    "failed",
    "cancelled",
    "expired",
    "deleted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostState(Record):
    """The state of a part of a publication from a moment on; the greatest sequence is its state now."""

    schema_name: ClassVar[str] = "PostState"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    persona_id: str
    """Persona the event belongs to; the record key of its topic."""
    causation_id: str | None = None
    """event_id of the event that caused this one; null at the source."""
    publication_id: str
    """What is to be published, as a whole: from a draft, by the draft's id and the platform."""
    part: int = 0
    """Part of a thread, counted from 0."""
    parts: int = 1
    """How many parts there are."""
    sequence: int
    """Counts the states of this part, from 1."""
    state: PublicationState
    """proposed: waits for an approval; publishing: the intent, written before the call; unconfirmed: nobody knows
    whether it is there, and it is looked up; expired: its time is past.
    """
    platform: str
    """Platform: threads, bluesky, mastodon."""
    account_id: str | None = None
    """Account that it is published with; null while there is none."""
    draft_id: str | None = None
    """Draft it came from; null for posts that are of no draft."""
    text: str
    """Text of the part."""
    content_digest: str
    """SHA-256 of the texts of all parts, by zero bytes, in UTF-8, 64 hex digits: what an approval is of."""
    due_at: datetime | None = None
    """When it is to be published; null while that is open."""
    container_id: str | None = None
    """The platform's container, or the key that makes the call repeatable; never the post's id."""
    post_id: str | None = None
    """Identity of the post on the platform; null until it is published."""
    permalink: str | None = None
    """Address of the post; null where the platform tells none."""
    attempt: int = 0
    """Calls to publish so far."""
    reason: str | None = None
    """Why it is in this state and what to do; null where the state says it."""
    retryable: bool | None = None
    """Of failed: whether `posts retry` can help; else null."""
    simulated: bool = False
    """Whether the post is at the simulator."""


ModelState = Literal["promoted", "refused", "rolled_back"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityWeight(Record):
    """Weight of one feature of the quality score."""

    schema_name: ClassVar[str] = "QualityWeight"

    name: str
    """Name of the feature."""
    weight: float
    """Weight in [0, 1]; the weights of a model add up to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityModel(Record):
    """Weights of the quality score, learned from posts.

    Of the promoted models the one promoted last is in force; without any the built-in weights are.
    """

    schema_name: ClassVar[str] = "QualityModel"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it was promoted, refused or rolled back, UTC."""
    version: str
    """Version: the first 16 hex digits of the checksum, or built-in; the record key of its topic."""
    state: ModelState
    """Whether it came into force; rolled_back: it was in force, and must not be again."""
    weights: tuple[QualityWeight, ...]
    """The weights, in alphabetical order of the features."""
    threshold_shift: float
    """What is added to the least score that passes, so that as many drafts pass as with the built-in weights."""
    trained_posts: int
    """Posts that it was learned from."""
    simulated_posts: int
    """Of all posts that it was learned from or judged on, those whose engagement is simulated."""
    holdout_posts: int
    """Posts it was judged on, which it has not seen."""
    holdout_score: float | None
    """Share in [0, 1] of the holdout's pairs of posts that it puts in the order of their engagement rates; null where
    there was no pair.
    """
    incumbent_version: str | None
    """Version that was in force then."""
    incumbent_score: float | None
    """The same share of that version, on the same pairs."""
    requested_by: str
    """Who had it made, promoted or rolled back."""
    reason: str | None
    """Why it was refused or rolled back; null otherwise."""
    checksum: str
    """SHA-256 of what it says, 64 hex digits: who reads it computes it again."""


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
    backfilled: bool = False
    """Whether it is history that was imported: it counts where it belongs, and raises no alert."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class StateVersion(Record):
    """Which version of a state is the live one; the newest counts."""

    schema_name: ClassVar[str] = "StateVersion"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it was switched, UTC."""
    state_id: str
    """Role and stage that the state belongs to, such as kpis/merge; the record key of its topic."""
    version: int
    """Number of the version; 1 is the one that was there first."""
    run_id: str
    """Run that switched."""
    requested_by: str
    """Who ran it: user and machine, or a name that was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUse(Record):
    """When a token was last used, told at most once in five minutes; the newest by key counts."""

    schema_name: ClassVar[str] = "TokenUse"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it happened, UTC; windows run on this time."""
    token_id: str
    """The token; the record key of its topic."""


WebhookOutcome = Literal["delivered", "retrying", "given_up", "dropped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery(Record):
    """An attempt to deliver an event to a subscription, and what came of it."""

    schema_name: ClassVar[str] = "WebhookDelivery"

    event_id: str
    """Derived from subscription, message and attempt: a second record with the same id counts once."""
    occurred_at: datetime
    """When the attempt ended, UTC."""
    subscription_id: str
    """Subscription; the record key of its topic."""
    tenant: str
    """Tenant of the subscription."""
    webhook_id: str
    """Identity of the message, the same in every attempt: the header webhook-id."""
    event_type: str
    """Kind of the event, such as draft.accepted."""
    outcome: WebhookOutcome
    """delivered: the receiver took it; retrying: it is tried again; given_up: it is a dead letter; dropped: its
    subscription is removed or not active.
    """
    attempt: int
    """Number of the attempt, 1 for the first; 0 where none was made."""
    status: int | None = None
    """HTTP status of the answer; null where there was none."""
    reason: str = ""
    """What went wrong; empty when it was delivered."""
    latency_ms: int = 0
    """Duration of the attempt, milliseconds."""
    next_attempt_at: datetime | None = None
    """When it is tried again, UTC; null where it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSubscription(Record):
    """Who is told of what: an address and the kinds of events that it wants.

    The secret of its signatures is not in it.
    """

    schema_name: ClassVar[str] = "WebhookSubscription"

    event_id: str
    """Identity of the event: a second record with the same id counts once."""
    occurred_at: datetime
    """When it was written, UTC."""
    subscription_id: str
    """Identity of the subscription; the record key of its topic."""
    tenant: str
    """Tenant whose events it gets."""
    url: str
    """Address that deliveries are posted to, http or https."""
    event_types: tuple[str, ...]
    """Kinds of events that it wants, such as draft.accepted."""
    active: bool = True
    """Whether deliveries are made."""
    created_at: datetime
    """When it was made, UTC: earlier events are not delivered."""
    key_id: str
    """Which key its secret follows from, as the first digits of a digest of it."""
    stopped_because: str | None = None
    """Why it is not active; null while it is."""
