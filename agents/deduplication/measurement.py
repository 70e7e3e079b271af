"""What an embedder does on labelled pairs: its best limits, and precision and recall by kind and language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.deduplication.labelled_pairs import KINDS, LabelledPair, PairKind
from agents.deduplication.tuning import ACROSS, OWN, Counts, Goal, Similarity, best_limit, counts_at, held_out
from agents.embedding.embedding import Embedder, Vectors
from agents.embedding.negations import negations
from agents.embedding.normalised_text import text_hash

NOT_COMPARED = -1.0
_TEXTS_A_CALL = 128


@dataclass(frozen=True, slots=True)
class GoalFigures:
    """The best limit for a goal; how it does on all pairs, on pairs it was not fitted on, and by kind.

    `caught` has for each kind the pairs at or above the limit, and all.
    """

    goal: Goal
    limit: float
    fitted: Counts
    held_out: Counts
    caught: dict[PairKind, tuple[int, int]]


async def similarities_of(embedder: Embedder, pairs: Sequence[LabelledPair]) -> list[Similarity]:
    """Return the similarity of each pair as the stage sees it: 1 for one text hash, none where negations differ."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.first, pair.second)))
    rows: dict[str, Vectors] = {}
    for start in range(0, len(texts), _TEXTS_A_CALL):
        some = texts[start : start + _TEXTS_A_CALL]
        rows.update(zip(some, (await embedder.embed(some)).vectors, strict=True))
    found = []
    for pair in pairs:
        value = float(rows[pair.first] @ rows[pair.second])
        if embedder.blind_to_negation and negations(pair.first) != negations(pair.second):
            value = NOT_COMPARED
        if text_hash(pair.first) == text_hash(pair.second):
            value = 1.0
        found.append(Similarity(pair.kind, pair.group, value))
    return found


def figures_of(similarities: Sequence[Similarity]) -> tuple[GoalFigures, GoalFigures]:
    """Return the figures for the own persona and for the others."""
    own, across = (_figures(similarities, goal) for goal in (OWN, ACROSS))
    return own, across


def _figures(similarities: Sequence[Similarity], goal: Goal) -> GoalFigures:
    limit = best_limit(similarities, goal)
    caught = {}
    for kind in KINDS:
        values = [each.value for each in similarities if each.kind == kind]
        if values:
            caught[kind] = (sum(value >= limit for value in values), len(values))
    return GoalFigures(goal, limit, counts_at(limit, similarities, goal), held_out(similarities, goal), caught)
