"""The kinds of records that are imported row by row: which fields each has, and what their columns are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Reads = Literal["id", "text", "name", "model", "choice", "time", "money", "whole", "currency"]
"""How a cell becomes a field: an identity, a text as it is, a name without blanks around it, one of `choices`, ..."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field; a column is found by `columns`, names that it often has, unless a preset or --map says another.

    `default` is what a row has that says nothing; None with `required` makes such a row a bad one. A `choice` is read
    by name or synonym; where it is `open`, another name stands for itself.
    """

    name: str
    reads: Reads
    columns: tuple[str, ...] = ()
    required: bool = False
    default: str | int | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
    open: bool = False


@dataclass(frozen=True, slots=True)
class RecordKind:
    """A kind of records: the topic they go to, their fields, and groups of fields of which a file must have one."""

    name: str
    topic: str
    fields: tuple[Field, ...]
    one_of: tuple[str, ...] = ()

    def field_named(self, name: str) -> Field | None:
        """Return a field, None where there is none of that name."""
        return next((each for each in self.fields if each.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the fields."""
        return tuple(each.name for each in self.fields)


_AT = ("occurred_at", "created_at", "created (utc)", "created", "timestamp", "start_time", "date", "time", "day")
_CURRENCY = Field("currency", "currency", ("currency", "amount_currency", "amount.currency", "currency_code"))
_PERSONA = Field("persona_id", "name", ("persona_id", "persona"), required=True)


def _at(*more: str) -> Field:
    return Field("occurred_at", "time", (*more, *_AT), required=True)


def _same(symbol: str, *synonyms: str) -> dict[str, str]:
    return dict.fromkeys((symbol, *synonyms), symbol)


STEPS = {
    **_same("hook", "hooks", "headline"),
    **_same("body", "text", "draft"),
    **_same("revise", "revision", "rewrite", "edit"),
    **_same("embedding", "embeddings", "embed"),
    **_same("imported"),
}
REVENUE_KINDS = {
    **_same("affiliate", "commission", "affiliate commission"),
    **_same("lead", "leads", "lead fee"),
    **_same("sale", "charge", "payment", "purchase", "order", "one-off", "one_off"),
    **_same("subscription_payment", "subscription payment", "invoice", "renewal", "recurring"),
    **_same("subscription_started", "subscription started", "subscription created", "new subscription"),
    **_same("subscription_ended", "subscription ended", "subscription cancelled", "subscription canceled", "churn"),
}
COSTS = RecordKind(
    "costs",
    "cost.events",
    (
        Field("id", "id", ("event_id", "id")),
        _at(),
        _PERSONA,
        Field("model", "model", ("model", "model_id", "snapshot_id", "line_item"), required=True),
        Field("step", "choice", ("step",), default="imported", choices=STEPS, open=True),
        Field("prompt_tokens", "whole", ("prompt_tokens", "input_tokens", "context_tokens"), default=0),
        Field("cached_tokens", "whole", ("cached_tokens", "input_cached_tokens"), default=0),
        Field("completion_tokens", "whole", ("completion_tokens", "output_tokens", "generated_tokens"), default=0),
        Field("reasoning_tokens", "whole", ("reasoning_tokens", "output_reasoning_tokens"), default=0),
        Field("cost", "money", ("cost", "cost_usd", "cost (usd)", "amount_value", "amount.value", "amount", "usd")),
        Field("cost_micros", "whole", ("cost_micros",)),
        _CURRENCY,
        Field("latency_ms", "whole", ("latency_ms",), default=0),
        Field("request_id", "id", ("request_id",)),
        Field("ends_at", "time", ("end_time", "ends_at")),
    ),
    one_of=("cost", "cost_micros", "prompt_tokens", "completion_tokens"),
)
REVENUE = RecordKind(
    "revenue",
    "revenue.events",
    (
        Field("id", "id", ("event_id", "id", "transaction_id", "payment_id", "charge_id")),
        _at(),
        _PERSONA,
        Field("kind", "choice", ("kind", "revenue_kind"), required=True, choices=REVENUE_KINDS),
        Field("amount", "money", ("amount", "amount_usd", "gross", "revenue", "total", "price")),
        Field("amount_micros", "whole", ("amount_micros",)),
        _CURRENCY,
        Field("subscription_id", "id", ("subscription_id", "subscription")),
    ),
    one_of=("amount", "amount_micros"),
)
POSTS = RecordKind(
    "posts",
    "posts.published",
    (
        Field("id", "id", ("post_id", "post id", "id", "tweet id")),
        _at("published_at", "publish time", "posted at"),
        _PERSONA,
        Field("text", "text", ("text", "post text", "caption", "message", "content", "description"), required=True),
    ),
)
KINDS: Mapping[str, RecordKind] = {each.name: each for each in (COSTS, REVENUE, POSTS)}
