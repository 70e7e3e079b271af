"""The log that the role `learning` reads, as its stages get it, and as a naive reader counts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from agents.learning.rewards.learn import LearnStage
from agents.learning.rewards.observe import DRAFTS, ObserveStage
from agents.learning.rewards.persona_rewards import AGES, HOUR_MS, SLOT_MS
from schemas.engagement import ENGAGING_KINDS
from schemas.records import DraftGenerated, EngagementEvent, HookArms, HookPartial, PostPublished
from streams.engine.batch import ColumnBatch, Row, RowBatch, TopicPartition
from tests.support.single_outputs import single

Event = DraftGenerated | PostPublished | EngagementEvent


def epoch_ms(moment: datetime) -> int:
    """Return milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)


def batch_of(
    source: TopicPartition, first_offset: int, records: Sequence[Event]
) -> RowBatch[DraftGenerated] | ColumnBatch:
    """Return records as the observe stage gets them: rows of drafts, columns of posts and engagement."""
    if source.topic == DRAFTS:
        drafts = [each for each in records if isinstance(each, DraftGenerated)]
        return RowBatch(source, [Row(first_offset + number, each) for number, each in enumerate(drafts)])
    rows = [
        {name: getattr(each, name) for name in each.__dataclass_fields__} | {"occurred_at": epoch_ms(each.occurred_at)}
        for each in records
    ]
    frame = pl.DataFrame(rows, infer_schema_length=None, schema_overrides={"draft_id": pl.String, "post_id": pl.String})
    return ColumnBatch(source, frame.with_columns(offset=pl.Series(range(first_offset, first_offset + len(records)))))


def naive(events: Sequence[Event]) -> dict[tuple[str, int], tuple[str, int, int]]:
    """Return style, views and engagements of each post and age, counted one by one."""
    styles = {e.draft_id: e.hook_choice.style for e in events if isinstance(e, DraftGenerated) and e.hook_choice}
    found = {}
    for each in events:
        if isinstance(each, PostPublished) and each.draft_id in styles:
            start = epoch_ms(each.occurred_at) // SLOT_MS * SLOT_MS
            of_post = [e for e in events if isinstance(e, EngagementEvent) and e.post_id == each.post_id]
            for hours in AGES:
                young = [e for e in of_post if epoch_ms(e.occurred_at) // SLOT_MS * SLOT_MS - start < hours * HOUR_MS]
                views = sum(e.count for e in young if e.kind == "view")
                engagements = sum(e.count for e in young if e.kind in ENGAGING_KINDS)
                found[each.post_id, hours] = (styles[each.draft_id], max(views, 0), max(engagements, 0))
    return found


async def replayed(logs: Mapping[str, Sequence[Event]], now_ms: int) -> dict[str, HookArms]:
    """Return the arms by persona that the stages make of whole topics, from nothing, in one piece."""
    observing, learning = ObserveStage(1, lambda: now_ms), LearnStage(lambda: now_ms)
    partials: list[HookPartial] = []
    for topic, records in logs.items():
        part = await observing.take(TopicPartition(topic, 0), ())
        await part.add(batch_of(TopicPartition(topic, 0), 0, records))
        partials += [each.record for each in single(part.flush().outputs) if isinstance(each.record, HookPartial)]
    source = TopicPartition("hooks.partials", 0)
    learner = await learning.take(source, ())
    await learner.add(RowBatch(source, [Row(number, each) for number, each in enumerate(partials)]))
    outputs = single(learner.flush().outputs)
    return {each.record.persona_id: each.record for each in outputs if isinstance(each.record, HookArms)}
