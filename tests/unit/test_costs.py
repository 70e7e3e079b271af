from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.costs.cost import cost_micros, sum_of_costs
from agents.costs.prices import read_prices
from agents.llm.provider import EMBEDDED_MODEL
from agents.llm.reply import Usage
from streams.errors import SettingsError
from streams.settings import Settings


def test_a_known_call_costs_what_the_price_list_says() -> None:
    usage = Usage(prompt_tokens=1_200, cached_tokens=1_024, completion_tokens=80)
    # 176 * $2 + 1,024 * $.50 + 80 * $8 per million tokens = 352 + 512 + 640 micro-dollars
    assert cost_micros(usage, "gpt-4.1", read_prices()) == 1_504


def test_half_a_micro_dollar_is_rounded_up_once() -> None:
    prices = read_prices()
    assert cost_micros(Usage(prompt_tokens=5), "gpt-6-luna", prices) == 1  # .5 micro-dollars
    assert cost_micros(Usage(prompt_tokens=4), "gpt-6-luna", prices) == 0  # .4
    assert cost_micros(Usage(prompt_tokens=5, completion_tokens=1), "gpt-6-luna", prices) == 1  # .5 + .5, not 1 + 1


def test_an_unknown_model_has_no_cost_and_not_zero() -> None:
    assert cost_micros(Usage(prompt_tokens=5), "gpt-99", read_prices()) is None
    assert sum_of_costs([3, None]) is None
    assert sum_of_costs([3, 4]) == 7
    assert sum_of_costs([]) == 0


def test_a_dated_snapshot_costs_what_its_family_costs() -> None:
    usage = Usage(prompt_tokens=10, completion_tokens=10)
    prices = read_prices()
    assert cost_micros(usage, "gpt-4.1-2025-04-14", prices) == cost_micros(usage, "gpt-4.1", prices)
    assert cost_micros(usage, "gpt-4.1-mini-2025-04-14", prices) == cost_micros(usage, "gpt-4.1-mini", prices)


def test_the_embedded_model_is_known_to_cost_nothing() -> None:
    assert cost_micros(Usage(prompt_tokens=10**6, completion_tokens=10**6), EMBEDDED_MODEL, read_prices()) == 0


def test_the_default_models_have_a_price() -> None:
    prices = read_prices()
    assert prices.price_of(Settings.model_fields["hook_model"].default) is not None
    assert prices.price_of(Settings.model_fields["body_model"].default) is not None


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_cost_is_the_exact_price_within_half_a_micro_dollar(prompt: int, cached: int, completion: int) -> None:
    usage = Usage(prompt_tokens=prompt, cached_tokens=cached, completion_tokens=completion)
    cost = cost_micros(usage, "gpt-4o-mini", read_prices())
    used = min(cached, prompt)
    exact = (prompt - used) * Fraction(15, 100) + used * Fraction(75, 1000) + completion * Fraction(60, 100)
    assert cost is not None
    assert abs(cost - exact) <= Fraction(1, 2)


def test_a_price_file_with_mistakes_lists_them_all(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("as_of: yesterday\nsource: x\nmodels: {m: {input: '-1', output: free}}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_prices(path)
    for part in ("as_of", "models.m.input", "models.m.output"):
        assert part in str(caught.value)
