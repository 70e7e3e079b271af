"""Spend rows: rows of savings and budget alerts, in the columns' order of the .sql files."""

from __future__ import annotations

from schemas.records import BudgetAlert, CostSaving
from streams.engine.batch import TopicPartition


def saving_row(record: CostSaving, source: TopicPartition, offset: int) -> tuple[object, ...]:
    """Return the row of `savings`."""
    return (
        record.event_id,
        record.persona_id,
        record.request_id,
        record.step,
        record.measure,
        record.model,
        record.prompt_tokens,
        record.completion_tokens,
        record.saved_micros,
        record.causation_id,
        record.occurred_at,
        source.partition,
        offset,
    )


def budget_alert_row(record: BudgetAlert, source: TopicPartition, offset: int) -> tuple[object, ...]:
    """Return the row of `budget_alerts`."""
    return (
        record.event_id,
        record.persona_id,
        record.kind,
        record.period,
        record.period_start,
        record.spent_micros,
        record.limit_micros,
        record.occurred_at,
        source.partition,
        offset,
    )
