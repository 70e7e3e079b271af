"""The encoder: a text's vectors are its own, whatever texts are asked for with it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.learning.features.encoder import MOST_TOKENS, USED, encoder

TEXTS = ["He quit at 40.", "Should you quit?", "What she found under the floor of a house in Ohio", "He quit at 40!"]


@pytest.mark.parametrize(("layers", "vectors"), [(0, 1), (1, 2), (6, USED)])
def test_a_text_has_the_same_vectors_alone_and_among_others(layers: int, vectors: int) -> None:
    found = encoder().vectors(TEXTS, layers)
    assert found.shape == (vectors, len(TEXTS), encoder().dimensions)
    for number, text in enumerate(TEXTS):
        assert np.allclose(encoder().vectors([text], layers)[:, 0], found[:, number], atol=1e-4)


def test_the_last_vectors_are_of_the_layer_asked_for() -> None:
    found = {layers: encoder().vectors(TEXTS, layers) for layers in (5, 6)}
    assert np.allclose(found[6][-2], found[5][-1], atol=1e-5)
    assert not np.allclose(found[6][-1], found[5][-1], atol=1e-2)


def test_texts_that_mean_alike_are_nearer_than_texts_spelled_alike() -> None:
    bank, money, river = encoder().vectors(
        ["The bank lent him money", "He borrowed cash from a lender", "The bank of the river was muddy"], 6
    )[-1]
    centre = encoder().vectors(TEXTS, 6)[-1].mean(axis=0)

    def nearness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
        first, second = one - centre, other - centre
        return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))

    assert nearness(bank, money) > nearness(money, river)


def test_the_order_of_words_counts_in_layers_and_not_in_tokens() -> None:
    texts = ["dog bites man", "man bites dog"]
    one, other = encoder().vectors(texts, 3)[-1]
    assert np.abs(one - other).max() > 1e-2


def test_a_long_text_is_cut() -> None:
    long = encoder().vectors(["word " * MOST_TOKENS, "word " * (3 * MOST_TOKENS)], 1)
    assert np.allclose(long[:, 0], long[:, 1], atol=1e-5)


def test_no_texts_have_no_vectors() -> None:
    assert encoder().vectors([], 6).shape == (USED, 0, encoder().dimensions)
