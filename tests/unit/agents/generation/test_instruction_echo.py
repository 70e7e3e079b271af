"""Instruction echo: a model that repeats what it was told is found out, one that writes on the same things is not."""

from __future__ import annotations

import pytest

from agents.generation.asking.prompts import BODY_TASK, ECHO_WORDS, instruction_echo, rules
from tests.support.drafting import samples

NORA = samples()[0]


@pytest.mark.parametrize("line", [*rules(NORA, "en"), BODY_TASK])
def test_every_line_of_the_instructions_is_found_wherever_it_stands(line: str) -> None:
    if len(line.split()) >= ECHO_WORDS:
        assert instruction_echo(f"I napped. {line.upper()} Then I slept.", NORA, "en") is not None


def test_the_examples_of_all_personas_are_no_echo() -> None:
    for persona in samples():
        for example in persona.examples:
            text = f"{example.brief} {example.hook} {example.body}"
            assert instruction_echo(text, persona, persona.languages[0]) is None


def test_a_run_shorter_than_eight_words_is_no_echo() -> None:
    words = " ".join(BODY_TASK.split()[: ECHO_WORDS - 1])
    assert instruction_echo(f"{words} naps", NORA, "en") is None
