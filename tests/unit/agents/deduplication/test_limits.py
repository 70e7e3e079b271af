"""The limits are what the labelled pairs give, and no worse than was measured."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from agents.deduplication.tuning import (
    KINDS,
    OWN,
    Counts,
    GoalFigures,
    Similarity,
    best_limit,
    counts_at,
    figures_of,
    held_out,
    read_pairs,
    similarities_of,
)
from agents.deduplication.verdict import FITTED, SimilarityLimits, limits_of
from agents.embedding.embedders import OFFLINE
from agents.embedding.settings import EmbeddingSettings
from streams.errors import SettingsError
from streams.settings import Settings
from tests.support.settings import settings_with

PAIRS = read_pairs()
BOTH = tuple[GoalFigures, GoalFigures]


async def measured(name: str) -> BOTH:
    return figures_of(await similarities_of(OFFLINE[name](), PAIRS))


def test_every_kind_is_labelled_in_every_language() -> None:
    kinds = Counter(pair.kind for pair in PAIRS)
    assert set(kinds) == set(KINDS)
    assert len(PAIRS) - kinds["translation"] >= 240
    for language in ("en", "de", "es", "uk"):
        assert {pair.kind for pair in PAIRS if pair.source == language} == set(KINDS)
    assert len({(pair.first, pair.second) for pair in PAIRS}) == len(PAIRS)


@pytest.mark.parametrize("name", OFFLINE)
async def test_the_limits_of_each_embedder_are_those_that_the_pairs_give(name: str) -> None:
    own, across = await measured(name)
    assert FITTED[name] == SimilarityLimits(own.limit, across.limit)


async def test_the_default_finds_all_near_copies_and_takes_no_other_post_on_the_topic_for_one() -> None:
    own, across = await measured("blend")
    for kind in ("same-topic", "unrelated"):
        assert own.caught[kind][0] == across.caught[kind][0] == 0
    assert own.caught["near-copy"][0] == own.caught["near-copy"][1]
    assert own.held_out.precision >= 0.75
    assert own.held_out.recall >= 0.55
    assert across.held_out.precision >= 0.94
    assert across.held_out.recall >= 0.88


async def test_the_default_is_the_offline_embedder_of_the_highest_f1_for_both_limits() -> None:
    f1 = {name: [each.held_out.f1 for each in await measured(name)] for name in OFFLINE}
    default = str(EmbeddingSettings.model_fields["embedder"].default)
    for place in (0, 1):
        assert f1[default][place] == max(figures[place] for figures in f1.values())


def test_settings_without_limits_take_the_fitted_ones_and_openai_asks_for_its_own() -> None:
    assert limits_of(Settings()) == FITTED["blend"]
    ngram = settings_with(embedder="ngram", duplicate_similarity=0.5)
    assert limits_of(ngram) == SimilarityLimits(0.5, FITTED["ngram"].across)
    with pytest.raises(SettingsError, match="deduplication report --embedder openai"):
        limits_of(settings_with(embedder="openai", duplicate_similarity=0.7))
    both = settings_with(embedder="openai", duplicate_similarity=0.7, duplicate_similarity_across=0.9)
    assert limits_of(both) == SimilarityLimits(0.7, 0.9)


def test_the_best_limit_lies_between_duplicates_and_others() -> None:
    similar = [Similarity("near-copy", f"a{n}", 0.8 + n / 100) for n in range(10)]
    different = [Similarity("same-topic", f"b{n}", 0.3 + n / 100) for n in range(10)]
    translated = [Similarity("translation", "c", 1.0)]
    assert best_limit(similar + different + translated, OWN) == 0.8
    assert counts_at(0.8, similar + different, OWN) == Counts(found=10)
    assert held_out(similar + different, OWN).precision == 1.0
    assert (Counts().precision, Counts().recall, Counts(0, 1, 1).f1) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize(
    "content", ["pairs: {near: [[a, b]]}", "pairs: {opposite: [a]}", "- a", "unrelated: [[x, y]]", "{", "posts: 3"]
)
def test_a_file_that_is_no_labelled_pairs_is_refused_with_what_was_expected(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"mine\.yaml: expected YAML such as 'pairs"):
        read_pairs([path])
    with pytest.raises(SettingsError, match="FileNotFoundError"):
        read_pairs([tmp_path / "none.yaml"])
