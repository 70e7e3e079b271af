from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.caching.response_cache import ENTRY_BYTES, MemoryCache, NoCache, Question, SemanticReuse
from agents.caching.settings import CachingSettings
from agents.embedding.embedding import Embedded
from agents.generation.writing import response_cache
from streams.errors import SettingsError
from streams.settings import Settings
from tests.support.llm_questions import question, reply
from tests.support.openai.vectors import DIMENSIONS, vector_of


class WordHashEmbedder:
    """Texts that share words are alike."""

    model = "word-hashes"
    dimensions = DIMENSIONS
    blind_to_negation = False

    async def embed(self, texts: Sequence[str]) -> Embedded:
        return Embedded(np.stack([vector_of(text) for text in texts]))

    async def close(self) -> None:
        """Hold nothing."""


def memory(max_bytes: int = 10_000) -> MemoryCache:
    return MemoryCache(max_bytes, 60.0, clock=time.monotonic)


def reusing(max_questions: int = 100) -> SemanticReuse:
    return SemanticReuse(memory(100_000), WordHashEmbedder(), 0.8, max_questions=max_questions)


def test_the_key_of_a_question_is_the_same_in_every_process() -> None:
    assert question().key == "4628c4d9f0b45c70dcd76f7c44d0bbef710377a25dcd99a467f1b3aa40b9b66c"


@pytest.mark.parametrize(
    "other",
    [
        question(model="gpt-4.1-mini"),
        question("other"),
        question(system="other"),
        question(persona_version="v2"),
        question(variation="0/1"),
        question(temperature=0.8),
        question(max_completion_tokens=80),
    ],
)
def test_whatever_an_answer_depends_on_makes_another_question(other: Question) -> None:
    assert other.key != question().key


def test_the_seed_and_the_order_of_parameters_make_no_other_question() -> None:
    assert question(seed=7).key == question(seed=8).key == question().key
    assert question(a=1, b=2).key == question(b=2, a=1).key


def test_names_and_values_of_parameters_are_not_mixed_up() -> None:
    assert question("a", system="bc").key != question("ab", system="c").key


async def test_the_least_lately_used_answer_goes_first() -> None:
    each = ENTRY_BYTES + len(reply("x").text)
    cache = memory(3 * each)
    for name in "abc":
        await cache.put(question(name), reply("x"))
    await cache.get(question("a"))
    await cache.put(question("d"), reply("x"))
    assert [await cache.get(question(name)) is not None for name in "abcd"] == [True, False, True, True]


async def test_an_answer_bigger_than_the_cache_is_not_kept_and_pushes_nothing_out() -> None:
    cache = memory(2_000)
    await cache.put(question("small"), reply("x"))
    await cache.put(question("big"), reply("x" * 5_000))
    assert await cache.get(question("small")) is not None
    assert await cache.get(question("big")) is None


async def test_an_answer_is_used_up_to_its_age_in_seconds() -> None:
    now = 0.0
    cache = MemoryCache(10_000, 60.0, clock=lambda: now)
    await cache.put(question(), reply())
    now = 59.9
    assert await cache.get(question()) == reply()
    now = 60.0
    assert await cache.get(question()) is None
    assert cache.bytes == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(1, 900)), max_size=60))
async def test_the_cache_in_memory_never_holds_more_than_its_bytes(steps: list[tuple[bool, int, int]]) -> None:
    cache = memory(4_000)
    for is_put, name, length in steps:
        if is_put:
            await cache.put(question(str(name)), reply("y" * length))
        else:
            await cache.get(question(str(name)))
        assert 0 <= cache.bytes <= 4_000


async def test_a_similar_question_is_answered_only_where_all_else_is_the_same() -> None:
    cache = reusing()
    await cache.put(question("tips to bake good bread at home"), reply("bread"))
    near = "tips to bake good bread at work"
    assert (await cache.get(question(near)) or reply("none")).text == "bread"
    for other in (
        question("tips to file quarterly tax returns"),
        question(near, model="gpt-4.1-mini"),
        question(near, persona_version="v2"),
        question(near, variation="0/1"),
        question(near, temperature=0.1),
        question(near, system="You write in German."),
    ):
        assert await cache.get(other) is None


async def test_a_question_that_denies_what_the_other_says_is_not_answered_alike() -> None:
    cache = reusing()
    await cache.put(question("why you should bake good bread at home every day"), reply("bread"))
    assert await cache.get(question("why you should really bake good bread at home every day")) is not None
    assert await cache.get(question("why you should not bake good bread at home every day")) is None


async def test_the_very_same_question_is_answered_before_a_similar_one() -> None:
    cache = reusing()
    await cache.put(question("tips to bake good bread at home"), reply("home"))
    await cache.put(question("tips to bake good bread at work"), reply("work"))
    assert (await cache.get(question("tips to bake good bread at work")) or reply()).text == "work"


async def test_questions_beyond_the_bound_are_forgotten() -> None:
    cache = reusing(max_questions=2)
    for text in ("bake good bread", "walk the old dog", "sail a small boat"):
        await cache.put(question(text), reply(text))
    assert await cache.get(question("bake good bread!")) is None
    assert await cache.get(question("sail a small boat!")) is not None


def test_semantic_reuse_is_off_unless_it_is_asked_for() -> None:
    assert CachingSettings().llm_semantic_reuse is None
    assert isinstance(response_cache(Settings()), MemoryCache)
    assert isinstance(response_cache(Settings().having(CachingSettings(llm_semantic_reuse=0.95))), SemanticReuse)
    assert isinstance(
        response_cache(Settings().having(CachingSettings(llm_cache="off", llm_semantic_reuse=0.95))), NoCache
    )


def test_a_cache_in_postgres_needs_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="THREADS_POSTGRES_DSN"):
        response_cache(Settings(home=tmp_path).having(CachingSettings(llm_cache="postgres")))


def test_a_question_is_not_changed_by_asking_for_its_key() -> None:
    asked = question()
    assert dataclasses.replace(asked, variation="0/1").key != asked.key
