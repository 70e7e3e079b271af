"""The slice consumer's own arithmetic: what may be committed is what was acknowledged, whatever holes a log has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.engine.app import RoleApp, make_app
from streams.engine.batch import Slice, TopicPartition, cut, weigh
from streams.kafka.cluster import Cluster
from streams.settings import Settings
from streams.transport.transport import MAX_SLICE_BYTES, SliceConsumer
from tests.support.loop_in_memory import Fetched

SOURCE = TopicPartition("engagement.events", 0)
PARTITION = TP(*SOURCE)


def raised(error: BaseException) -> None:
    raise error


@pytest.fixture
async def app(tmp_path: Path) -> RoleApp:
    return make_app("kpis", Cluster("127.0.0.1:1", Settings(home=tmp_path)), None, raised)


def with_own_thread(consumer: driver.Consumer) -> Iterator[driver.Consumer]:
    """Give a consumer that never connects, and close the event loop of its thread, which never runs."""
    consumer._committed_offset[PARTITION] = 3
    yield consumer
    consumer._thread.thread_loop.close()


@pytest.fixture
def consumer(app: RoleApp) -> Iterator[driver.Consumer]:
    assert isinstance(app.consumer, SliceConsumer)
    yield from with_own_thread(app.consumer)


@pytest.fixture
def stock_consumer(app: RoleApp) -> Iterator[driver.Consumer]:
    yield from with_own_thread(
        driver.Consumer(
            app.transport, callback=app.topics.on_message, on_partitions_revoked=None, on_partitions_assigned=None
        )
    )


class RebalancedMeanwhile(SliceConsumer):
    """A consumer to which a rebalance begins and ends while it waits for records."""

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's signature
        del timeout
        self.app.consumer_generation_id += 1
        return {PARTITION: [Fetched(7, b"value")]}, {PARTITION}

    async def seek_to_committed(self) -> dict[TP, int]:
        return {PARTITION: 3}


@pytest.fixture
def rebalanced(app: RoleApp) -> Iterator[driver.Consumer]:
    yield from with_own_thread(
        RebalancedMeanwhile(
            app.transport, callback=app.topics.on_message, on_partitions_revoked=None, on_partitions_assigned=None
        )
    )


def part(*offsets: int, after: int | None = None) -> Slice:
    records = [Fetched(offset, b"value") for offset in offsets]
    return Slice(SOURCE, records, after, weigh(records))


def committable(consumer: driver.Consumer) -> dict[TP, int]:
    found: dict[TP, int] = consumer._filter_committable_offsets(consumer._filter_tps_with_pending_acks())
    return found


async def _gap(consumer: driver.Consumer, read_offset: int, offset: int) -> None:
    """Do what Faust's consumer does when a message comes behind a hole of the log."""
    await consumer._add_gap(PARTITION, read_offset + 1, offset)


async def test_faust_itself_marks_the_record_behind_a_hole_as_done(stock_consumer: driver.Consumer) -> None:
    """Hold the defect that the transport works around: when it is mended, this fails and the comment can go."""
    stock = stock_consumer
    for offset in (3, 4, 5):
        stock._acked[PARTITION].append(offset)
    await _gap(stock, 5, 9)  # offsets 6 to 8 were taken by compaction; 9 has come and is not processed
    stock._acked[PARTITION].append(10)  # the one behind it was quicker
    assert stock._new_offset(PARTITION) == 11


async def test_a_hole_never_moves_the_commit_past_a_record_that_is_not_acknowledged(consumer: driver.Consumer) -> None:
    consumer.acknowledge(part(3, 4, 5))
    await _gap(consumer, 5, 9)
    assert committable(consumer) == {PARTITION: 6}
    consumer.acknowledge(part(9, 14, after=5))
    assert committable(consumer) == {PARTITION: 15}


def test_nothing_is_committed_before_the_first_acknowledgement(consumer: driver.Consumer) -> None:
    assert committable(consumer) == {}


def test_what_is_committed_already_is_not_committed_again(consumer: driver.Consumer) -> None:
    consumer.acknowledge(part(1, 2))
    assert committable(consumer) == {}


def test_a_commit_never_goes_back(consumer: driver.Consumer) -> None:
    consumer.acknowledge(part(3, 9))
    consumer.acknowledge(part(3, 4))
    assert committable(consumer) == {PARTITION: 10}


def test_fausts_own_acknowledgement_moves_nothing(consumer: driver.Consumer) -> None:
    message = ConsumerMessage(
        topic=SOURCE.topic, partition=0, offset=3, timestamp=0.0, timestamp_type=0, headers=[], key=None,
        value=part(3, 4), checksum=None, tp=PARTITION,
    )  # fmt: skip
    consumer.track_message(message)
    assert consumer.ack(message) is False
    assert committable(consumer) == {}


def test_an_acknowledged_slice_gives_its_bytes_back(consumer: driver.Consumer) -> None:
    slices = [part(3, 4), part(5)]
    for each in slices:
        consumer.budget.take(SOURCE, each.size_bytes)
    consumer.acknowledge(slices[0])
    consumer.discard(slices[1])
    assert consumer.budget.in_flight_bytes == 0


def test_slices_are_linked_across_fetches_and_holes(consumer: driver.Consumer) -> None:
    first = consumer._cut(PARTITION, [Fetched(3, b""), Fetched(7, b"")])
    second = consumer._cut(PARTITION, [Fetched(20, b"")])
    assert [(each.after, each.last_offset) for each in (*first, *second)] == [(None, 7), (7, 20)]


async def test_records_taken_while_a_rebalance_ended_are_fetched_again(rebalanced: driver.Consumer) -> None:
    assert [message async for message in rebalanced.getmany(1.0)] == []
    assert rebalanced._last_fetched == {}  # it went back to the committed offset: what comes next follows nothing
    assert rebalanced._read_offset[PARTITION] == 3


def test_one_fetch_is_cut_into_slices_that_fit(consumer: driver.Consumer) -> None:
    records = [Fetched(number, bytes(MAX_SLICE_BYTES // 3)) for number in range(5)]
    slices = consumer._cut(PARTITION, records)
    assert [each.records for each in slices] == [each.records for each in cut(SOURCE, records, None, MAX_SLICE_BYTES)]
    assert len(slices) > 1
