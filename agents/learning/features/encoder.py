"""The encoder: the first layers of MiniLM, which know English; each gives a vector of a text, the mean of its tokens.

all-MiniLM-L6-v2 (Wang et al. 2020; sentence-transformers, Apache-2.0) in NumPy, weights rounded to 8 bits. Its middle
layers tell more of what readers take than its last, which was trained to forget how a thing is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

ENCODER_FILE = Path(__file__).with_name("encoder.npz")
Vectors = NDArray[np.float32]

_HEADS = 12
_MOST_TOKENS = 96
_TEXTS_AT_ONCE = 64
_SMALL = np.float32(1e-12)
_GELU_SCALE, _GELU_CUBE = np.float32(0.7978845608), np.float32(0.044715)


class Encoder:
    """Turns texts into vectors of its first layers; layer 0 is the tokens' own vectors, without their neighbours."""

    def __init__(self, path: Path = ENCODER_FILE) -> None:
        with np.load(path) as file:
            tokenizer = bytes(file["tokenizer"]).decode()
            names = [name.removesuffix("|scale") for name in file.files if name.endswith("|scale")]
            self._weights = {name: file[name].astype(np.float32) * file[f"{name}|scale"] for name in names}
            self._weights |= {name: file[name] for name in file.files if name.startswith("plain|")}
        self._tokenizer = Tokenizer.from_str(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        self.layers = sum(name.endswith("|query") for name in names)
        self.dimensions = int(self._weights["tokens"].shape[1])

    def vectors(self, texts: Sequence[str], layers: int) -> Vectors:
        """Return the mean vectors of layers 0 to `layers`, shape (layers + 1, texts, dimensions)."""
        found = np.zeros((layers + 1, len(texts), self.dimensions), dtype=np.float32)
        alike: dict[int, list[int]] = defaultdict(list)
        encoded = self._tokenizer.encode_batch(list(texts))
        for number, each in enumerate(encoded):
            alike[len(each.ids)].append(number)
        for numbers in alike.values():
            for start in range(0, len(numbers), _TEXTS_AT_ONCE):
                some = numbers[start : start + _TEXTS_AT_ONCE]
                found[:, some] = self._means(np.array([encoded[number].ids for number in some]), layers)
        return found

    def _means(self, ids: NDArray[np.int64], layers: int) -> Vectors:
        """Return the means of texts of one length, ids of shape (texts, tokens)."""
        weights = self._weights
        hidden = weights["tokens"][ids] + weights["places"][: ids.shape[1]]
        hidden = self._normal(hidden, "plain|start")
        means = [hidden.mean(axis=1)]
        for layer in range(layers):
            hidden = self._layer(hidden, layer)
            means.append(hidden.mean(axis=1))
        return np.stack(means)

    def _layer(self, hidden: Vectors, layer: int) -> Vectors:
        texts, tokens, width = hidden.shape
        query, key, value = (
            self._linear(hidden, f"{layer}|{name}").reshape(texts, tokens, _HEADS, -1).transpose(0, 2, 1, 3)
            for name in ("query", "key", "value")
        )
        heed = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(width // _HEADS))
        heed = np.exp(heed - heed.max(axis=-1, keepdims=True))
        heed /= heed.sum(axis=-1, keepdims=True)
        seen = (heed @ value).transpose(0, 2, 1, 3).reshape(texts, tokens, width)
        hidden = self._normal(hidden + self._linear(seen, f"{layer}|out"), f"plain|{layer}|after heed")
        inner = self._linear(hidden, f"{layer}|wide")
        inner = 0.5 * inner * (1 + np.tanh(_GELU_SCALE * (inner + _GELU_CUBE * inner * inner * inner)))
        return self._normal(hidden + self._linear(inner, f"{layer}|narrow"), f"plain|{layer}|after inner")

    def _linear(self, hidden: Vectors, name: str) -> Vectors:
        flat = hidden.reshape(-1, hidden.shape[-1]) @ self._weights[name] + self._weights[f"plain|{name}"]
        return np.asarray(flat.reshape(*hidden.shape[:-1], -1), dtype=np.float32)

    def _normal(self, hidden: Vectors, name: str) -> Vectors:
        gain, shift = self._weights[name]
        centred = hidden - hidden.mean(axis=-1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + _SMALL)
        return np.asarray(centred / spread * gain + shift, dtype=np.float32)


@cache
def encoder() -> Encoder:
    """Return the shipped encoder, loaded once a process."""
    return Encoder()
