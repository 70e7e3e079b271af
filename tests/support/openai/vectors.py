"""Embeddings and moderations of the loopback API: similar texts get near vectors, marked texts are flagged."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import numpy as np

from tests.support.openai.completions import tokens_of

DIMENSIONS = 64
MARKER = "flag-this-text"
_FLAGGED = {
    "violence": (MARKER, "kill", "murder", "stab"),
    "self-harm": ("suicide",),
    "sexual": ("porn",),
    "harassment": ("worthless scum",),
}
_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
_WORD = re.compile(r"\w+")


def vector_of(text: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the unit vector of a text: the sum of vectors that follow from its words' hashes."""
    total = np.zeros(DIMENSIONS)
    for word in _WORD.findall(text.lower()) or [""]:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        total += np.random.default_rng(seed).standard_normal(DIMENSIONS)
    return (total / np.linalg.norm(total)).astype(np.float32)


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """Answer /v1/embeddings, in numbers or base64 as the request asks for."""
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    data = []
    for index, text in enumerate(texts):
        vector = vector_of(text)
        packed = body.get("encoding_format") == "base64"
        value = base64.b64encode(vector.astype("<f4").tobytes()).decode() if packed else vector.tolist()
        data.append({"object": "embedding", "index": index, "embedding": value})
    tokens = sum(tokens_of(text) for text in texts)
    return {
        "object": "list",
        "data": data,
        "model": body["model"],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def moderations(body: dict[str, Any]) -> dict[str, Any]:
    """Answer /v1/moderations: a result a text, flagged by a marker and a few words."""
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    return {"id": "modr-1", "model": "omni-moderation-latest", "results": [_moderation(text) for text in texts]}


def _moderation(text: str) -> dict[str, Any]:
    said = text.lower()
    hit = {name for name, words in _FLAGGED.items() if any(re.search(rf"\b{word}\b", said) for word in words)}
    return {
        "flagged": bool(hit),
        "categories": {name: name in hit for name in _CATEGORIES},
        "category_scores": {name: 0.97 if name in hit else 0.001 for name in _CATEGORIES},
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
