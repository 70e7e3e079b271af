"""The model's file: a line that says what it is, its checksum, and the arrays."""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from agents.learning.blocks import Centre, Scales
from agents.learning.features.encoder import ENCODER_FILE
from agents.learning.model import HookModel, Trained
from streams.errors import ThreadsError

SHIPPED = Path(__file__).with_name("hook_model.bin")
SHIPPED_FAST = Path(__file__).with_name("hook_model_fast.bin")
VERSION = 2
_KIND = "threads-agent hook model"


class BadModel(ThreadsError):
    """The model's file can't be used."""


def write_model(model: HookModel, path: Path) -> None:
    """Write a model's file, whole or not at all."""
    arrays = io.BytesIO()
    np.savez_compressed(
        arrays,
        weights=model.weights.astype(np.float16),
        style_mean=model.centre.style_mean,
        style_spread=model.centre.style_spread,
        vector_means=model.centre.vector_means.astype(np.float32),
        test_hashes=np.array(sorted(model.trained.test_hashes), dtype=np.int64),
    )
    content = arrays.getvalue()
    head = {
        "kind": _KIND,
        "version": VERSION,
        "sha256": hashlib.sha256(content).hexdigest(),
        "layers": model.layers,
        "scales": asdict(model.scales),
        "slope": model.slope,
        "tests": model.trained.tests,
        "pairs": model.trained.pairs,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(json.dumps(head).encode() + b"\n" + content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read_model(path: Path) -> HookModel:
    """Read a model's file.

    Raises:
        BadModel: there is none, it is damaged, or another version of this program wrote it.
    """
    try:
        first, _, content = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise BadModel(f"{path}: {error.strerror}; train one with `threads-agent learning train FILE`") from None
    head = _head_of(path, first)
    if head["version"] != VERSION:
        raise BadModel(f"{path}: version {head['version']}, this program reads {VERSION}; train it again")
    if head["sha256"] != hashlib.sha256(content).hexdigest():
        raise BadModel(f"{path}: damaged, its checksum is another; train it again or restore the file")
    with np.load(io.BytesIO(content)) as arrays:
        centre = Centre(arrays["style_mean"], arrays["style_spread"], arrays["vector_means"].astype(np.float64))
        trained = Trained(head["tests"], head["pairs"], frozenset(arrays["test_hashes"].tolist()))
        weights = arrays["weights"].astype(np.float64)
    return HookModel(head["layers"], Scales(**head["scales"]), centre, weights, head["slope"], trained)


def bytes_of(path: Path) -> int:
    """Return how many bytes a prediction needs: the model's file and the encoder's."""
    return path.stat().st_size + ENCODER_FILE.stat().st_size


def _head_of(path: Path, line: bytes) -> dict[str, Any]:
    try:
        head = json.loads(line)
    except ValueError:
        head = None
    if not isinstance(head, dict) or head.get("kind") != _KIND:
        raise BadModel(f"{path}: no hook model; train one with `threads-agent learning train FILE`")
    return head
