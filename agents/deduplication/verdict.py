"""The verdict on a draft: first its quality, then whether its persona, or another one, has said it before."""

from __future__ import annotations

from dataclasses import dataclass

from agents.deduplication.accepted_drafts import Nearest
from agents.deduplication.limits import Limits
from agents.deduplication.wording import Resemblance
from schemas.records import Decision, NearDuplicate


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with its reasons; `near_duplicate` is what the draft resembles too much."""

    decision: Decision
    reasons: tuple[str, ...] = ()
    near_duplicate: NearDuplicate | None = None


def judge(
    quality_failures: tuple[str, ...], same_text: Resemblance | None, nearest: Nearest, limits: Limits
) -> Verdict:
    """Decide on a draft: rejected for its quality, for an accepted draft with its text, or for one too like it."""
    if quality_failures:
        return Verdict("rejected", quality_failures)
    if same_text is not None:
        return _duplicate(same_text, "the same text as")
    for found, limit in ((nearest.own, limits.own), (nearest.other, limits.across)):
        if found is not None and found.similarity >= limit:
            return _duplicate(found, f"similarity {found.similarity:.3f} reaches the limit of {limit:.2f} to")
    return Verdict("accepted")


def _duplicate(found: Resemblance, how: str) -> Verdict:
    reason = f"duplicate: {how} draft {found.draft_id} of persona {found.persona_id}"
    return Verdict("rejected", (reason,), NearDuplicate(draft_id=found.draft_id, similarity=found.similarity))
