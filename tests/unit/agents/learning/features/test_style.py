"""Style: a number for each name, whatever the text."""

from __future__ import annotations

import numpy as np
import pytest

from agents.learning.features.style import STYLE, style_of


def test_names_stand_for_what_they_say() -> None:
    row = dict(zip(STYLE, style_of(["What you’re told isn't the BEST 3%? See..."])[0], strict=True))
    assert row["begins with a question word"] == 1
    assert (row["the reader"], row["denial"], row["superlatives"], row["digits"]) == (1, 1, 1, 1)
    assert (row["shouted words"], row["per cent"], row["question marks"]) == (1, 1, 1)
    assert (row["ends with dots"], row["ends with a question"]) == (1, 0)


@pytest.mark.parametrize("text", ["", "?!", "🙂", "Чому?", "one"])
def test_no_text_has_a_style_that_is_no_number(text: str) -> None:
    found = style_of([text])
    assert found.shape == (1, len(STYLE))
    assert np.isfinite(found).all()
    assert len(set(STYLE)) == len(STYLE)
