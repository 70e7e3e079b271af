"""A language model as judge of hooks: both orders, its bill, its faults, and what it gains over the predictor."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from agents.costs.prices import read_prices
from agents.learning.commands import learning
from agents.learning.evaluation import evaluate
from agents.learning.judge_gain import gain_of, together
from agents.learning.llm_judge import Judged, LlmJudge
from agents.learning.training import train
from agents.llm.caller import CallLimits, ModelCaller
from agents.llm.client import LanguageModelClient
from agents.llm.provider import Provider
from streams.engine.retry import Backoff
from streams.errors import Unavailable
from tests.support.drawn_tests import draw_tests, write_tests
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai

MODEL = "gpt-4o-mini"
QUICK = CallLimits(backoff=Backoff(first_s=0.001, max_s=0.002))
PAIRS = [("word1 word2", "word3"), ("word3", "word1 word2"), ("a", "b c d")]


def longer_wins(_field: str, body: dict[str, Any]) -> object:
    """Answer as a judge that takes the longer hook, and leans towards what it reads first."""
    pairs = json.loads(body["messages"][1]["content"])["pairs"]
    return {"answers": [{"first_wins": 0.9 if len(each["first"]) > len(each["second"]) else 0.3} for each in pairs]}


async def judged(server: LoopbackOpenAI, pairs: list[tuple[str, str]]) -> Judged:
    async with loopback_openai(server) as running:
        provider = Provider(running.base_url, "sk-test", 4)
        async with LanguageModelClient(provider, timeout_s=5) as client:
            caller = ModelCaller(QUICK)
            return await LlmJudge(client, MODEL, read_prices(), lambda: date(2026, 11, 27), caller).judge(pairs)


async def test_a_pair_is_asked_in_both_orders_so_that_the_place_tells_nothing() -> None:
    server = LoopbackOpenAI(answer=longer_wins)
    found = await judged(server, PAIRS)
    first, second, third = found.first_wins.tolist()
    assert first == pytest.approx(1 - second)
    assert third == pytest.approx(1 - first)
    assert first > 0.5
    asked = [json.loads(body["messages"][1]["content"])["pairs"][0]["first"] for body in server.requests]
    assert sorted(asked) == ["word1 word2", "word3"]
    assert found.answered.all()


async def test_the_bill_is_what_the_provider_counts() -> None:
    server = LoopbackOpenAI(answer=longer_wins)
    found = await judged(server, PAIRS * 7)
    assert found.calls == 6
    assert (found.prompt_tokens, found.completion_tokens) == (server.prompt_tokens, server.completion_tokens)
    assert found.cost_micros is not None
    assert found.cost_micros > 0


async def test_answers_that_are_no_probability_are_no_answers() -> None:
    said: list[object] = ["yes", None, True, -0.5, 2, 0.8]
    pairs = [(f"first {number}", f"second {number}") for number in range(len(said))]
    server = LoopbackOpenAI(answer=lambda *_: {"answers": [{"first_wins": each} for each in said]})
    found = await judged(server, pairs)
    assert found.answered.tolist() == [False] * 5 + [True]
    assert found.first_wins.tolist()[:5] == [0.5] * 5
    assert found.first_wins[5] == pytest.approx(0.5), "it says .8 of whatever comes first"


async def test_a_short_answer_leaves_the_rest_without_one() -> None:
    found = await judged(LoopbackOpenAI(answer=lambda *_: {"answers": [{"first_wins": 0.9}]}), PAIRS)
    assert found.answered.tolist() == [True, False, False]


async def test_a_judge_that_is_away_says_so() -> None:
    server = LoopbackOpenAI(down={MODEL})
    with pytest.raises(Unavailable, match=MODEL):
        await judged(server, PAIRS)


async def test_the_gain_over_the_predictor_is_told_with_its_interval() -> None:
    """The judge knows the truth of the drawn tests, the predictor nothing."""
    drawn = draw_tests(3, tests=120)
    strength = dict(zip(drawn.tests.headlines, drawn.truth.tolist(), strict=True))

    def knows(_field: str, body: dict[str, Any]) -> object:
        pairs = json.loads(body["messages"][1]["content"])["pairs"]
        odds = [3 * (strength[each["first"]] - strength[each["second"]]) for each in pairs]
        return {"answers": [{"first_wins": float(1 / (1 + np.exp(-each)))} for each in odds]}

    evaluation = evaluate(drawn.tests, train(drawn.tests, 0))
    blind = replace(evaluation, first_wins=np.random.default_rng(0).uniform(0.2, 0.8, len(evaluation.compared)))
    async with (
        loopback_openai(LoopbackOpenAI(answer=knows)) as running,
        LanguageModelClient(Provider(running.base_url, "sk-test", 4), timeout_s=5) as client,
    ):
        judge = LlmJudge(client, MODEL, read_prices(), lambda: date(2026, 11, 27))
        found = await gain_of(judge, drawn.tests, blind, sample=60, seed=1)
    assert found is not None
    assert found.judge.pairs == found.predictor.pairs == 60
    assert found.judge.accuracy is not None
    assert found.predictor.accuracy is not None
    assert found.judge.accuracy > 0.9 > found.predictor.accuracy
    low, high = found.gained_interval
    assert 0 < low < found.gained < high


def test_a_judge_that_knows_nothing_is_given_no_weight() -> None:
    drawn = draw_tests(5, tests=150)
    evaluation = evaluate(drawn.tests, train(drawn.tests, 0))
    clear = evaluation.compared.significant
    pairs, predicted = evaluation.compared.only(clear), evaluation.first_wins[clear]
    noise = np.random.default_rng(0).uniform(0.02, 0.98, len(pairs))
    both, truth = together(predicted, noise, pairs), pairs.z > 0
    right = [float(((each > 0.5) == truth).mean()) for each in (predicted, both)]
    assert right[1] == pytest.approx(right[0], abs=0.05)


def test_the_commands_ask_it_and_tell_the_bill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def commands() -> tuple[dict[str, Any], dict[str, Any], str]:
        async with loopback_openai(LoopbackOpenAI(answer=longer_wins)) as running:
            monkeypatch.setenv("OPENAI_BASE_URL", running.base_url)
            monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
            hooks = ["short", "a longer one", "the longest of all three"]
            predicted = await asyncio.to_thread(run, "predict", *hooks, "--judge", MODEL, "--json")
            file = str(write_tests(draw_tests(tests=80), tmp_path / "tests.csv"))
            fast = ["--model", "fast", "--judge", MODEL, "--sample", "20"]
            told = await asyncio.to_thread(run, "evaluate", file, *fast, "--json")
            table = await asyncio.to_thread(run, "evaluate", file, *fast)
            return json.loads(predicted), json.loads(told), table

    predicted, told, table = asyncio.run(commands())
    assert predicted["best"] == "the longest of all three"
    assert [each["hook"] for each in predicted["hooks"]][-1] == "short"
    assert told["judge"]["pairs"] == 20
    assert told["judge"]["calls"] == 4
    assert told["judge"]["cost_micros"] > 0
    assert "dollars" in table
    assert max(map(len, table.splitlines())) <= 80


def run(*arguments: str) -> str:
    found = CliRunner().invoke(learning, list(arguments), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout
