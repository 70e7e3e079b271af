"""Making the encoder: a small drawn model of the published form comes out nearly the same, and smaller."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from agents.learning.features import make_encoder
from agents.learning.features.encoder import Encoder

WORDS = [f"{first}{last}" for first in "bcdfghjklm" for last in ("at", "et", "it", "ot")]
VOCABULARY = ["<s>", "</s>", "<unk>", "[unused0]", "the", *WORDS]
WIDTH, NEURONS = 24, 40


def _model(folder: Path) -> None:
    dice = np.random.default_rng(1)

    def drawn(*shape: int) -> NDArray[np.float32]:
        return np.asarray(dice.normal(size=shape) / np.sqrt(shape[-1]), dtype=np.float32)

    found = {
        "embeddings.word_embeddings.weight": drawn(len(VOCABULARY), WIDTH),
        "embeddings.position_embeddings.weight": drawn(130, WIDTH),
        "encoder.relative_attention_bias.weight": drawn(32, 12),
    }
    normals = ["embeddings.LayerNorm"]
    for layer in range(make_encoder.LAYERS):
        path = f"encoder.layer.{layer}."
        shapes = {f"attention.attn.{name}": (WIDTH, WIDTH) for name in "qkvo"}
        shapes |= {"intermediate.dense": (NEURONS, WIDTH), "output.dense": (WIDTH, NEURONS)}
        for name, shape in shapes.items():
            found[f"{path}{name}.weight"], found[f"{path}{name}.bias"] = drawn(*shape), drawn(shape[0])
        normals += [f"{path}attention.LayerNorm", f"{path}output.LayerNorm"]
    for name in normals:
        found[f"{name}.weight"], found[f"{name}.bias"] = np.ones(WIDTH, np.float32), drawn(WIDTH)
    save_file(found, folder / "model.safetensors")
    vocabulary = {word: number for number, word in enumerate(VOCABULARY)}
    tokenizer: dict[str, object] = {
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": ["</s>", 1],
            "cls": ["<s>", 0],
            "trim_offsets": True,
            "add_prefix_space": False,
        },
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
    }
    (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0", **tokenizer}))


def _headlines(count: int) -> list[str]:
    dice = np.random.default_rng(2)
    return [" ".join(dice.choice(WORDS, dice.integers(6, 12))) for _ in range(count)]


def _made(folder: Path, name: str) -> Path:
    make_encoder.make(folder, folder / "tests.csv", folder / name)
    return folder / name


def test_coarser_steps_and_fewer_neurons_change_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _model(tmp_path)
    texts = _headlines(400)
    rows = [f"{number // 2},{text},100,{number % 7}" for number, text in enumerate(texts)]
    (tmp_path / "tests.csv").write_text("\n".join(["test_id,headline,impressions,clicks", *rows]))
    monkeypatch.setattr(make_encoder, "TOKEN_COARSENESS", 0.05)
    for name, coarseness, neurons in (("exact", 0.02, NEURONS), ("rough", 0.3, NEURONS), ("less", 0.3, NEURONS // 2)):
        monkeypatch.setattr(make_encoder, "COARSENESS", coarseness)
        monkeypatch.setattr(make_encoder, "NEURONS", neurons)
        _made(tmp_path, f"{name}.npz")
    unseen = _headlines(500)[400:]
    exact, rough, less = (
        Encoder(tmp_path / f"{name}.npz").vectors(unseen, make_encoder.LAYERS)[-1]
        for name in ("exact", "rough", "less")
    )
    spread = np.square(exact - exact.mean(axis=0)).sum()
    assert 0 < np.square(rough - exact).sum() < 0.1 * spread
    assert np.square(rough - exact).sum() < np.square(less - exact).sum() < 0.6 * spread
    sizes = [(tmp_path / f"{name}.npz").stat().st_size for name in ("exact", "rough", "less")]
    assert sizes == sorted(sizes, reverse=True)


def test_weights_too_great_for_a_byte_are_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _model(tmp_path)
    rows = [f"{number // 2},{text},100,{number % 7}" for number, text in enumerate(_headlines(300))]
    (tmp_path / "tests.csv").write_text("\n".join(["test_id,headline,impressions,clicks", *rows]))
    monkeypatch.setattr(make_encoder, "NEURONS", NEURONS)
    found = []
    for coarseness in (0.01, 0.012):  # an outlier of four steps' mean square is over 300 steps
        monkeypatch.setattr(make_encoder, "COARSENESS", coarseness)
        with np.load(_made(tmp_path, "fine.npz")) as file:
            assert any(name.endswith("|far") for name in file.files)
        found.append(Encoder(tmp_path / "fine.npz").vectors(_headlines(20), 6)[-1])
    assert np.allclose(found[0], found[1], atol=0.05)
