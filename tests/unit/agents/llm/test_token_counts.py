"""Token counts of every vendor's convention come out in one, which the rules of cost events hold."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.costs.prices import cost_micros, read_prices
from agents.llm.answers.reply import MAX_TOKENS, Usage, token_count, usage_of, usage_shares
from schemas.record_rules import MAX_AMOUNT
from schemas.records import CostEvent
from streams.validation import validate
from tests.support.json_values import NUMBERS, TEXTS, json_values

AT = datetime(2026, 11, 26, tzinfo=UTC)
PRICES = read_prices()


def openai_s(prompt: int, completion: int, total: int, cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (openai_s(2_000, 300, 2_300, 1_024, 200), Usage(2_000, 1_024, 300, 200)),
        (openai_s(2_640, 182, 3_494, 473, 672), Usage(2_640, 473, 854, 672)),
        (openai_s(12, 40, 0, 2_495, 900), Usage(2_507, 2_495, 940, 900)),
        (
            {"prompt_tokens": 12, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2_495}},
            Usage(2_507, 2_495, 5),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 530}, Usage(10, 0, 520, 500)),
        (
            {
                "input_tokens": 12,
                "cache_read_input_tokens": 2_495,
                "cache_creation_input_tokens": 100,
                "output_tokens": 9,
            },
            Usage(2_607, 2_495, 9),
        ),
        ({"input_tokens": 3_000, "cache_read_input_tokens": 2_495, "output_tokens": 9}, Usage(5_495, 2_495, 9)),
        (
            {"prompt_tokens": 2_607, "completion_tokens": 9, "total_tokens": 2_616, "cache_read_input_tokens": 2_495},
            Usage(2_607, 2_495, 9),
        ),
        (
            {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 2_516, "cache_read_input_tokens": 2_495},
            Usage(2_507, 2_495, 9),
        ),
        (
            {"promptTokenCount": 50, "candidatesTokenCount": 20, "thoughtsTokenCount": 300, "totalTokenCount": 370},
            Usage(50, 0, 320, 300),
        ),
        ({"promptTokenCount": 50, "thoughtsTokenCount": 300, "totalTokenCount": 350}, Usage(50, 0, 300, 300)),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 7,
                "prompt_cache_hit_tokens": 64,
                "prompt_cache_miss_tokens": 36,
            },
            Usage(100, 64, 7),
        ),
        ({"completion_tokens": 7, "prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36}, Usage(100, 64, 7)),
        ({"prompt_tokens": 100, "completion_tokens": 7, "cached_tokens": 64}, Usage(100, 64, 7)),
        ({"inputTokens": 5, "outputTokens": 7, "cacheReadInputTokens": 50, "totalTokens": 62}, Usage(55, 50, 7)),
        ({"prompt_tokens": "7", "completion_tokens": 3.0}, Usage(7, 0, 3)),
    ],
    ids=[
        "OpenAI",
        "xAI",
        "both beside",
        "a gateway before Anthropic",
        "Gemini's compatible endpoint",
        "Anthropic",
        "Anthropic, few cached",
        "LiteLLM",
        "OpenRouter",
        "Gemini",
        "Gemini, thoughts alone",
        "DeepSeek",
        "DeepSeek without the sum",
        "Moonshot",
        "Bedrock",
        "texts and floats",
    ],
)
def test_a_report_is_read_by_its_vendor_s_convention(report: dict[str, Any], expected: Usage) -> None:
    found = usage_of(report)
    assert found == expected
    assert not found.is_unknown


@pytest.mark.parametrize(
    "report",
    [
        None,
        {},
        [],
        "many",
        7,
        {"prompt_tokens": 7},
        {"prompt_tokens": 7, "completion_tokens": None},
        {"total_tokens": 9},
        {"prompt_tokens": -7, "completion_tokens": 3},
        {"prompt_tokens": True, "completion_tokens": 3},
        {"prompt_tokens": 10**30, "completion_tokens": 3},
        {"prompt_tokens": "some", "completion_tokens": 3},
        {"prompt_tokens": 0, "completion_tokens": 0},
    ],
)
def test_a_report_that_leaves_out_a_count_costs_what_nobody_knows_and_never_nothing(report: object) -> None:
    usage = usage_of(report)
    assert usage.is_unknown
    assert cost_micros(usage, "gpt-4.1", PRICES, on=AT.date()) is None
    assert all(part.is_unknown for part in usage_shares(usage, 3))


def test_what_is_free_costs_nothing_however_many_tokens_it_was() -> None:
    assert cost_micros(usage_of(None), "SmolLM2-135M-Instruct.Q4_1", PRICES, on=AT.date()) == 0


WRITINGS: tuple[tuple[object, int | None], ...] = (
    *((7, 7), (0, 0), (7.0, 7), ("7", 7), (" 7.0 ", 7), (7.5, None), (-1, None), (True, None), (None, None)),
    *((float("nan"), None), (float("inf"), None), ("1e400", None), (MAX_TOKENS + 1, None), ([7], None), ("", None)),
)


@pytest.mark.parametrize(("said", "expected"), WRITINGS)
def test_a_count_is_a_whole_number_in_any_writing(said: object, expected: int | None) -> None:
    assert token_count(said) == expected


COUNTS = st.one_of(st.none(), NUMBERS, TEXTS, st.booleans(), st.integers(0, 10_000), json_values())
NAMES = st.sampled_from(
    (
        *("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens", "input_tokens"),
        *("output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "prompt_cache_hit_tokens"),
        *("prompt_cache_miss_tokens", "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"),
    )
)
DETAILS = st.dictionaries(NAMES, COUNTS, max_size=4)
REPORTS = st.one_of(
    json_values(),
    st.builds(
        lambda counts, sent, received: counts | {"prompt_tokens_details": sent, "completion_tokens_details": received},
        st.dictionaries(NAMES, COUNTS),
        st.one_of(DETAILS, COUNTS),
        st.one_of(DETAILS, COUNTS),
    ),
)


@given(report=REPORTS, model=st.sampled_from(("gpt-4.1", "nobody-s")), count=st.integers(1, 20))
def test_whatever_is_reported_each_share_of_it_is_a_cost_event_that_the_platform_takes(
    report: Any, model: str, count: int
) -> None:
    for part in usage_shares(usage_of(report), count):
        validate(
            CostEvent(
                event_id="e",
                occurred_at=AT,
                persona_id="p",
                step="hook",
                model=model,
                prompt_tokens=part.prompt_tokens,
                cached_tokens=part.cached_tokens,
                completion_tokens=part.completion_tokens,
                reasoning_tokens=part.reasoning_tokens,
                cost_micros=cost_micros(part, model, PRICES, on=date(2026, 11, 26)),
            )
        )
        assert max(part.prompt_tokens, part.completion_tokens) < MAX_AMOUNT
