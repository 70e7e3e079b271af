from __future__ import annotations

import time
import unicodedata
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agents.guard.untrusted import as_data, instructions_in

TEXTS: dict[str, list[str]] = yaml.safe_load(
    Path(__file__).with_name("instruction_texts.yaml").read_text(encoding="utf-8")
)
MEGABYTE = 2**20
LIMIT = 600
TOKENS = ("<|im_start|>", "<|endoftext|>", "[INST]", "<<SYS>>", "</s>", "<start_of_turn>", "<｜User｜>")


def test_the_table_is_large_enough_to_measure() -> None:
    assert all(len(texts) == len(set(texts)) for texts in TEXTS.values())
    assert len(TEXTS["attacks"]) >= 40
    assert len(TEXTS["harmless"]) >= 40


@pytest.mark.parametrize(
    ("attacks", "harmless", "least_precision", "least_recall"),
    [("attacks", "harmless", 0.95, 0.85), ("held_out_attacks", "held_out_harmless", 0.85, 0.65)],
)
def test_instructions_are_told_from_talk(
    attacks: str, harmless: str, least_precision: float, least_recall: float
) -> None:
    missed = [text for text in TEXTS[attacks] if not instructions_in(text)]
    wrong = [(text, instructions_in(text)) for text in TEXTS[harmless] if instructions_in(text)]
    found = len(TEXTS[attacks]) - len(missed)
    precision, recall = found / (found + len(wrong)), found / len(TEXTS[attacks])
    listed = "\n".join([f"  missed: {text}" for text in missed] + [f"  wrong: {text} {why}" for text, why in wrong])
    print(f"{attacks}: precision {precision:.3f}, recall {recall:.3f}\n{listed}")  # noqa: T201 - shown with -s
    assert precision >= least_precision, listed
    assert recall >= least_recall, listed


def test_data_is_one_line_of_what_a_reader_sees_cut_between_words() -> None:
    assert as_data("  a\x00b\u200b\u202ec\r\n\td \ud800e\U000e0041 ", LIMIT) == "abc d e"
    assert as_data("one two three", 9) == "one two"
    assert as_data("one two three", 7) == "one two"
    assert as_data("onetwothree", 3) == "one"
    assert as_data("cafe\u0301", LIMIT) == "café"
    assert as_data("a" + "\u0301" * 50 + "b", LIMIT) == "á\u0301b"
    assert as_data("x", 0) == ""


@pytest.mark.parametrize("token", TOKENS)
def test_control_tokens_of_chat_templates_never_reach_a_model(token: str) -> None:
    assert as_data(f"a{token}b", LIMIT) == "a b"
    half = len(token) // 2
    assert token not in as_data(f"{token[:half]}{token}{token[half:]}", LIMIT)
    assert token not in as_data(f"{token[:half]}\u200b{token[half:]}", LIMIT)


@given(st.text(max_size=3_000), st.integers(0, LIMIT))
def test_any_text_becomes_encodable_data_within_its_limit(text: str, limit: int) -> None:
    data = as_data(text, limit)
    assert len(data) <= limit
    assert data == " ".join(data.split())
    assert unicodedata.is_normalized("NFC", data)
    data.encode()


@pytest.mark.parametrize(
    "unit",
    ["a", " ", "a ", "\u200b", "\u0301\u0327", "<|", "[INST]", "\n", "I g n o r e ", "й", "system: ", "\U000e0041"],
)
def test_a_megabyte_is_reduced_and_searched_in_linear_time(unit: str) -> None:
    text = (unit * MEGABYTE)[:MEGABYTE]
    started = time.process_time()
    assert len(as_data(text, LIMIT)) <= LIMIT
    instructions_in(text)
    assert time.process_time() - started < 2.0
