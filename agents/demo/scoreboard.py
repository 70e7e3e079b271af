"""What the demo knows from the topics: drafts, posts, spending, KPIs. Pure: records in, figures out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from agents.demo.history import Totals
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.engagement import COUNTER_OF
from schemas.errors import SchemaError
from schemas.records import (
    CostEvent,
    DeadLetter,
    DraftDecided,
    DraftGenerated,
    DraftScored,
    EngagementKind,
    InsightsSnapshot,
    KpiUpdate,
    PersonaRequest,
    PostState,
    Record,
)

TOPICS = (
    "drafts.generated",
    "drafts.scored",
    "drafts.accepted",
    "drafts.rejected",
    "posts.states",
    "insights.snapshots",
    "cost.events",
    "kpi.updates",
    "dead.letters",
)
ENDS = ("published", "failed", "cancelled", "expired", "deleted")
INTERACTIONS = ("likes", "replies", "reposts", "quotes", "shares")
ON_THE_WAY = ("persona.requests", "drafts.generated", "drafts.scored")


@dataclass(slots=True)
class Scoreboard:
    """The state of the demo's requests and KPIs; a record that comes twice changes nothing."""

    requests: Collection[str]
    codec: RowCodec
    drafts: dict[str, DraftGenerated] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    decisions: dict[str, DraftDecided] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    states: dict[str, PostState] = field(default_factory=dict)
    snapshots: dict[str, InsightsSnapshot] = field(default_factory=dict)
    costs: dict[str, CostEvent] = field(default_factory=dict)
    kpis: dict[tuple[str, str], KpiUpdate] = field(default_factory=dict)

    def fold(self, record: Record) -> bool:
        """Take in a record; tell whether it changed what is known of the demo's own drafts."""
        match record:
            case DraftGenerated() if record.request_id in self.requests:
                return self.drafts.setdefault(record.draft_id, record) is record
            case DraftScored() if record.draft.request_id in self.requests:
                self.scores[record.draft.draft_id] = record.quality.score
            case DraftDecided() if record.draft.request_id in self.requests:
                self.drafts.setdefault(record.draft.draft_id, record.draft)
                self.scores[record.draft.draft_id] = record.quality.score
                return self.decisions.setdefault(record.draft.draft_id, record) is record
            case PostState() if record.draft_id is not None and record.part == 0:
                self._fold_state(record.draft_id, record)
            case InsightsSnapshot() if record.post_id is not None:
                self._fold_snapshot(record.post_id, record)
            case CostEvent() if record.request_id in self.requests:
                self.costs[record.event_id] = record
            case KpiUpdate():
                self._fold_kpi(record)
            case DeadLetter() if record.source_topic in ON_THE_WAY:
                return self._fold_dead_letter(record)
        return False

    def _fold_state(self, draft_id: str, state: PostState) -> None:
        known = self.states.get(draft_id)
        if known is None or state.sequence > known.sequence:
            self.states[draft_id] = state

    def _fold_snapshot(self, post_id: str, snapshot: InsightsSnapshot) -> None:
        known = self.snapshots.get(post_id)
        if known is None or snapshot.sequence > known.sequence:
            self.snapshots[post_id] = snapshot

    def _fold_kpi(self, update: KpiUpdate) -> None:
        known = self.kpis.get((update.persona_id, update.window))
        if known is None or update.window_end >= known.window_end:
            self.kpis[update.persona_id, update.window] = update

    def _fold_dead_letter(self, letter: DeadLetter) -> bool:
        try:
            request_id = _request_of(self.codec.decode(topic_named(letter.source_topic), letter.value))
        except SchemaError:
            return False  # not of the demo: its own requests decode
        if request_id is None or request_id not in self.requests or request_id in self.refused:
            return False
        self.refused[request_id] = letter.reason
        return True

    def undecided(self) -> list[str]:
        """Return the requests whose draft is neither decided nor refused."""
        decided = {one.draft.request_id for one in self.decisions.values()} | self.refused.keys()
        return [request_id for request_id in self.requests if request_id not in decided]

    def missing(self, totals: Totals) -> dict[tuple[str, EngagementKind], int]:
        """Return what the lifetime KPIs still lack of these totals, by persona and kind."""
        lacking = {key: total - self._lifetime(*key) for key, total in totals.items()}
        return {key: count for key, count in lacking.items() if count > 0}

    def _lifetime(self, persona_id: str, kind: EngagementKind) -> int:
        update = self.kpis.get((persona_id, "lifetime"))
        count = 0 if update is None else getattr(update, COUNTER_OF[kind])
        assert isinstance(count, int)
        return count

    def accepted(self) -> list[DraftDecided]:
        """Return the accepted drafts."""
        return [one for one in self.decisions.values() if one.decision == "accepted"]

    def publications(self) -> dict[str, PostState]:
        """Return what has become of the accepted drafts, by draft; topics come in any order, so of other drafts too."""
        accepted = (one.draft.draft_id for one in self.accepted())
        return {draft_id: self.states[draft_id] for draft_id in accepted if draft_id in self.states}

    def posts(self) -> dict[str, PostState]:
        """Return the posts that are published, by their id."""
        states = self.publications().values()
        return {each.post_id: each for each in states if each.state == "published" and each.post_id}

    def unpublished(self) -> list[str]:
        """Return the accepted drafts of which nothing has come yet: no post, nor a reason why there is none."""
        accepted = [one.draft.draft_id for one in self.accepted()]
        return [each for each in accepted if each not in self.states or self.states[each].state not in ENDS]

    def unseen(self) -> list[str]:
        """Return the posts whose views are not known yet, or not in their persona's KPIs."""
        views = {post_id: snapshot.views or 0 for post_id, snapshot in self.snapshots.items()}
        of_persona: Counter[str] = Counter()
        for post_id, state in self.posts().items():
            of_persona[state.persona_id] += views.get(post_id, 0)
        return [
            post_id
            for post_id, state in self.posts().items()
            if not views.get(post_id) or self._lifetime(state.persona_id, "view") < of_persona[state.persona_id]
        ]

    def brought_back(self) -> dict[str, int]:
        """Return views and interactions of the posts, as the platform told them last."""
        return {
            metric: sum(getattr(self.snapshots[each], metric) or 0 for each in self.posts() if each in self.snapshots)
            for metric in ("views", *INTERACTIONS)
        }

    def rejections(self) -> Counter[str]:
        """Return how often each reason rejected a draft, or refused a request."""
        reasons = Counter(reason for one in self.decisions.values() for reason in one.reasons)
        return reasons + Counter(f"refused: {reason}" for reason in self.refused.values())

    def tokens(self) -> tuple[int, int]:
        """Return the prompt and completion tokens of the demo's requests."""
        spent = self.costs.values()
        return sum(one.prompt_tokens for one in spent), sum(one.completion_tokens for one in spent)

    def cost_micros(self) -> tuple[int, int]:
        """Return the cost in micro-dollars, and the number of calls whose price is unknown and not in it."""
        prices = [one.cost_micros for one in self.costs.values()]
        return sum(price for price in prices if price is not None), prices.count(None)


def _request_of(record: Record) -> str | None:
    match record:
        case PersonaRequest():
            return record.event_id
        case DraftGenerated():
            return record.request_id
        case DraftScored():
            return record.draft.request_id
    return None
