"""The answers within what a model said: behind thoughts with braces, among other JSON, and never slow to look for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.generation.asking.answers import MAX_CHARS, MAX_TEXTS, answers_in
from tests.support.json_values import json_values

GOOD = '{"answers": [{"body": "I nap."}]}'
NAP = (("I nap.",),)


@pytest.mark.parametrize(
    "content",
    [
        f'<think>Maybe {{"x": 1}} or {{a}}?</think>\n{GOOD}',
        f'<think>{{"answers": [{{"body": "A draft."}}]}}</think>{GOOD}',
        f'Thoughts without a beginning {{"x": 1}}</think>{GOOD}',
        f"<thinking>{{</thinking>```json\n{GOOD}\n```",
        f'<|channel|>analysis<|message|>{{"a": 1}}<|end|><|channel|>final<|message|>{GOOD}',
        f'{GOOD}\nI hope {{this}} helps: {{"note": 1}}',
        f'{{"note": "first"}} {GOOD}',
        f'{{"answers": [{{"body": "A draft."}}]}} Better: {GOOD}',
        f"{GOOD} {{",
        '<think>{"x": </think>{"answers": [{"body": "I nap."',
        '{"answers": [{"body": "I nap.\\ud83d\\u0000"}]}',
    ],
)
def test_the_answer_is_found_among_thoughts_and_talk(content: str) -> None:
    assert answers_in(content, "body", 1) == NAP


def test_a_text_that_speaks_of_thoughts_is_read_whole() -> None:
    assert answers_in('{"answers": [{"body": "a </think> b {c}"}]}', "body", 1) == (("a </think> b {c}",),)


def test_thoughts_that_never_end_are_no_answer() -> None:
    assert answers_in('<think>I could say {"answers": [{"body": "no', "body", 1) == ((),)


def test_texts_are_cut_and_counted() -> None:
    content = json.dumps({"answers": [{"body": ["x" * 100_000] * 1_000}]})
    (texts,) = answers_in(content, "body", 1)
    assert len(texts) <= MAX_TEXTS
    assert all(len(text) == MAX_CHARS for text in texts)


UNITS = ("{", '{"a":', '{"k":\'', "[", '{"answers":[', "\\", '{"a": 1} ', "<think>", "</think>{", '{"answers": 1} ')


@pytest.mark.timeout(30)  # a quadratic search of a megabyte takes hours
@pytest.mark.parametrize("unit", UNITS)
def test_nonsense_of_a_megabyte_is_looked_through_in_no_time(unit: str) -> None:
    assert answers_in(unit * (1_000_000 // len(unit)), "body", 1) == ((),)


@given(st.one_of(st.text(max_size=300), json_values().map(json.dumps)), st.text(max_size=50))
def test_whatever_is_said_its_texts_can_be_written_down(content: str, before: str) -> None:
    for texts in (*answers_in(before + content, "body", 2), *answers_in(before + content, "text", 2)):
        "".join(texts).encode()
