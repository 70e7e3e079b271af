"""The verdict on a draft: first its quality, then whether its persona has said it before."""

from __future__ import annotations

from dataclasses import dataclass

from agents.deduplication.accepted_drafts import AcceptedDrafts
from agents.deduplication.embedding import Vectors
from agents.scoring.quality import failures
from schemas.records import Decision, DraftScored, NearDuplicate


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with its reasons; `near_duplicate` is what the draft resembles too much."""

    decision: Decision
    reasons: tuple[str, ...] = ()
    near_duplicate: NearDuplicate | None = None


def judge(
    scored: DraftScored, *, text_hash: str, vector: Vectors, accepted: AcceptedDrafts, similarity_limit: float
) -> Verdict:
    """Decide on a draft: rejected for its quality, or for an accepted draft at or above the similarity limit."""
    reasons = failures(scored.quality)
    if reasons:
        return Verdict("rejected", reasons)
    nearest = accepted.nearest(scored.draft.draft_id, text_hash, vector)
    if nearest is None or nearest.similarity < similarity_limit:
        return Verdict("accepted")
    reason = (
        f"duplicate: similarity {nearest.similarity:.3f} to draft {nearest.draft_id} "
        f"reaches the limit of {similarity_limit:.2f}"
    )
    return Verdict("rejected", (reason,), nearest)
