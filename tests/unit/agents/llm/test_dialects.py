"""Dialects: what a model refuses is left out or said otherwise, until nothing is left to give up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.llm.client import JsonSchema, Sampling, chat_body
from agents.llm.faults.dialects import FORM, Dialects
from agents.llm.faults.fault_table import SENT
from agents.llm.settings import CallSettings

SAMPLING = Sampling(max_tokens=40, temperature=0.5, seed=7)
SCHEMA = JsonSchema("hooks", {"type": "object", "properties": {"hooks": {"type": "string"}}})


def asked(model: str = "m") -> dict[str, Any]:
    return chat_body(model=model, system="Write.", user="{}", answer=SCHEMA, sampling=SAMPLING)


def test_what_no_model_refuses_is_sent_as_it_is() -> None:
    assert Dialects().shaped(asked()) == asked()


@pytest.mark.parametrize("name", ["temperature", "seed"])
def test_a_refused_parameter_is_left_out_for_its_model_alone(name: str) -> None:
    dialects = Dialects()
    assert dialects.learn(asked(), asked(), name)
    assert dialects.shaped(asked()) == {key: value for key, value in asked().items() if key != name}
    assert dialects.shaped(asked("other")) == asked("other")


def test_the_bound_of_an_answer_has_two_names_and_is_never_left_out_unasked() -> None:
    dialects = Dialects()
    assert dialects.learn(asked(), asked(), "max_completion_tokens")
    sent = dialects.shaped(asked())
    assert (sent["max_tokens"], "max_completion_tokens" in sent) == (40, False)
    assert not dialects.learn(sent, asked(), "max_tokens")


def test_the_form_of_an_answer_is_told_in_words_where_it_can_not_be_asked_for() -> None:
    dialects = Dialects()
    assert dialects.learn(asked(), asked(), "response_format")
    weaker = dialects.shaped(asked())
    assert weaker["response_format"] == {"type": "json_object"}
    assert FORM in weaker["messages"][0]["content"]
    assert '"hooks"' in weaker["messages"][0]["content"]
    assert dialects.learn(weaker, asked(), "response_format")
    weakest = dialects.shaped(asked())
    assert "response_format" not in weakest
    assert FORM in weakest["messages"][0]["content"]
    assert not dialects.learn(weakest, asked(), "response_format")


def test_a_call_that_was_under_way_when_a_refusal_came_is_asked_again_in_the_new_way() -> None:
    dialects = Dialects()
    sent = dialects.shaped(asked())
    assert dialects.learn(sent, asked(), "seed")
    assert dialects.learn(sent, asked(), "seed")


def test_what_the_settings_omit_is_sent_to_no_model() -> None:
    sent = Dialects(("temperature", "seed", "response_format", "max_tokens")).shaped(asked())
    assert sorted(sent) == ["messages", "model"]


def test_the_settings_name_what_is_omitted_with_commas_between() -> None:
    named: Any = "temperature, seed"
    assert CallSettings(llm_omit=named).llm_omit == ("temperature", "seed")
    assert CallSettings(llm_omit=None).llm_omit is None


@pytest.mark.parametrize("named", ["model", "temperature seed", "messages,seed"])
def test_what_no_call_can_do_without_can_not_be_omitted(named: Any) -> None:
    with pytest.raises(ValidationError, match="llm_omit"):
        CallSettings(llm_omit=named)


@given(st.lists(st.sampled_from((*SENT, "messages", "")), max_size=30))
def test_a_model_that_refuses_for_ever_is_soon_asked_no_more(refusals: list[str]) -> None:
    dialects, again = Dialects(), 0
    for name in refusals:
        again += dialects.learn(dialects.shaped(asked()), asked(), name)
    assert again <= 5
