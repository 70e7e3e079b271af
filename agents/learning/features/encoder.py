"""The encoder: the first layers of MPNet, which know English; each gives a vector of a text, the mean of its tokens.

all-mpnet-base-v2 (Song et al. 2020; sentence-transformers, Apache-2.0) in NumPy: coarsely rounded weights, part of the
neurons (make_encoder.py). Its middle layers tell more of what readers take than its last, which was trained to forget
how a thing is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

ENCODER_FILE = Path(__file__).with_name("encoder.npz")
MOST_TOKENS = 96
USED = 3
"""So many of the last layers tell what a text is."""
Vectors = NDArray[np.float32]
Weights = Mapping[str, Vectors]

_HEADS = 12
_TEXTS_AT_ONCE = 32
_SMALL = np.float32(1e-5)
_GELU_SCALE, _GELU_CUBE = np.float32(0.7978845608), np.float32(0.7978845608 * 0.044715)
_HALF = np.float32(0.5)
_NEAR, _FAR = 8, 128


class Encoder:
    """Turns texts into vectors of its layers; layer 0 is the tokens' own vectors, without their neighbours."""

    def __init__(self, path: Path = ENCODER_FILE) -> None:
        with np.load(path) as file:
            tokenizer = bytes(file["tokenizer"]).decode()
            names = [name.removesuffix("|scale") for name in file.files if name.endswith("|scale")]
            weights = {name: _opened(file, name) for name in names}
            weights |= {name: file[name].astype(np.float32) for name in file.files if name.startswith("plain|")}
        self._weights: Weights = weights
        self._tokenizer = tokenizer_of(tokenizer)
        self.layers = sum(name.endswith("|query") for name in names)
        self.dimensions = int(self._weights["tokens"].shape[1])

    def vectors(self, texts: Sequence[str], layers: int) -> Vectors:
        """Return the mean vectors of the last `USED` of the first layers, shape (USED, texts, dimensions).

        With 0 layers it is one, of the tokens' own vectors.
        """
        found = np.zeros((min(layers, USED - 1) + 1, len(texts), self.dimensions), dtype=np.float32)
        for numbers, ids in batches(self._tokenizer, texts):
            hidden = embedded(self._weights, ids)
            for layer in range(layers + 1):
                hidden = through(self._weights, layer - 1, hidden) if layer else hidden
                if layer > layers - len(found):
                    found[layer - layers - 1, numbers] = hidden.mean(axis=1)
        return found


def _opened(file: Mapping[str, NDArray[np.generic]], name: str) -> Vectors:
    """Return a matrix: codes of a byte, those that need more apart, times a step."""
    codes = file[name].astype(np.float32)
    if f"{name}|far" in file:
        places, values = file[f"{name}|far"].astype(np.int64)
        codes.flat[places] = values
    return np.asarray(codes * file[f"{name}|scale"].astype(np.float32), dtype=np.float32)


def tokenizer_of(text: str) -> Tokenizer:
    """Return the tokenizer that a JSON text describes, cutting long texts."""
    tokenizer = Tokenizer.from_str(text)
    tokenizer.no_padding()
    tokenizer.enable_truncation(MOST_TOKENS)
    return tokenizer


def batches(tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[tuple[list[int], NDArray[np.int64]]]:
    """Yield the numbers of some texts of one length, and their tokens, shape (texts, tokens): nothing is padded."""
    alike: dict[int, list[int]] = defaultdict(list)
    encoded = tokenizer.encode_batch(list(texts))
    for number, each in enumerate(encoded):
        alike[len(each.ids)].append(number)
    for numbers in alike.values():
        for start in range(0, len(numbers), _TEXTS_AT_ONCE):
            some = numbers[start : start + _TEXTS_AT_ONCE]
            yield some, np.array([encoded[number].ids for number in some])


def embedded(weights: Weights, ids: NDArray[np.int64]) -> Vectors:
    """Return layer 0 of texts of one length, shape (texts, tokens, dimensions)."""
    return normal(weights, "plain|start", weights["tokens"][ids] + weights["places"][: ids.shape[1]])


def through(weights: Weights, layer: int, hidden: Vectors) -> Vectors:
    """Return what a layer makes of the one before it."""
    seen = heeded(weights, layer, hidden)
    hidden = normal(weights, f"plain|{layer}|after heed", hidden + linear(weights, f"{layer}|out", seen))
    inner = neurons(weights, layer, hidden)
    return normal(weights, f"plain|{layer}|after inner", hidden + linear(weights, f"{layer}|narrow", inner))


def heeded(weights: Weights, layer: int, hidden: Vectors) -> Vectors:
    """Return what each token gathers from the others, before it is mixed in."""
    texts, tokens, width = hidden.shape
    query, key, value = (
        linear(weights, f"{layer}|{name}", hidden).reshape(texts, tokens, _HEADS, -1).transpose(0, 2, 1, 3)
        for name in ("query", "key", "value")
    )
    heed = query @ key.transpose(0, 1, 3, 2)
    heed /= np.float32(np.sqrt(width // _HEADS))
    heed += weights["plain|apart"][_steps_apart()[:tokens, :tokens]].transpose(2, 0, 1)
    heed -= heed.max(axis=-1, keepdims=True)
    np.exp(heed, out=heed)
    heed /= heed.sum(axis=-1, keepdims=True)
    return np.asarray((heed @ value).transpose(0, 2, 1, 3).reshape(texts, tokens, width), dtype=np.float32)


def neurons(weights: Weights, layer: int, hidden: Vectors) -> Vectors:
    """Return how strongly the neurons of a layer answer (GELU)."""
    inner = linear(weights, f"{layer}|wide", hidden)
    bent = inner * inner
    bent *= _GELU_CUBE
    bent += _GELU_SCALE
    bent *= inner
    np.tanh(bent, out=bent)
    bent += 1
    bent *= inner
    bent *= _HALF
    return bent


def linear(weights: Weights, name: str, hidden: Vectors) -> Vectors:
    """Return the vectors times a matrix, plus its shift."""
    flat = hidden.reshape(-1, hidden.shape[-1]) @ weights[name]
    flat += weights[f"plain|{name}"]
    return flat.reshape(*hidden.shape[:-1], -1)


def normal(weights: Weights, name: str, hidden: Vectors) -> Vectors:
    """Return the vectors at mean 0 and spread 1, scaled and shifted; what is given is overwritten."""
    gain, shift = weights[name]
    hidden -= hidden.mean(axis=-1, keepdims=True)
    hidden /= np.sqrt(np.einsum("tnw,tnw->tn", hidden, hidden) / np.float32(hidden.shape[-1]) + _SMALL)[..., None]
    hidden *= gain
    hidden += shift
    return hidden


@cache
def _steps_apart() -> NDArray[np.int64]:
    """Return the class of how far a token is before or after another: 8 near ones, 8 of growing width, each way."""
    places = np.arange(MOST_TOKENS)
    apart = places[:, None] - places
    far = np.abs(apart)
    wide = _NEAR + np.log(np.maximum(far, 1) / _NEAR) / np.log(_FAR / _NEAR) * _NEAR
    steps = np.where(far < _NEAR, far, np.minimum(wide.astype(np.int64), 2 * _NEAR - 1))
    return np.asarray(steps + np.where(apart < 0, 2 * _NEAR, 0), dtype=np.int64)


@cache
def encoder() -> Encoder:
    """Return the shipped encoder, loaded once a process."""
    return Encoder()
