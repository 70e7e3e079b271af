"""The model's file: the same model again, or one line that says what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.learning.blocks import Centre, Scales
from agents.learning.features.ngrams import PLACES
from agents.learning.features.style import STYLE
from agents.learning.model import HookModel, Trained
from agents.learning.model_file import BadModel, bytes_of, read_model, write_model


@pytest.fixture
def model() -> HookModel:
    weights = np.zeros(2 * PLACES + len(STYLE) + 4)
    weights[[5, PLACES + 7, -1]] = 0.5, -0.25, 2.0
    centre = Centre(np.arange(len(STYLE), dtype=np.float64), np.ones(len(STYLE)), np.full((1, 4), 0.5))
    return HookModel(0, Scales(), centre, weights, 6.5, Trained(3, 9, frozenset({1, 2**62})))


def test_a_model_is_read_as_it_was_written(model: HookModel, tmp_path: Path) -> None:
    file = tmp_path / "home" / "learning" / "hook_model.bin"
    write_model(model, file)
    found = read_model(file)
    assert np.array_equal(found.weights, model.weights)
    assert np.array_equal(found.centre.style_mean, model.centre.style_mean)
    assert np.array_equal(found.centre.vector_means, model.centre.vector_means)
    assert replace(found, weights=model.weights, centre=model.centre) == model
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert bytes_of(file) > file.stat().st_size


def test_the_same_model_is_the_same_bytes(model: HookModel, tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_model(model, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_a_file_cut_short_is_refused(model: HookModel, tmp_path: Path, kept: float) -> None:
    file = tmp_path / "model"
    write_model(model, file)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(BadModel, match=r"model: (damaged|no hook model)") as refused:
        read_model(file)
    assert "\n" not in str(refused.value)


def test_a_file_of_another_version_or_kind_is_refused(model: HookModel, tmp_path: Path) -> None:
    file = tmp_path / "model"
    write_model(model, file)
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"version": 2', b'"version": 9'))
    with pytest.raises(BadModel, match="version 9, this program reads 2; train it again"):
        read_model(file)
    file.write_bytes(b"\x00\xff" + content)
    with pytest.raises(BadModel, match="no hook model"):
        read_model(file)
    with pytest.raises(BadModel, match=r"nowhere: No such file or directory; train one with `threads-agent learning"):
        read_model(tmp_path / "nowhere")
