"""Money: what model calls cost, what was saved, and what budgets are left."""

from __future__ import annotations

from pydantic import BaseModel, Field

from agents.gateway.parameters import Found, Moment, PersonaParam, example, personas_shown
from agents.gateway.routing import router
from agents.gateway.state import TheCaller, TheGateway
from sinks.reports.costs import cost_object, savings_object

ROUTER = router("costs")


class CostSum(BaseModel):
    """Calls with their tokens and cost; a call without a known price is counted, not guessed."""

    calls: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost_micros: int
    cost_dollars: float
    unpriced_calls: int


class CostLine(CostSum):
    """What the calls of a persona to a model cost."""

    persona_id: str
    model: str


class Costs(BaseModel):
    """What `threads-agent costs --json` prints."""

    by_persona_and_model: list[CostLine]
    total: CostSum


class SavingSum(BaseModel):
    """What was spared; `unknown_calls` are in no sum of money, for a price is unknown."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    saved_micros: int
    unknown_calls: int
    share: float | None = Field(description="Of the bill that there would have been.")


class SavingLine(SavingSum):
    """What one measure spared."""

    measure: str


class Savings(BaseModel):
    """What `threads-agent costs --saved --json` prints."""

    by_measure: list[SavingLine]
    total: SavingSum
    bill_micros: int
    bill_unpriced_calls: int
    bill_without_micros: int


class BudgetUse(BaseModel):
    """What was spent of a limit since the start of its hour or day; no limit: null."""

    start: Moment
    spent_micros: int
    limit_micros: int | None
    spent_share: float | None


class BudgetTotal(BaseModel):
    """What was spent in this hour and today, and what that allows."""

    hour: BudgetUse
    day: BudgetUse
    unpriced_calls_today: int
    level: str = Field(description="free, warn, downgrade or pause.")
    until: Moment | None
    reason: str


class BudgetPersona(BudgetTotal):
    """A persona's budgets."""

    persona_id: str


class BudgetAlertShown(BaseModel):
    """Spending reached a level of its budget."""

    event_id: str
    occurred_at: Moment
    persona_id: str
    causation_id: str | None = None
    kind: str
    period: str
    period_start: Moment
    spent_micros: int
    limit_micros: int | None


class BudgetsShown(BaseModel):
    """What `threads-agent budgets --json` prints; who sees one tenant alone has no total of all."""

    total: BudgetTotal | None
    personas: list[BudgetPersona]
    alerts_today: list[BudgetAlertShown]


_SUM: Found = {
    "calls": 3,
    "prompt_tokens": 1_111,
    "cached_tokens": 50,
    "completion_tokens": 15,
    "reasoning_tokens": 0,
    "cost_micros": 97,
    "cost_dollars": 0.000097,
    "unpriced_calls": 1,
}
COSTS_EXAMPLE: Found = {
    "by_persona_and_model": [{"persona_id": "night-shift-nora", "model": "gpt-4o-mini", **_SUM}],
    "total": _SUM,
}
_SAVED: Found = {
    "calls": 2,
    "prompt_tokens": 800,
    "completion_tokens": 100,
    "saved_micros": 180,
    "unknown_calls": 0,
    "share": 0.65,
}
SAVINGS_EXAMPLE: Found = {
    "by_measure": [{"measure": "cache", **_SAVED}],
    "total": _SAVED,
    "bill_micros": 97,
    "bill_unpriced_calls": 1,
    "bill_without_micros": 277,
}
_USE: Found = {
    "start": "2026-11-22T09:00:00+00:00",
    "spent_micros": 97,
    "limit_micros": 500_000,
    "spent_share": 0.000194,
}
_TOTAL: Found = {
    "hour": _USE,
    "day": {**_USE, "start": "2026-11-22T00:00:00+00:00"},
    "unpriced_calls_today": 0,
    "level": "free",
    "until": None,
    "reason": "no budget is near its limit",
}
BUDGETS_EXAMPLE: Found = {
    "total": _TOTAL,
    "personas": [{"persona_id": "night-shift-nora", **_TOTAL}],
    "alerts_today": [],
}


@ROUTER.get("/v1/costs", summary="Show what model calls cost", responses=example(200, COSTS_EXAMPLE))
async def costs(gateway: TheGateway, caller: TheCaller, persona: PersonaParam = None) -> Costs:
    """By persona and model, and the total of what is shown."""
    *parts, total = await gateway.database.rows("costs", {"personas": personas_shown(gateway, caller, persona)})
    shown = {"by_persona_and_model": [cost_object(row) for row in parts], "total": cost_object(total)}
    return Costs.model_validate(shown)


@ROUTER.get("/v1/costs/saved", summary="Show what each measure has spared", responses=example(200, SAVINGS_EXAMPLE))
async def saved(gateway: TheGateway, caller: TheCaller, persona: PersonaParam = None) -> Savings:
    rows = await gateway.database.rows("savings", {"personas": personas_shown(gateway, caller, persona)})
    return Savings.model_validate(savings_object(rows))


@ROUTER.get(
    "/v1/budgets",
    summary="Show what was spent of the budgets in this hour and today",
    responses=example(200, BUDGETS_EXAMPLE),
)
async def budgets(gateway: TheGateway, caller: TheCaller) -> BudgetsShown:
    """Tell the level that gives, and today's alerts."""
    return BudgetsShown.model_validate(await gateway.budgets.shown_to(caller))
