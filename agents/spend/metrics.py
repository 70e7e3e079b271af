"""What the role spend tells of budgets, as they are now."""

from __future__ import annotations

from streams.metrics import Metric

BUDGET_USED = Metric(
    "budget_used_ratio",
    "gauge",
    ("persona_id", "period"),
    "Spent / limit of a budget in its hour or day; persona_id * is all personas together; absent without a limit.",
)

METRICS = (BUDGET_USED,)
