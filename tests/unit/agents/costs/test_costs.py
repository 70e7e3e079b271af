from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.costs.prices import cost_micros, read_prices, sum_of_costs
from agents.generation.settings import GenerationSettings
from agents.generation.writing import model_problems
from agents.llm.answers.reply import Usage
from agents.llm.provider import EMBEDDED_MODEL
from streams.errors import SettingsError

TODAY = date(2026, 11, 23)


def test_a_known_call_costs_what_the_price_list_says() -> None:
    usage = Usage(prompt_tokens=1_200, cached_tokens=1_024, completion_tokens=80)
    # 176 * $2 + 1,024 * $.50 + 80 * $8 per million tokens = 352 + 512 + 640 micro-dollars
    assert cost_micros(usage, "gpt-4.1", read_prices(), on=TODAY) == 1_504


def test_half_a_micro_dollar_is_rounded_up_once() -> None:
    prices = read_prices()
    assert cost_micros(Usage(prompt_tokens=5), "gpt-6-luna", prices, on=TODAY) == 1  # .5 micro-dollars
    assert cost_micros(Usage(prompt_tokens=4), "gpt-6-luna", prices, on=TODAY) == 0  # .4
    assert (
        cost_micros(Usage(prompt_tokens=5, completion_tokens=1), "gpt-6-luna", prices, on=TODAY) == 1
    )  # .5 + .5, not 1 + 1


def test_an_unknown_model_has_no_cost_and_not_zero() -> None:
    assert cost_micros(Usage(prompt_tokens=5), "gpt-99", read_prices(), on=TODAY) is None
    assert sum_of_costs([3, None]) is None
    assert sum_of_costs([3, 4]) == 7
    assert sum_of_costs([]) == 0


def test_a_dated_snapshot_costs_what_its_family_costs() -> None:
    usage = Usage(prompt_tokens=10, completion_tokens=10)
    prices = read_prices()
    assert cost_micros(usage, "gpt-4.1-2025-04-14", prices, on=TODAY) == cost_micros(usage, "gpt-4.1", prices, on=TODAY)
    assert cost_micros(usage, "gpt-4.1-mini-2025-04-14", prices, on=TODAY) == cost_micros(
        usage, "gpt-4.1-mini", prices, on=TODAY
    )


def test_the_embedded_model_is_known_to_cost_nothing() -> None:
    assert (
        cost_micros(Usage(prompt_tokens=10**6, completion_tokens=10**6), EMBEDDED_MODEL, read_prices(), on=TODAY) == 0
    )


def test_the_default_models_have_a_price() -> None:
    prices = read_prices()
    assert prices.price_of(GenerationSettings.model_fields["hook_model"].default, TODAY) is not None
    assert prices.price_of(GenerationSettings.model_fields["body_model"].default, TODAY) is not None


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_cost_is_the_exact_price_within_half_a_micro_dollar(prompt: int, cached: int, completion: int) -> None:
    usage = Usage(prompt_tokens=prompt, cached_tokens=cached, completion_tokens=completion)
    cost = cost_micros(usage, "gpt-4o-mini", read_prices(), on=TODAY)
    used = min(cached, prompt)
    exact = (prompt - used) * Fraction(15, 100) + used * Fraction(75, 1000) + completion * Fraction(60, 100)
    assert cost is not None
    assert abs(cost - exact) <= Fraction(1, 2)


def test_a_batch_call_costs_the_stated_half() -> None:
    usage = Usage(prompt_tokens=1_200, cached_tokens=1_024, completion_tokens=80)
    assert cost_micros(usage, "gpt-4.1", read_prices(), on=TODAY, batch=True) == 1_504 // 2


def prices_in(tmp_path: Path, models: str, batch_share: str = "0.5") -> Path:
    path = tmp_path / "my prices.yaml"
    path.write_text(f"as_of: 2026-11-01\nsource: x\nbatch_share: '{batch_share}'\nmodels: {models}\n", encoding="utf-8")
    return path


def test_a_call_costs_what_the_price_of_its_day_was(tmp_path: Path) -> None:
    entries = (
        "{m: {prices: [{from: 2026-01-01, input: '1', output: '2'}, {from: 2026-06-01, input: '3', output: '4'}]}}"
    )
    prices = read_prices(prices_in(tmp_path, entries))
    usage = Usage(prompt_tokens=1_000_000)
    costs = [cost_micros(usage, "m", prices, on=date(*day)) for day in ((2025, 12, 31), (2026, 1, 1), (2026, 5, 31))]
    assert costs == [None, 1_000_000, 1_000_000]
    assert cost_micros(usage, "m", prices, on=date(2026, 6, 1)) == 3_000_000


def test_a_price_of_batches_that_is_stated_is_taken_as_it_is(tmp_path: Path) -> None:
    prices = read_prices(prices_in(tmp_path, "{m: {prices: [{input: '1', output: '2', batch_output: '1.5'}]}}"))
    price = prices.price_of("m", TODAY)
    assert price is not None
    assert (price.batch_input_micros, price.batch_cached_micros, price.batch_output_micros) == (
        500_000,
        500_000,
        1_500_000,
    )


def test_prices_out_of_order_are_refused(tmp_path: Path) -> None:
    entry = "{m: {prices: [{from: 2026-06-01, input: '1', output: '2'}, {from: 2026-01-01, input: '3', output: '4'}]}}"
    with pytest.raises(SettingsError, match="must rise"):
        read_prices(prices_in(tmp_path, entry))
    undated = "{m: {prices: [{from: 2026-06-01, input: '1', output: '2'}, {input: '3', output: '4'}]}}"
    with pytest.raises(SettingsError, match="only the first price may leave out"):
        read_prices(prices_in(tmp_path, undated))


def test_a_model_that_is_shut_down_is_told_with_the_day_and_what_to_do() -> None:
    (problem,) = model_problems(["gpt-3.5-turbo"], read_prices(), None, TODAY)
    assert problem.startswith("gpt-3.5-turbo was shut down on 2026-10-23: its calls will fail; choose another")


def test_a_shutdown_is_told_sixty_days_before_and_not_earlier() -> None:
    prices, shutdown = read_prices(), date(2027, 1, 14)
    (problem,) = model_problems(["gpt-4.1", "gpt-4.1"], prices, None, TODAY)
    assert problem.startswith("gpt-4.1 is shut down on 2027-01-14, in 52 days: choose another")
    assert len(model_problems(["gpt-4o"], prices, None, shutdown - timedelta(days=60))) == 1
    assert model_problems(["gpt-4o"], prices, None, shutdown - timedelta(days=61)) == []
    (last,) = model_problems(["gpt-4o-mini"], prices, None, shutdown - timedelta(days=1))
    assert ", in 1 day: " in last
    (over,) = model_problems(["gpt-4o-mini"], prices, None, shutdown)
    assert "was shut down" in over


def test_a_model_without_price_or_offer_is_told() -> None:
    problems = model_problems(["gpt-99", "gpt-6-luna"], read_prices(), frozenset({"gpt-6-luna"}), TODAY)
    assert [problem.split(":")[0] for problem in problems] == [
        "gpt-99 has no price in the price list of 2026-11-01",
        "gpt-99 is not among the 1 models that the provider offers",
    ]
    assert model_problems(["gpt-6-luna", "gpt-6.1-terra"], read_prices(), None, TODAY) == []


def test_a_price_file_with_mistakes_lists_them_all(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(
        "as_of: yesterday\nsource: x\nmodels: {m: {prices: [{input: '-1', output: free}]}}\n", encoding="utf-8"
    )
    with pytest.raises(SettingsError) as caught:
        read_prices(path)
    for part in ("as_of", "models.m.prices.0.input", "models.m.prices.0.output"):
        assert part in str(caught.value)
