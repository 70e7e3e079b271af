"""Embeddings and moderations as servers answer them: read, or told as no answer, and never anything else."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm.answers.loose_answer import ErrorAnswered
from agents.llm.faults.faults import NoAnswer
from agents.llm.vectors_and_moderations import embeddings_of, moderations_of
from tests.support.json_values import json_values

VECTOR = [0.5, -0.5]
PACKED = base64.b64encode(np.array(VECTOR, dtype="<f4").tobytes()).decode()


def entry(embedding: object, index: object = 0) -> dict[str, object]:
    return {"object": "embedding", "index": index, "embedding": embedding}


@pytest.mark.parametrize("embedding", [VECTOR, PACKED], ids=["numbers", "base64"])
def test_a_vector_is_read_from_numbers_and_from_base64(embedding: object) -> None:
    found = embeddings_of({"data": [entry(embedding)], "model": "m", "usage": {"prompt_tokens": 3}}, 1, "asked")
    assert found.vectors.tolist() == [VECTOR]
    assert (found.model, found.usage.prompt_tokens, found.usage.is_unknown) == ("m", 3, False)


def test_vectors_are_in_the_order_of_their_places() -> None:
    found = embeddings_of({"data": [entry([2.0], 1), entry([1.0], 0)]}, 2, "asked")
    assert found.vectors.tolist() == [[1.0], [2.0]]
    assert (found.model, found.usage.is_unknown) == ("asked", True)


def test_an_error_in_place_of_vectors_is_an_error() -> None:
    with pytest.raises(ErrorAnswered):
        embeddings_of({"error": {"code": 402}}, 1, "asked")
    with pytest.raises(ErrorAnswered):
        moderations_of({"error": {"code": 402}}, 1)


ENTRIES = st.lists(st.one_of(json_values(), st.builds(entry, json_values(), json_values())), max_size=3)


@given(data=st.one_of(json_values(), ENTRIES), usage=json_values(), model=json_values(), texts=st.integers(1, 3))
def test_any_answer_is_vectors_of_finite_numbers_or_none_with_its_usage(
    data: Any, usage: Any, model: Any, texts: int
) -> None:
    try:
        found = embeddings_of({"data": data, "usage": usage, "model": model}, texts, "asked")
    except NoAnswer as none:
        (str(none) + none.reply.model).encode()
        return
    assert found.vectors.shape[0] == texts
    assert np.isfinite(found.vectors).all()


@given(results=st.one_of(json_values(), st.lists(json_values(), min_size=1, max_size=1)))
def test_any_moderation_says_whether_it_flags_or_is_no_answer(results: Any) -> None:
    try:
        (found,) = moderations_of({"results": results}, 1)
    except (ValueError, TypeError):
        return
    assert isinstance(found.flagged, bool)


@pytest.mark.parametrize("categories", [None, [], {"violence": True, "\ud83d": True, "hate": None, "sexual": "yes"}])
def test_a_flag_is_a_flag_whatever_its_categories_are(categories: object) -> None:
    (found,) = moderations_of({"results": [{"flagged": True, "categories": categories}]}, 1)
    assert found.flagged
    assert all(name.encode() is not None for name in found.categories)
