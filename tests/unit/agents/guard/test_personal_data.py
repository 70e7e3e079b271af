from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agents.guard.personal_data import personal_data

TABLE: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_name("personal_data.yaml").read_text(encoding="utf-8"))
NOTHING = "nothing"
LABELLED = [(kind, text) for kind, texts in TABLE.items() for text in texts]


def test_the_table_has_texts_of_every_kind() -> None:
    assert len(LABELLED) == len({text for _, text in LABELLED}) >= 60
    assert len(TABLE[NOTHING]) >= 30


@pytest.mark.parametrize(("kind", "text"), LABELLED, ids=[text for _, text in LABELLED])
def test_personal_data_is_found_by_its_kind_and_nothing_else_is(kind: str, text: str) -> None:
    assert personal_data(text) == ([] if kind == NOTHING else [kind])


def test_a_wrong_check_digit_is_no_account_and_no_card() -> None:
    assert "IBAN" not in personal_data("DE88 3704 0044 0532 0130 00")
    assert "payment card" not in personal_data("4111 1111 1111 1112")
    assert "identity number" not in personal_data("12345678A")


@given(st.text(max_size=2_000))
def test_any_text_is_judged(text: str) -> None:
    assert len(personal_data(text)) == len(set(personal_data(text)))
