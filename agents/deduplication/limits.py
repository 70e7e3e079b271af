"""The similarities from which a draft is a duplicate: as the labelled pairs give them, or as the operator sets them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from agents.deduplication.settings import DeduplicationSettings
from agents.embedding.settings import EmbeddingSettings
from streams.errors import SettingsError
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """Cosine similarities from which a draft is rejected: against its own persona's drafts, and against others'.

    A persona may not make its point twice, however it words it. Two personas may make the same point, but not in the
    same words: their limit is higher.
    """

    own: float
    across: float


FITTED: Mapping[str, Limits] = MappingProxyType(
    {
        "blend": Limits(own=0.78, across=0.92),
        "wordllama": Limits(own=0.86, across=0.98),
        "ngram": Limits(own=0.72, across=0.89),
    }
)
"""What `threads-agent deduplication report` finds best for each embedder that runs here; a test holds them to it."""


def limits_of(settings: Settings) -> Limits:
    """Return the limits that are set; where one is empty, the fitted one of the embedder.

    Raises:
        SettingsError: one is empty, and the embedder's best limit was never measured.
    """
    limits, embedder = settings.of(DeduplicationSettings), settings.of(EmbeddingSettings).embedder
    own, across = limits.duplicate_similarity, limits.duplicate_similarity_across
    fitted = FITTED.get(embedder)
    if fitted is not None:
        return Limits(fitted.own if own is None else own, fitted.across if across is None else across)
    if own is None or across is None:
        raise SettingsError(
            f"The embedder {embedder!r} has no fitted limits: run `threads-agent deduplication report "
            f"--embedder {embedder}`, and set THREADS_DUPLICATE_SIMILARITY and "
            "THREADS_DUPLICATE_SIMILARITY_ACROSS to the best limits that it prints"
        )
    return Limits(own, across)
