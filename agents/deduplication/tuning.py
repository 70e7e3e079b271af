"""The best limit for an embedder, from labelled pairs of texts, with precision and recall held out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from agents.embedding.embedding import Embedder, Vectors, negations, text_hash
from streams.errors import SettingsError

PairKind = Literal["near-copy", "paraphrase", "opposite", "same-form", "same-topic", "unrelated", "translation"]
KINDS: tuple[PairKind, ...] = get_args(PairKind)
SHIPPED = tuple(sorted(Path(__file__).with_name("pairs").glob("*.yaml")))
FOLDS = 5
_STEPS = 100  # limits are tried in hundredths
NOT_COMPARED = -1.0
_TEXTS_A_CALL = 128


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """Two texts and what the second is to the first.

    `group` is alike for all variants of one text: they are never on both sides of a cross-validation. `source` is the
    name of the file, which for the shipped ones is the language.
    """

    kind: PairKind
    first: str
    second: str
    group: str
    source: str


def read_pairs(paths: Iterable[Path] = SHIPPED) -> list[LabelledPair]:
    """Read labelled pairs from YAML; pairs/en.yaml shows the form, and `pairs: {LABEL: [[TEXT, TEXT]]}` is enough.

    Raises:
        SettingsError: a file can't be read, or something in it is no labelled pair.
    """
    return [pair for path in paths for pair in _pairs_of(path)]


def _pairs_of(path: Path) -> Iterator[LabelledPair]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        yield from _variants(content.get("posts", {}), path.stem)
        for first, second in content.get("unrelated", []):
            one, other = (_text(content["posts"][name]["post"]) for name in (first, second))
            yield LabelledPair("unrelated", one, other, group=first, source=path.stem)
        for kind, pairs in content.get("pairs", {}).items():
            for first, second in pairs:
                yield LabelledPair(_kind(kind), _text(first), _text(second), group=_text(first), source=path.stem)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise SettingsError(
            f"{path.name}: expected YAML such as 'pairs: {{paraphrase: [[TEXT, TEXT]]}}' with the labels "
            f"{', '.join(KINDS)}; got {type(error).__name__}: {error}"
        ) from error


def _variants(posts: dict[str, dict[str, Any]], source: str) -> Iterator[LabelledPair]:
    for name, texts in posts.items():
        for kind, text in texts.items():
            if kind != "post":
                yield LabelledPair(_kind(kind), _text(texts["post"]), _text(text), group=name, source=source)


def _kind(label: str) -> PairKind:
    for kind in KINDS:
        if label == kind:
            return kind
    raise ValueError(f"the label {label!r}")


def _text(value: str | list[str]) -> str:
    """Return a text as a draft has it: a list is a hook and a body."""
    return value if isinstance(value, str) else "\n\n".join(map(str, value))


@dataclass(frozen=True, slots=True)
class Goal:
    """What a limit is for: the kinds it shall catch, those it shall let pass, and the least precision.

    A kind in neither is only counted. Among the limits of enough precision the best is that of the highest F1; where
    none has it, that of the highest precision. Of equals the highest.
    """

    name: str
    caught: frozenset[PairKind]
    passed: frozenset[PairKind]
    least_precision: float


OWN = Goal(
    "own",
    frozenset({"near-copy", "paraphrase"}),
    frozenset({"opposite", "same-form", "same-topic", "unrelated"}),
    least_precision=0.75,
)
ACROSS = Goal(
    "across",
    frozenset({"near-copy"}),
    frozenset({"paraphrase", "opposite", "same-form", "same-topic", "unrelated"}),
    least_precision=0.95,
)


@dataclass(frozen=True, slots=True)
class Similarity:
    """The similarity of a labelled pair; -1 for texts that are not compared at all."""

    kind: PairKind
    group: str
    value: float


@dataclass(frozen=True, slots=True)
class Counts:
    """How a limit did: duplicates found, others taken for duplicates, and duplicates missed."""

    found: int = 0
    mistaken: int = 0
    missed: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of both."""
        return Counts(self.found + other.found, self.mistaken + other.mistaken, self.missed + other.missed)

    @property
    def precision(self) -> float:
        """Return found / (found + mistaken); 1 where nothing was taken for a duplicate."""
        return self.found / (self.found + self.mistaken) if self.found + self.mistaken else 1.0

    @property
    def recall(self) -> float:
        """Return found / (found + missed); 1 where there was nothing to find."""
        return self.found / (self.found + self.missed) if self.found + self.missed else 1.0

    @property
    def f1(self) -> float:
        """Return the harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def counts_at(limit: float, similarities: Sequence[Similarity], goal: Goal) -> Counts:
    """Return how a limit does on some pairs."""
    found = sum(each.value >= limit for each in similarities if each.kind in goal.caught)
    mistaken = sum(each.value >= limit for each in similarities if each.kind in goal.passed)
    return Counts(found, mistaken, sum(each.kind in goal.caught for each in similarities) - found)


def best_limit(similarities: Sequence[Similarity], goal: Goal) -> float:
    """Return the limit that suits the goal best, in hundredths from .01 to 1."""

    def merit(limit: float) -> tuple[bool, float, float]:
        counts = counts_at(limit, similarities, goal)
        enough = counts.found > 0 and counts.precision >= goal.least_precision
        useful = counts.precision if counts.found else 0.0
        return enough, counts.f1 if enough else useful, limit

    return max((step / _STEPS for step in range(1, _STEPS + 1)), key=merit)


def held_out(similarities: Sequence[Similarity], goal: Goal) -> Counts:
    """Return how limits do on pairs they were not fitted on: cross-validation in 5 folds of whole groups."""
    order = {group: number for number, group in enumerate(dict.fromkeys(each.group for each in similarities))}
    total = Counts()
    for fold in range(FOLDS):
        fitted = [each for each in similarities if order[each.group] % FOLDS != fold]
        tested = [each for each in similarities if order[each.group] % FOLDS == fold]
        total += counts_at(best_limit(fitted, goal), tested, goal)
    return total


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
