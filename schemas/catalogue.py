"""The topic catalogue: every topic with its record, key, layout, partitions and retention, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas import records
from schemas.records import Record

DAY_MS = 24 * 3600 * 1000
FOREVER = -1
OWNER = "persona_id"
"""The field that says whose a record is."""

Layout = Literal["rows", "columns"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    `layout` is how consumers decode it: `rows` to record objects (fastavro), `columns` to Polars frames.
    `key` names the field whose UTF-8 text is the record key; None where records go to a partition by number.
    `retention_ms` is FOREVER or milliseconds; a compacted topic keeps the newest record of each key, for that long.
    `partitions` None means the setting THREADS_PARTITIONS. `size_factor` is how many times THREADS_MAX_RECORD_BYTES its
    records may have. `owner` names the field with the key of whose a record is, where that is not the record key.
    `hides`: its records say whose earlier records, in all other topics, are not shown any more, by key and occurred_at.
    `fixed` says why no setting may change how long it is kept; empty where one may.
    """

    name: str
    record: type[Record]
    key: str | None
    layout: Layout = "rows"
    partitions: int | None = None
    compacted: bool = False
    retention_ms: int = FOREVER
    internal: bool = False
    size_factor: int = 1
    owner: str | None = None
    hides: bool = False
    fixed: str = ""

    @property
    def owned_by(self) -> str | None:
        """Return the field with the key of whose a record is; None where records are nobody's."""
        if self.hides:
            return None
        return self.owner or (self.key if self.key == OWNER else None)

    @property
    def why_fixed(self) -> str:
        """Return why no setting may change how long it is kept; empty where one may."""
        return self.fixed or ("its newest record of each key is what holds" if self.compacted else "")

    @property
    def subject(self) -> str:
        """Return the registry subject of the values (TopicNameStrategy)."""
        return f"{self.name}-value"


CATALOGUE: tuple[Topic, ...] = (
    Topic("personas", records.PersonaApplied, "persona_id", partitions=1, compacted=True),
    Topic("persona.requests", records.PersonaRequest, "persona_id"),
    Topic("drafts.generated", records.DraftGenerated, "persona_id"),
    Topic("drafts.scored", records.DraftScored, "persona_id", partitions=1),  # what was said before is one order
    Topic("drafts.accepted", records.DraftDecided, "persona_id"),
    Topic("drafts.rejected", records.DraftDecided, "persona_id"),
    Topic("drafts.reviews", records.DraftReviewed, "persona_id"),
    Topic("posts.commands", records.PostCommand, "persona_id", partitions=1),  # which of two wins is one order
    Topic("posts.states", records.PostState, "persona_id"),
    Topic("posts.published", records.PostPublished, "persona_id", layout="columns"),
    Topic("engagement.events", records.EngagementEvent, "persona_id", layout="columns"),
    Topic("insights.snapshots", records.InsightsSnapshot, "persona_id"),
    Topic("platform.accounts", records.PlatformAccount, "account_id", partitions=1, compacted=True),
    Topic("platform.notices", records.PlatformNotice, "user_id", retention_ms=30 * DAY_MS),
    Topic("cost.events", records.CostEvent, "persona_id", layout="columns"),
    Topic("cost.savings", records.CostSaving, "persona_id"),
    Topic(
        "spend.totals",
        records.SpendTotal,
        "total_id",
        partitions=1,
        compacted=True,
        retention_ms=9 * DAY_MS,
        owner=OWNER,
    ),
    Topic("budget.alerts", records.BudgetAlert, "persona_id"),
    Topic("revenue.events", records.RevenueEvent, "persona_id", layout="columns"),
    Topic(
        "kpi.partials",
        records.KpiPartial,
        None,
        retention_ms=DAY_MS,
        internal=True,
        size_factor=4,
        fixed="counts on their way to the state, which nobody else reads",
    ),
    Topic("kpi.updates", records.KpiUpdate, "persona_id"),
    Topic(
        "hooks.partials",
        records.HookPartial,
        None,
        retention_ms=DAY_MS,
        internal=True,
        size_factor=4,
        fixed="what posts brought on its way to the rewards, which nobody else reads",
    ),
    Topic("hooks.rewards", records.HookReward, "persona_id"),
    Topic("hooks.arms", records.HookArms, "persona_id", partitions=1, compacted=True),
    Topic("quality.models", records.QualityModel, "version", partitions=1, compacted=True),
    Topic("experiments", records.Experiment, "experiment_id", partitions=1, compacted=True, owner=OWNER),
    Topic("dead.letters", records.DeadLetter, None, partitions=1, size_factor=2, owner="key"),  # one holds a record
    Topic(
        "dead.outcomes",
        records.DeadOutcome,
        "letter_id",
        partitions=1,  # what was done with letters is one order
        fixed="it says which dead letters are done with: without it they could be sent again",
    ),
    Topic("operations.runs", records.OperationRun, "run_id", partitions=1, compacted=True),
    Topic("state.versions", records.StateVersion, "state_id", partitions=1, compacted=True),
    Topic("personas.erased", records.PersonaErased, "persona_id", partitions=1, compacted=True, hides=True),
    Topic("import.ledger", records.ImportProgress, "event_id", partitions=1, compacted=True),
    Topic("gateway.tokens", records.AccessToken, "token_id", partitions=1, compacted=True),
    Topic("gateway.uses", records.TokenUse, "token_id", partitions=1, compacted=True),  # no use may undo a revocation
    Topic("gateway.audit", records.GatewayAudit, "tenant"),
    Topic(
        "gateway.idempotency", records.IdempotencyKey, "key_id", partitions=1, compacted=True, retention_ms=2 * DAY_MS
    ),
    Topic("webhooks.subscriptions", records.WebhookSubscription, "subscription_id", partitions=1, compacted=True),
    Topic("webhooks.deliveries", records.WebhookDelivery, "subscription_id", retention_ms=30 * DAY_MS),
)

_BY_NAME = {topic.name: topic for topic in CATALOGUE}


def topic_named(name: str) -> Topic:
    """Return the catalogue's entry.

    Raises:
        KeyError: no such topic; the message lists the names there are.
    """
    if name not in _BY_NAME:
        raise KeyError(f"topic {name!r} is not in the catalogue; there are: {', '.join(sorted(_BY_NAME))}")
    return _BY_NAME[name]
