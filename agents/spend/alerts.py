"""The alerts of budgets: one for each level, at the shares that the levels have."""

from __future__ import annotations

from agents.costs.settings import CostSettings
from agents.spend.metrics import BUDGET_USED
from streams.alerting.alert import Alert, AlertGroup, Severity
from streams.settings import Settings


def groups(settings: Settings) -> tuple[AlertGroup, ...]:
    """Return an alert for each level; a worse one is for sooner."""
    costs = settings.of(CostSettings)
    alerts = (
        _alert("BudgetWarning", "info", float(costs.budget_warn), "It is told, and nothing else happens yet."),
        _alert("BudgetDowngrade", "warning", float(costs.budget_downgrade), "Cheaper models are taken."),
        _alert("BudgetPause", "critical", float(costs.budget_pause), "Generation pauses until the period ends."),
    )
    return (AlertGroup("budgets", alerts),)


def _alert(name: str, severity: Severity, share: float, consequence: str) -> Alert:
    return Alert(
        name,
        severity,
        f"{share:.6g} of a budget spent",
        f"max by ({', '.join(BUDGET_USED.labels)}) ({BUDGET_USED.name}) >= {share:.12g}",
        "{{ $value | humanizePercentage }} of the budget of {{ $labels.persona_id }} for the {{ $labels.period }} "
        "is spent",
        f"Spending has reached {share:.6g} of its limit (persona * is all together). {consequence}",
    )
