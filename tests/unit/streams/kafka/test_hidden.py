"""Hidden keys: records of before are shown to nobody, those that came later are somebody else's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from schemas.catalogue import CATALOGUE, topic_named
from schemas.codec.rows import RowCodec
from schemas.records import PersonaErased
from schemas.registries.registry import open_registry
from streams.engine.batch import TopicPartition
from streams.kafka.hidden import NOTHING, Hidden, hidden_by_field, hidden_by_record_key
from streams.kafka.hidden_keys import HiddenKeys
from streams.kafka.topic_ids import TopicNow

ERASED = topic_named("personas.erased")
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AT_MS = round(AT.timestamp() * 1000)


@dataclass(frozen=True)
class Seen:
    key: bytes | None
    timestamp: int
    value: bytes | None = b"v"


def test_records_of_before_are_hidden_and_tombstones_and_later_ones_are_not() -> None:
    hidden = Hidden({b"ada": 100})
    records = [
        Seen(b"ada", 99),
        Seen(b"ada", 100),
        Seen(b"bob", 1),
        Seen(None, 1),
        Seen(b"ada", 1, value=None),
    ]
    assert list(hidden.shown("engagement.events", records)) == records[1:]
    assert hidden.shown("kpi.partials", records) is records  # nobody's
    assert hidden.shown("dead.letters", records) is records  # by a field, once it is decoded
    assert NOTHING.shown("engagement.events", records) is records
    others = [Seen(b"bob", 1)]
    assert hidden.shown("engagement.events", others) is others


def test_every_topic_that_names_a_persona_says_whose_its_records_are() -> None:
    exempt = {"personas.erased"}  # it says who is hidden
    named = {topic.name for topic in CATALOGUE if "persona_id" in topic.record.__dataclass_fields__} - exempt
    assert {topic.name for topic in CATALOGUE if topic.owned_by} == named | {"dead.letters"}
    assert all(hidden_by_record_key(name) or hidden_by_field(topic_named(name)) for name in named)


@dataclass
class Log:
    """The log of the erased, read as a reader does."""

    records: list[Seen] = field(default_factory=list)
    made: int = 0

    async def topics_now(self, names: Iterable[str]) -> Mapping[str, TopicNow]:
        return {name: TopicNow(f"id {self.made}", 1) for name in names}

    async def whole(self, sources: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        return {source: (0, len(self.records)) for source in sources}

    async def read(
        self, bounds: Mapping[TopicPartition, tuple[int, int]]
    ) -> AsyncGenerator[tuple[TopicPartition, Sequence[Seen]], None]:
        for source, (start, end) in bounds.items():
            yield source, self.records[start:end]

    def erase(self, persona_id: str, at: datetime = AT) -> None:
        told = PersonaErased(event_id="e", occurred_at=at, persona_id=persona_id, run_id="r", requested_by="me")
        value = RowCodec(open_registry(None)).encode(ERASED, told)
        self.records.append(Seen(persona_id.encode(), 0, value))


async def test_what_is_hidden_is_read_on_at_every_look_and_the_latest_time_counts() -> None:
    log, clock = Log(), [0.0]
    keys = HiddenKeys(lambda: open_registry(None), lambda: clock[0])
    assert await keys.look(log) is NOTHING
    log.erase("ada")
    assert await keys.look(log) is NOTHING  # the last look is young
    clock[0] = 2.0
    assert (await keys.look(log)).before_ms == {b"ada": AT_MS}
    log.erase("ada", AT.replace(hour=13))
    log.erase("ada", AT.replace(hour=11))  # told late
    log.records.append(Seen(b"bob", 0, b"garbage"))
    assert (await keys.look(log, max_age_s=0.0)).before_ms == {b"ada": AT_MS + 3_600_000}
    log.records.append(Seen(b"ada", 0, None))
    assert not (await keys.look(log, max_age_s=0.0)).before_ms


async def test_a_topic_that_was_made_again_is_read_from_its_beginning() -> None:
    log = Log()
    keys = HiddenKeys(lambda: open_registry(None))
    log.erase("ada")
    log.erase("bob")
    assert len((await keys.look(log, max_age_s=0.0)).before_ms) == 2
    log.records = [log.records[1]]
    assert set((await keys.look(log, max_age_s=0.0)).before_ms) == {b"bob"}
