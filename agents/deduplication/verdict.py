"""The verdict on a draft: first its quality, then whether its persona, or another one, has said it before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from agents.deduplication.accepted_drafts import Nearest, Resemblance
from agents.deduplication.reasons import duplicate_reason
from agents.deduplication.settings import DeduplicationSettings
from agents.embedding.settings import EmbeddingSettings
from schemas.records import Decision, NearDuplicate
from streams.errors import SettingsError
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class SimilarityLimits:
    """Cosine similarities from which a draft is rejected: against its own persona's drafts, and against others'.

    A persona may not make its point twice, however it words it. Two personas may make the same point, but not in the
    same words: their limit is higher.
    """

    own: float
    across: float


FITTED: Mapping[str, SimilarityLimits] = MappingProxyType(
    {
        "blend": SimilarityLimits(own=0.78, across=0.92),
        "wordllama": SimilarityLimits(own=0.86, across=0.98),
        "ngram": SimilarityLimits(own=0.72, across=0.89),
    }
)
"""What `threads-agent deduplication report` finds best for each embedder that runs here; a test holds them to it."""


def limits_of(settings: Settings) -> SimilarityLimits:
    """Return the limits that are set; where one is empty, the fitted one of the embedder.

    Raises:
        SettingsError: one is empty, and the embedder's best limit was never measured.
    """
    limits, embedder = settings.of(DeduplicationSettings), settings.of(EmbeddingSettings).embedder
    own, across = limits.duplicate_similarity, limits.duplicate_similarity_across
    fitted = FITTED.get(embedder)
    if fitted is not None:
        return SimilarityLimits(fitted.own if own is None else own, fitted.across if across is None else across)
    if own is None or across is None:
        raise SettingsError(
            f"The embedder {embedder!r} has no fitted limits: run `threads-agent deduplication report "
            f"--embedder {embedder}`, and set THREADS_DUPLICATE_SIMILARITY and "
            "THREADS_DUPLICATE_SIMILARITY_ACROSS to the best limits that it prints"
        )
    return SimilarityLimits(own, across)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with its reasons; `near_duplicate` is what the draft resembles too much."""

    decision: Decision
    reasons: tuple[str, ...] = ()
    near_duplicate: NearDuplicate | None = None


def judge(
    quality_failures: tuple[str, ...], same_text: Resemblance | None, nearest: Nearest, limits: SimilarityLimits
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
    reason = duplicate_reason(how, found.draft_id, found.persona_id)
    return Verdict("rejected", (reason,), NearDuplicate(draft_id=found.draft_id, similarity=found.similarity))
