"""Topics: which there are, what stands in them, and how far the platform is behind them."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from agents.gateway.live.positions import MAX_TEXT, LogPosition, PositionFault, positions_of, positions_text
from agents.gateway.live.record_json import ReadRecord, json_bytes
from agents.gateway.live.scan import Look, Stop, headers_of
from agents.gateway.live.topic_list import TopicState
from agents.gateway.parameters import USUAL_ITEMS, Limit
from agents.gateway.problems import FieldProblem, Refused
from agents.gateway.routing import router
from agents.gateway.state import TheCaller, TheGateway
from agents.gateway.topics_seen import names_seen, require_topic, seen_by, topics_seen
from streams.kafka.consumer_lag import Lag
from streams.kafka.record_bytes import name_bytes

ROUTER = router("topics")
MAX_OFFSET = 2**63 - 2


class TopicModel(BaseModel):
    """A topic as it is now."""

    name: str = Field(examples=["kpi.updates"])
    partitions: int
    records: int = Field(description="Offsets that the log has; compaction may have taken some records.")
    retention_ms: int | None = Field(description="How long records are kept; null: for ever.")
    compacted: bool = Field(description="Whether the newest record of each key alone is kept.")
    key: str | None = Field(description="The field that is the key of records.", examples=["persona_id"])
    internal: bool
    description: str


class Topics(BaseModel):
    """All topics that the caller may look into."""

    items: list[TopicModel]


class HeaderModel(BaseModel):
    """A header of a record."""

    name: str
    value: str | None


class RecordModel(BaseModel):
    """A record: `value` where it can be decoded (null for a tombstone), else `error` and the value's `bytes`."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime | None
    key: str | None = Field(description=r"Text; bytes that are no UTF-8 stand as \xNN.")
    persona_id: str | None
    headers: list[HeaderModel]
    value: dict[str, Any] | None = None
    error: str | None = None
    bytes: str | None = Field(None, description="Base64.")


class Records(BaseModel):
    """What was found. `complete` says that all that was asked for was looked at; else `next_cursor` goes on."""

    items: list[RecordModel]
    complete: bool
    scanned: int = Field(description="Records that were looked at.")
    stopped: Stop | None = Field(description="Why it ended before all was looked at: the page is full, or a bound.")
    next_cursor: str | None


class LagModel(BaseModel):
    """How far a consumer group is in a partition."""

    group: str = Field(examples=["kpis"])
    topic: str
    partition: int
    committed: int | None = Field(description="Where it goes on; null: it has committed nothing, and lags by all.")
    end: int
    lag_records: int
    lag_s: float | None = Field(description="Seconds since the oldest record not consumed was appended.")


class Lags(BaseModel):
    """The lag of all groups of the platform."""

    items: list[LagModel]


@ROUTER.get("/v1/topics", summary="List the topics")
async def list_topics(gateway: TheGateway, caller: TheCaller) -> Topics:
    return Topics(items=[_topic_model(each) for each in await gateway.live.topics.states(topics_seen(caller))])


@ROUTER.get("/v1/lag", summary="Tell how far consumers are behind, in records and in seconds")
async def lag(gateway: TheGateway) -> Lags:
    return Lags(items=[_lag_model(each) for each in await gateway.live.lag.lags()])


class Part(BaseModel):
    """Which part of a topic is looked at."""

    partition: int | None = Field(None, ge=0, le=2**31 - 1, description="Of this partition alone.")
    offset: int | None = Field(
        None, ge=0, le=MAX_OFFSET, description="From this offset on (or back) in each partition."
    )
    since: datetime | None = Field(None, description="Appended at or after this moment; UTC where it has no offset.")
    until: datetime | None = Field(None, description="Appended before this moment.")
    key: str | None = Field(None, max_length=4_096, description="Of this key; its partition alone is looked at.")
    persona: str | None = Field(None, max_length=256, description="Of this persona.")
    contains: str | None = Field(
        None, min_length=1, max_length=1_024, description="With this text in key or value, whatever its case."
    )
    newest_first: bool = Field(default=False, description="From the end back.")
    limit: Limit = USUAL_ITEMS
    cursor: str | None = Field(None, max_length=MAX_TEXT, description="`next_cursor` of the look before.")


@ROUTER.get(
    "/v1/topics/{topic}/records",
    summary="Look into a topic",
    description="A look is bounded: after some 20,000 records, 32 MB or 2 s it stops and says so.",
    response_model=Records,
)
async def records(topic: str, gateway: TheGateway, caller: TheCaller, part: Annotated[Part, Query()]) -> Response:
    look = Look(
        require_topic(caller, topic),
        seen_by(gateway, caller),
        part.limit,
        partition=part.partition,
        offset=part.offset,
        since_ms=_milliseconds(part.since),
        until_ms=_milliseconds(part.until),
        key=None if part.key is None else name_bytes(part.key),
        persona_id=part.persona,
        contains=part.contains,
        newest_first=part.newest_first,
        shown=(shown := names_seen(gateway, caller)),
    )
    found = await gateway.live.scan.look(look, _resume(topic, part.cursor))
    answer = {
        "items": [_record_object(each) for each in found.records],
        "complete": found.goes_on is None,
        "scanned": found.scanned,
        "stopped": found.stopped,
        "next_cursor": None if found.goes_on is None else positions_text({topic: found.goes_on}),
    }
    content = json_bytes(answer)
    return Response(content if shown is None else shown(content.decode()), media_type="application/json")


def _topic_model(state: TopicState) -> TopicModel:
    topic = state.topic
    return TopicModel(
        name=topic.name,
        partitions=state.partitions,
        records=state.records,
        retention_ms=state.retention_ms,
        compacted=topic.compacted,
        key=topic.key,
        internal=topic.internal,
        description=state.description,
    )


def _lag_model(found: Lag) -> LagModel:
    return LagModel(
        group=found.group,
        topic=found.source.topic,
        partition=found.source.partition,
        committed=found.committed,
        end=found.end,
        lag_records=found.records,
        lag_s=found.seconds,
    )


def _record_object(record: ReadRecord) -> dict[str, Any]:
    return {**record.as_object(), "headers": headers_of(record)}


def _milliseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(int(aware.timestamp() * 1000), 0)


def _resume(topic: str, cursor: str | None) -> LogPosition | None:
    if cursor is None:
        return None
    try:
        return positions_of(cursor)[topic]
    except (PositionFault, KeyError) as fault:
        problem = FieldProblem(pointer="?cursor", detail="expected `next_cursor` of this topic, or no cursor")
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"?cursor: {problem.detail}", errors=[problem]) from fault
