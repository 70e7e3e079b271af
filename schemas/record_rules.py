"""What a well-formed record must also be: rules a record class, beside its schema, for rows and columns alike."""

from __future__ import annotations

from schemas import records
from schemas.rules import AtLeast, AtMost, NotBlank, PartOf, Rule, SinceEpoch

MAX_AMOUNT = 10**12  # of one event: a count, or micro-dollars; sums of 64 bits hold millions of such events
MAX_DRAFTS = 100  # of one request: each costs several calls to a model

_EVENT: tuple[Rule, ...] = (NotBlank("event_id"), SinceEpoch("occurred_at"))
_OF_PERSONA: tuple[Rule, ...] = (*_EVENT, NotBlank("persona_id"))

RULES: dict[str, tuple[Rule, ...]] = {
    records.PersonaApplied.schema_name: (*_OF_PERSONA, NotBlank("version"), NotBlank("definition")),
    records.PersonaRequest.schema_name: (
        *_OF_PERSONA,
        NotBlank("brief"),
        AtLeast("draft_count", 1),
        AtMost("draft_count", MAX_DRAFTS),
    ),
    records.DraftGenerated.schema_name: (
        *_OF_PERSONA,
        NotBlank("draft_id"),
        NotBlank("request_id"),
        AtLeast("prompt_tokens", 0),
        AtLeast("completion_tokens", 0),
        AtLeast("cost_micros", 0),
        AtLeast("latency_ms", 0),
    ),
    records.DraftScored.schema_name: _OF_PERSONA,
    records.DraftDecided.schema_name: _OF_PERSONA,
    records.DraftReviewed.schema_name: (
        *_OF_PERSONA,
        NotBlank("draft_id"),
        NotBlank("content_digest"),
        AtLeast("revision", 1),
        NotBlank("reviewed_by"),
    ),
    records.PostCommand.schema_name: (*_OF_PERSONA, AtLeast("revision", 0), NotBlank("requested_by")),
    records.PostState.schema_name: (
        *_OF_PERSONA,
        NotBlank("publication_id"),
        AtLeast("part", 0),
        AtLeast("parts", 1),
        AtLeast("sequence", 1),
        NotBlank("platform"),
        AtLeast("attempt", 0),
    ),
    records.InsightsSnapshot.schema_name: (
        *_OF_PERSONA,
        NotBlank("account_id"),
        NotBlank("platform"),
        AtLeast("sequence", 1),
    ),
    records.PlatformAccount.schema_name: (*_EVENT, NotBlank("account_id"), NotBlank("platform"), NotBlank("base_url")),
    records.PlatformNotice.schema_name: (*_EVENT, NotBlank("platform"), NotBlank("user_id"), NotBlank("field")),
    records.PostPublished.schema_name: (*_OF_PERSONA, NotBlank("post_id")),
    records.EngagementEvent.schema_name: (
        *_OF_PERSONA,
        AtLeast("count", 0, unless=(("kind", "follower_change"), ("basis", "total"), ("basis", "correction"))),
        AtLeast("count", -MAX_AMOUNT),
        AtMost("count", MAX_AMOUNT),
    ),
    records.CostEvent.schema_name: (
        *_OF_PERSONA,
        NotBlank("model"),
        AtLeast("prompt_tokens", 0),
        AtLeast("cached_tokens", 0),
        PartOf("cached_tokens", "prompt_tokens"),
        AtLeast("completion_tokens", 0),
        AtLeast("reasoning_tokens", 0),
        PartOf("reasoning_tokens", "completion_tokens"),
        AtLeast("cost_micros", 0),
        AtMost("cost_micros", MAX_AMOUNT),
        AtLeast("latency_ms", 0),
    ),
    records.CostSaving.schema_name: (
        *_OF_PERSONA,
        AtLeast("prompt_tokens", 0),
        AtLeast("completion_tokens", 0),
        AtMost("saved_micros", MAX_AMOUNT),  # a measure that cost more than it spared has a negative saving
    ),
    records.SpendTotal.schema_name: (
        *_EVENT,
        NotBlank("total_id"),
        NotBlank("persona_id"),
        SinceEpoch("day"),
        AtLeast("source_partition", 0),
        AtLeast("unpriced_calls", 0),
    ),
    records.BudgetAlert.schema_name: (
        *_OF_PERSONA,
        SinceEpoch("period_start"),
        AtLeast("spent_micros", 0),
        AtLeast("limit_micros", 0),
    ),
    records.RevenueEvent.schema_name: (
        *_OF_PERSONA,
        AtLeast("amount_micros", 0),
        AtMost("amount_micros", MAX_AMOUNT),
    ),
    records.KpiPartial.schema_name: (
        *_EVENT,
        NotBlank("source_topic"),
        AtLeast("source_partition", 0),
        AtLeast("last_offset", 0),
    ),
    records.KpiUpdate.schema_name: (*_OF_PERSONA, NotBlank("window")),
    records.DeadLetter.schema_name: (
        *_EVENT,
        NotBlank("consumer"),
        NotBlank("source_topic"),
        AtLeast("source_partition", 0),
        AtLeast("source_offset", 0),
    ),
    records.DeadOutcome.schema_name: (
        *_EVENT,
        NotBlank("letter_id"),
        NotBlank("run_id"),
        NotBlank("requested_by"),
        AtLeast("redrive_count", 0),
        AtLeast("run_letters", 1),
    ),
    records.OperationRun.schema_name: (
        *_EVENT,
        NotBlank("run_id"),
        AtLeast("sequence", 1),
        NotBlank("requested_by"),
        AtLeast("read", 0),
        AtLeast("written", 0),
        AtLeast("skipped", 0),
        AtLeast("refused", 0),
        SinceEpoch("started_at"),
    ),
    records.StateVersion.schema_name: (*_EVENT, NotBlank("state_id"), AtLeast("version", 1), NotBlank("run_id")),
    records.PersonaErased.schema_name: (*_OF_PERSONA, NotBlank("run_id"), NotBlank("requested_by")),
    records.ImportProgress.schema_name: (*_EVENT, NotBlank("source"), AtLeast("rows", 0)),
    records.AccessToken.schema_name: (
        *_EVENT,
        NotBlank("token_id"),
        NotBlank("digest"),
        NotBlank("subject"),
        NotBlank("tenant"),
    ),
    records.TokenUse.schema_name: (*_EVENT, NotBlank("token_id")),
    records.GatewayAudit.schema_name: (*_EVENT, NotBlank("tenant"), NotBlank("action")),
    records.IdempotencyKey.schema_name: (*_EVENT, NotBlank("key_id"), NotBlank("body_digest")),
    records.WebhookSubscription.schema_name: (
        *_EVENT,
        NotBlank("subscription_id"),
        NotBlank("tenant"),
        NotBlank("url"),
        SinceEpoch("created_at"),
    ),
    records.WebhookDelivery.schema_name: (
        *_EVENT,
        NotBlank("subscription_id"),
        NotBlank("webhook_id"),
        AtLeast("attempt", 0),
        AtLeast("latency_ms", 0),
    ),
}
