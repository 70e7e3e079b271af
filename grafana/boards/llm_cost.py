"""The dashboard "LLM cost": tokens and dollars by model and step, savings, budgets, and models that wait."""

from __future__ import annotations

from collections.abc import Iterator

from agents.llm.metrics import LLM_BREAKER_STATE, LLM_WAITS
from agents.spend.metrics import BUDGET_USED
from grafana import variables
from grafana.board import Board, Panel
from grafana.panels import Look, described, lines, rows, stacked_bars
from grafana.promql import or_none, per_minute, total
from grafana.sources import promql, sql
from sinks.prometheus.metrics import LLM_COST, LLM_TOKENS, LLM_UNPRICED_CALLS

MODEL, WAIT = ("model",), ("model", "reason")
NOT_CLOSED = {"A": "open", "B": "half-open"}


def _tokens() -> Iterator[Panel]:
    tokens = described(LLM_TOKENS, "Here a minute; kinds overlap, so they are not to be added up. All personas.")
    yield lines(
        Look("Tokens by model and kind", tokens, "cpm", 24, "costs"),
        [promql(per_minute(LLM_TOKENS, ("model", "kind")), "{{model}} {{kind}}")],
    )


def _dollars() -> Iterator[Panel]:
    spending = described(LLM_COST, "Here dollars a minute.")
    yield lines(
        Look("Spending by persona", spending, "currencyUSD", 12, "costs", of_persona=True),
        [promql(per_minute(LLM_COST, ("persona_id",)), "{{persona_id}}")],
    )
    yield lines(
        Look("Spending by model", spending, "currencyUSD", 12, "costs"),
        [promql(per_minute(LLM_COST, ("model",)), "{{model}}")],
    )
    steps = "Dollars of model calls an hour by step of a draft, from table costs; calls of unknown price are in no sum."
    yield stacked_bars(Look("Spending by step", steps, "currencyUSD", 12, "costs"), sql("cost_by_step", "time_series"))
    unpriced = described(LLM_UNPRICED_CALLS, "Lifetime counts.")
    yield lines(
        Look("Calls of unknown price", unpriced, "locale", 12, "costs"),
        [promql(or_none(total(LLM_UNPRICED_CALLS, MODEL), MODEL), "{{model}}")],
    )
    bill = (
        "Model calls of the time range by model and step, from table costs. cached tokens are among the prompt tokens, "
        "reasoning tokens among the completion tokens; unpriced calls: without a known price, in no sum of cost."
    )
    yield rows(
        Look("Bill by model and step", bill, "none", 24, "costs"),
        sql("cost_by_model_and_step"),
        {"cost": "currencyUSD", "cost a call": "currencyUSD", "mean latency": "ms"},
    )


def _savings() -> Iterator[Panel]:
    savings = (
        "What each measure has spared in the time range, from table savings. share of it = saved / the bill "
        "without all these measures; saving unknown: calls whose saving is unknown because a price is."
    )
    yield rows(
        Look("Savings by measure", savings, "none", 12, "costs"),
        sql("savings"),
        {"saved": "currencyUSD", "bill without": "currencyUSD", "share of it": "percentunit"},
    )
    alerts = (
        "The 50 latest of the time range from table budget_alerts: levels of a budget that spending has reached, "
        "resumes, and spikes, whose limit is the mean of the hours before."
    )
    money = dict.fromkeys(("spent", "limit"), "currencyUSD")
    yield rows(
        Look("Budget alerts", alerts, "none", 12, "costs"),
        sql("budget_alerts"),
        {"told": "dateTimeAsIso", "period from": "dateTimeAsIso", **money, "share of it": "percentunit"},
    )
    used = described(BUDGET_USED, "Levels: THREADS_BUDGET_WARN, _DOWNGRADE and _PAUSE.")
    everyone = f"max by (persona_id, period) ({BUDGET_USED.name})"  # * is no persona that could be chosen
    yield lines(
        Look("Share of budgets that is spent", used, "percentunit", 24, "costs"),
        [promql(everyone, "{{persona_id}} {{period}}")],
    )


def _models() -> Iterator[Panel]:
    breakers = described(LLM_BREAKER_STATE, "Here the number of workers in which it is not closed.")
    states = NOT_CLOSED.items()
    yield lines(
        Look("Breakers of models", breakers, "locale", 12, "requests"),
        [
            promql(or_none(total(LLM_BREAKER_STATE, MODEL, state=each), MODEL), f"{{{{model}}}} {each}", ref)
            for ref, each in states
        ],
    )
    waits = described(LLM_WAITS, "Here the number of workers that wait.")
    yield lines(
        Look("Why models wait", waits, "locale", 12, "requests"),
        [promql(or_none(total(LLM_WAITS, WAIT), WAIT), "{{model}} {{reason}}")],
    )


BOARD = Board(
    uid="llm-cost",
    title="LLM cost",
    description="Tokens and dollars by model and step, what measures spare of them, and how budgets stand.",
    variables=(variables.persona(),),
    rows={
        "Tokens": _tokens,
        "Dollars": _dollars,
        "Savings and budgets": _savings,
        "Models": _models,
    },
)
