"""Embeddings and moderations as a provider answers them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.llm.answers.loose_answer import ErrorAnswered, clean_name, clean_text
from agents.llm.answers.reply import Reply, Usage, usage_of
from agents.llm.faults.faults import NoAnswer

GREATEST = 1e6  # number of a vector; they are about 1, and their squares must add up


@dataclass(frozen=True, slots=True)
class Embeddings:
    """A row a text: float32, shape (texts, dimensions), as the provider scales them; the model as it names it."""

    vectors: NDArray[np.float32]
    model: str
    usage: Usage


def embeddings_of(answer: Mapping[object, object], texts: int, model: str) -> Embeddings:
    """Return the vectors in the order of the texts, from numbers or from base64 of little-endian float32.

    Raises:
        ErrorAnswered: the answer is an error.
        NoAnswer: it has not one vector of finite numbers for each text, all of one length; its usage is to be booked.
    """
    listed = answer.get("data")
    if answer.get("error") and not listed:
        raise ErrorAnswered(answer["error"])
    usage, billed_as = _usage_of(answer.get("usage")), clean_name(answer.get("model")) or model
    try:
        vectors = np.stack([_vector(each) for each in _in_order(listed, texts)])
    except (ValueError, TypeError, OverflowError) as error:
        said = f"expected {texts} embeddings of one length from {model}: {error}"
        raise NoAnswer(clean_text(said, 200), model, Reply("", billed_as, usage, 0)) from error
    return Embeddings(vectors, billed_as, usage)


def _in_order(listed: object, texts: int) -> list[object]:
    if not isinstance(listed, list):
        raise TypeError("the answer has no list of them")
    entries = [each for each in listed if isinstance(each, Mapping)]
    if len(entries) != texts:
        raise ValueError(f"got {len(entries)}")
    indices = [each.get("index") for each in entries]
    if all(index is None for index in indices):
        return [each.get("embedding") for each in entries]
    if sorted(index for index in indices if isinstance(index, int)) != list(range(texts)):
        raise ValueError("got others, by their places")
    by_place = {each["index"]: each.get("embedding") for each in entries}
    return [by_place[place] for place in range(texts)]


def _vector(said: object) -> NDArray[np.float32]:
    if isinstance(said, str):
        vector = np.frombuffer(base64.b64decode(said, validate=True), dtype="<f4").astype(np.float32)
    elif isinstance(said, list) and not any(isinstance(each, bool | str | None) for each in said):
        vector = np.array(said, dtype=np.float32)
    else:
        raise TypeError("one is no vector")
    if vector.ndim != 1 or not vector.size or not (np.abs(vector) <= GREATEST).all():  # NaN is not, either
        raise ValueError("one is no vector of numbers that can be compared")
    return vector


def _usage_of(reported: object) -> Usage:
    """Return what a call used: an embedding has a prompt alone."""
    used = usage_of(reported)
    return Usage(used.prompt_tokens, is_unknown=used.prompt_tokens == 0)


def joined(parts: Sequence[Embeddings], model: str) -> Embeddings:
    """Return the answers of several calls as one."""
    if not parts:
        return Embeddings(np.empty((0, 0), dtype=np.float32), model, Usage())
    tokens, is_unknown = sum(each.usage.prompt_tokens for each in parts), any(each.usage.is_unknown for each in parts)
    vectors = np.concatenate([each.vectors for each in parts])
    return Embeddings(vectors, parts[0].model, Usage(prompt_tokens=tokens, is_unknown=is_unknown))


@dataclass(frozen=True, slots=True)
class Moderation:
    """Whether a text is flagged, and the categories that it falls under, by name."""

    flagged: bool
    categories: tuple[str, ...]


def moderations_of(answer: Mapping[object, object], texts: int) -> list[Moderation]:
    """Return one result a text, in their order.

    Raises:
        ErrorAnswered: the answer is an error.
        ValueError: the answer has another number of results.
        TypeError: a result does not say whether it flags.
    """
    listed = answer.get("results")
    if answer.get("error") and not listed:
        raise ErrorAnswered(answer["error"])
    results = listed if isinstance(listed, list) else []
    if len(results) != texts:
        raise ValueError(f"expected {texts} results, got {len(results)}")
    return [_moderation(each) for each in results]


def _moderation(result: object) -> Moderation:
    """Read a result whatever the server said: an unclear answer must not pass for harmless."""
    flagged = result.get("flagged") if isinstance(result, Mapping) else None
    if not isinstance(result, Mapping) or not isinstance(flagged, bool):
        raise TypeError(f"expected flagged to be true or false, got {type(flagged).__name__}")
    categories = result.get("categories")
    hit = categories.items() if isinstance(categories, Mapping) else ()
    return Moderation(flagged, tuple(sorted(clean_name(name) for name, value in hit if value is True)))
