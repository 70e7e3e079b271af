"""Fact rows: rows of personas, requests, KPI history and dead letters, their values by column."""

from __future__ import annotations

import base64
from datetime import datetime

from psycopg.types.json import Jsonb

from schemas.records import DeadLetter, KpiUpdate, PersonaApplied, PersonaRequest
from sinks.postgres.upsert import Row
from streams.engine.batch import TopicPartition

_MINUTE_PANES = frozenset({"1h", "24h"})


def persona_row(record: PersonaApplied, source: TopicPartition, offset: int) -> Row:
    """Return the row of `personas`."""
    return {
        "persona_id": record.persona_id,
        "version": record.version,
        "definition": record.definition,
        "applied_at": record.occurred_at,
        "source_partition": source.partition,
        "source_offset": offset,
    }


def request_row(record: PersonaRequest, source: TopicPartition, offset: int) -> Row:
    """Return the row of `requests`."""
    return {
        "event_id": record.event_id,
        "persona_id": record.persona_id,
        "brief": record.brief,
        "language": record.language,
        "draft_count": record.draft_count,
        "trend": record.trend,
        "deadline": record.deadline,
        "causation_id": record.causation_id,
        "occurred_at": record.occurred_at,
        "source_partition": source.partition,
        "source_offset": offset,
    }


def kpi_row(record: KpiUpdate, source: TopicPartition, offset: int) -> Row:
    """Return the row of `kpi_updates`."""
    return {
        "persona_id": record.persona_id,
        "window_name": record.window,
        "pane": kpi_pane(record.window, record.window_end),
        "event_id": record.event_id,
        "window_start": record.window_start,
        "as_of": record.window_end,
        "views": record.views,
        "likes": record.likes,
        "replies": record.replies,
        "reposts": record.reposts,
        "quotes": record.quotes,
        "shares": record.shares,
        "clicks": record.clicks,
        "follows": record.follows,
        "account_growth": record.account_growth,
        "posts": record.posts,
        "cost_micros": record.cost_micros,
        "unpriced_calls": record.unpriced_calls,
        "revenue_micros": record.revenue_micros,
        "one_off_revenue_micros": record.one_off_revenue_micros,
        "recurring_revenue_micros": record.recurring_revenue_micros,
        "late_events": record.late_events,
        "engagements": record.engagements,
        "engagement_rate": record.engagement_rate,
        "cost_per_follow_dollars": record.cost_per_follow_dollars,
        "cost_per_account_growth_dollars": record.cost_per_account_growth_dollars,
        "revenue_projection_monthly_micros": record.revenue_projection_monthly_micros,
        "viral_posts": record.viral_posts,
        "occurred_at": record.occurred_at,
        "source_partition": source.partition,
        "source_offset": offset,
    }


def kpi_pane(window: str, as_of: datetime) -> datetime:
    """Return the start of the pane whose latest update is kept: a minute for 1h and 24h, an hour for longer windows."""
    minute = as_of.replace(second=0, microsecond=0)
    return minute if window in _MINUTE_PANES else minute.replace(minute=0)


def dead_letter_row(record: DeadLetter, source: TopicPartition, offset: int) -> Row:
    """Return the row of `dead_letters`; NUL characters are replaced: a refused letter would make another."""
    headers = [
        {"name": _holdable(each.name), "value": None if each.value is None else base64.b64encode(each.value).decode()}
        for each in record.headers
    ]
    return {
        "event_id": _holdable(record.event_id),
        "occurred_at": record.occurred_at,
        "consumer": _holdable(record.consumer),
        "source_topic": _holdable(record.source_topic),
        "source_partition": record.source_partition,
        "source_offset": record.source_offset,
        "source_timestamp": record.source_timestamp,
        "record_key": record.key,
        "record_value": record.value,
        "headers": Jsonb(headers),
        "error_class": _holdable(record.error_class),
        "reason": _holdable(record.reason),
        "letter_partition": source.partition,
        "letter_offset": offset,
    }


def _holdable(text: str) -> str:
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
