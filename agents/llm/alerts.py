"""The alerts of models: an account without credit, which no retry mends."""

from __future__ import annotations

from agents.llm.metrics import LLM_WAITS
from streams.alerting.alert import Alert, AlertGroup
from streams.settings import Settings


def groups(_settings: Settings) -> tuple[AlertGroup, ...]:
    """Return the alerts about models."""
    no_credit = Alert(
        "ModelNoCredit",
        "critical",
        "The provider's account has no credit",
        f'max by (model) ({LLM_WAITS.name}{{reason="no credit"}}) == 1',
        "The account for {{ $labels.model }} has no credit",
        "The provider refuses calls to {{ $labels.model }} until the account is topped up: requests wait.",
        hold="1m",
    )
    return (AlertGroup("models", (no_credit,)),)
