"""Spend rows: rows of savings and budget alerts, their values by column."""

from __future__ import annotations

from schemas.records import BudgetAlert, CostSaving
from sinks.postgres.upsert import Row
from streams.engine.batch import TopicPartition


def saving_row(record: CostSaving, source: TopicPartition, offset: int) -> Row:
    """Return the row of `savings`."""
    return {
        "event_id": record.event_id,
        "persona_id": record.persona_id,
        "request_id": record.request_id,
        "step": record.step,
        "measure": record.measure,
        "model": record.model,
        "prompt_tokens": record.prompt_tokens,
        "completion_tokens": record.completion_tokens,
        "saved_micros": record.saved_micros,
        "causation_id": record.causation_id,
        "occurred_at": record.occurred_at,
        "source_partition": source.partition,
        "source_offset": offset,
    }


def budget_alert_row(record: BudgetAlert, source: TopicPartition, offset: int) -> Row:
    """Return the row of `budget_alerts`."""
    return {
        "event_id": record.event_id,
        "persona_id": record.persona_id,
        "kind": record.kind,
        "period": record.period,
        "period_start": record.period_start,
        "spent_micros": record.spent_micros,
        "limit_micros": record.limit_micros,
        "occurred_at": record.occurred_at,
        "source_partition": source.partition,
        "source_offset": offset,
    }
