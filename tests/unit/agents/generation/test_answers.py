"""Answers of models: what is read from them, whatever form they have, and how one call is divided among drafts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.costs.prices import cost_micros, read_prices
from agents.generation.asking.answers import Answer, Answers, Thrift, answer_text, answered, answers_in, answers_schema
from agents.generation.asking.calls import calls_of, savings_of
from agents.llm.answers.reply import Reply, Usage, shares, usage_shares

AT = datetime(2026, 11, 22, tzinfo=UTC)
PRICES = read_prices()
CHEAP, STRONG = "gpt-4.1-mini", "gpt-4.1"


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('{"answers": [{"body": "I nap."}]}', (("I nap.",),)),
        ('```json\n{"answers": [{"body": " I nap. "}]}\n```', (("I nap.",),)),
        ('Sure! {"answers": [{"body": "I nap."}]}', (("I nap.",),)),
        ('{"answers": [{"body": "I nap."', (("I nap.",),)),  # cut off
        ('{"answers": [{"body": ["One.", "Two.", ""]}]}', (("One.", "Two."),)),
        ('{"answers": [{"hooks": ["One."]}]}', ((),)),
        ('{"answers": [{"body": 7}]}', ((),)),
        ('{"answers": "I nap."}', ((),)),
        ("}{ no json", ((),)),
        ("[1, 2]", ((),)),
        ("{" * 5_000, ((),)),
        ("", ((),)),
    ],
)
def test_texts_are_read_from_json_that_is_repaired_as_far_as_it_goes(
    content: str, texts: tuple[tuple[str, ...], ...]
) -> None:
    assert answers_in(content, "body", 1) == texts


def test_an_answer_too_few_is_empty_and_one_too_many_is_left_out() -> None:
    content = json.dumps({"answers": [{"body": "One."}, {"body": "Two."}]})
    assert answers_in(content, "body", 3) == (("One.",), ("Two.",), ())
    assert answers_in(content, "body", 1) == (("One.",),)


@given(st.text(max_size=200))
def test_nonsense_is_never_more_than_no_answer(content: str) -> None:
    assert len(answers_in(content, "body", 2)) == 2


def test_the_schema_asks_for_as_many_answers_as_there_are_briefs() -> None:
    schema = answers_schema("hooks", 4, 3)
    assert schema["required"] == ["answers"]
    found = json.loads(json.dumps(schema))["properties"]["answers"]
    assert (found["minItems"], found["items"]["properties"]["hooks"]["minItems"]) == (4, 3)


@given(whole=st.integers(0, 10**9), count=st.integers(1, 20))
def test_shares_add_up_to_the_whole_and_differ_by_one_at_most(whole: int, count: int) -> None:
    parts = shares(whole, count)
    assert (sum(parts), len(parts)) == (whole, count)
    assert max(parts) - min(parts) <= 1


@given(
    prompt=st.integers(0, 5_000),
    cached=st.integers(0, 5_000),
    completion=st.integers(0, 5_000),
    reasoning=st.integers(0, 5_000),
    count=st.integers(1, 20),
)
def test_usage_shares_add_up_and_keep_parts_within_their_whole(
    prompt: int, cached: int, completion: int, reasoning: int, count: int
) -> None:
    usage = Usage(prompt, min(cached, prompt), completion, min(reasoning, completion))
    parts = usage_shares(usage, count)
    assert sum(part.prompt_tokens for part in parts) == usage.prompt_tokens
    assert sum(part.cached_tokens for part in parts) == usage.cached_tokens
    assert sum(part.completion_tokens for part in parts) == usage.completion_tokens
    assert sum(part.reasoning_tokens for part in parts) == usage.reasoning_tokens
    assert all(part.cached_tokens <= part.prompt_tokens for part in parts)
    assert all(part.reasoning_tokens <= part.completion_tokens for part in parts)


def reply(usage: Usage, model: str = CHEAP) -> Reply:
    return Reply("", model, usage, 10)


@given(prompt=st.integers(0, 9_999), completion=st.integers(0, 9_999), count=st.integers(1, 9))
def test_the_costs_of_the_drafts_of_a_burst_add_up_to_the_cost_of_the_call(
    prompt: int, completion: int, count: int
) -> None:
    usage = Usage(prompt_tokens=prompt, completion_tokens=completion)
    calls = calls_of(answered(reply(usage), [("text",)] * count), "body", 0, AT, PRICES)
    assert sum(call.cost_micros or 0 for call in calls) == cost_micros(usage, CHEAP, PRICES, on=AT.date())


def test_an_unknown_price_stays_unknown_in_every_share() -> None:
    calls = calls_of(answered(reply(Usage(10, 0, 10), "nobody-s-model"), [("text",)] * 3), "body", 0, AT, PRICES)
    assert [call.cost_micros for call in calls] == [None] * 3


def test_a_remembered_answer_uses_and_costs_nothing_and_leaves_the_call_to_the_others() -> None:
    usage = Usage(prompt_tokens=1_000, completion_tokens=100)
    of = (Answer(("fresh",)), Answer(("kept",), cached=reply(usage)), Answer(("fresh",)))
    first, kept, last = calls_of(Answers(of, reply(Usage(301, 0, 41))), "body", 0, AT, PRICES)
    assert (kept.usage, kept.cost_micros, kept.from_cache) == (Usage(), 0, True)
    (saving,) = kept.savings
    assert (saving.measure, saving.prompt_tokens, saving.completion_tokens) == ("cache", 1_000, 100)
    assert saving.micros == cost_micros(usage, CHEAP, PRICES, on=AT.date())
    assert (first.usage, last.usage) == (Usage(151, 0, 21), Usage(150, 0, 20))
    assert not first.from_cache


def test_an_answer_is_kept_in_the_form_in_which_it_is_read() -> None:
    assert answers_in(answer_text("hooks", ("One.", "Two.")), "hooks", 1) == (("One.", "Two."),)


def test_each_measure_spares_what_the_call_would_have_cost_more_without_it() -> None:
    usage = Usage(prompt_tokens=1_000, cached_tokens=400, completion_tokens=100)
    thrift = Thrift(template_tokens=300, burst_tokens=600, instead_of_model=STRONG)
    made = replace(answered(reply(usage), [("text",)] * 2), thrift=thrift)
    found = {each.measure: each for each in savings_of(made, reply(usage), PRICES, date(2026, 11, 22))}
    assert set(found) == {"tier", "template", "burst", "provider_cache"}
    # gpt-4.1 2.00/0.50/8.00 against gpt-4.1-mini 0.40/0.10/1.60, dollars a million tokens
    assert found["tier"].micros == (600 * 2 + 200 + 800) - (240 + 40 + 160)
    assert (found["template"].prompt_tokens, found["template"].micros) == (300, 120)
    assert (found["burst"].prompt_tokens, found["burst"].micros) == (600, 240)
    assert found["provider_cache"].micros == 400 * 4 // 10 - 40
