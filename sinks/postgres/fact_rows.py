"""Fact rows: rows of personas, requests, KPI history and dead letters, in the columns' order of the .sql files."""

from __future__ import annotations

import base64
from datetime import datetime

from psycopg.types.json import Jsonb

from schemas.records import DeadLetter, KpiUpdate, PersonaApplied, PersonaRequest
from streams.engine.batch import TopicPartition

_MINUTE_PANES = frozenset({"1h", "24h"})


def persona_row(record: PersonaApplied, source: TopicPartition, offset: int) -> tuple[object, ...]:
    """Return the row of `personas`."""
    return (record.persona_id, record.version, record.definition, record.occurred_at, source.partition, offset)


def request_row(record: PersonaRequest, source: TopicPartition, offset: int) -> tuple[object, ...]:
    """Return the row of `requests`."""
    return (
        record.event_id,
        record.persona_id,
        record.brief,
        record.language,
        record.draft_count,
        record.trend,
        record.deadline,
        record.causation_id,
        record.occurred_at,
        source.partition,
        offset,
    )


def kpi_row(record: KpiUpdate, source: TopicPartition, offset: int) -> tuple[object, ...]:
    """Return the row of `kpi_updates`."""
    return (
        record.persona_id,
        record.window,
        kpi_pane(record.window, record.window_end),
        record.event_id,
        record.window_start,
        record.window_end,
        record.views,
        record.likes,
        record.replies,
        record.reposts,
        record.quotes,
        record.shares,
        record.clicks,
        record.follows,
        record.account_growth,
        record.posts,
        record.cost_micros,
        record.unpriced_calls,
        record.revenue_micros,
        record.one_off_revenue_micros,
        record.recurring_revenue_micros,
        record.late_events,
        record.engagements,
        record.engagement_rate,
        record.cost_per_follow_dollars,
        record.cost_per_account_growth_dollars,
        record.revenue_projection_monthly_micros,
        record.viral_posts,
        record.occurred_at,
        source.partition,
        offset,
    )


def kpi_pane(window: str, as_of: datetime) -> datetime:
    """Return the start of the pane whose latest update is kept: a minute for 1h and 24h, an hour for longer windows."""
    minute = as_of.replace(second=0, microsecond=0)
    return minute if window in _MINUTE_PANES else minute.replace(minute=0)


def dead_letter_row(record: DeadLetter, source: TopicPartition, offset: int) -> tuple[object, ...]:
    """Return the row of `dead_letters`; NUL characters are replaced: a refused letter would make another."""
    headers = [
        {"name": _holdable(each.name), "value": None if each.value is None else base64.b64encode(each.value).decode()}
        for each in record.headers
    ]
    return (
        _holdable(record.event_id),
        record.occurred_at,
        _holdable(record.consumer),
        _holdable(record.source_topic),
        record.source_partition,
        record.source_offset,
        record.source_timestamp,
        record.key,
        record.value,
        Jsonb(headers),
        _holdable(record.error_class),
        _holdable(record.reason),
        source.partition,
        offset,
    )


def _holdable(text: str) -> str:
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
