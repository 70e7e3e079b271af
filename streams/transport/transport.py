"""The micro-batch transport for Faust: one message a slice of a partition, with its own acknowledgement arithmetic.

Faust's own consumer makes a message, an event and sensor calls of every record (about 110 microseconds each) and
tracks acknowledgements as lists of offsets in which a hole of the log can mark an unprocessed record as done
(`Consumer._add_gap` takes the interval up to and including the record not yet processed). Here a message carries a
slice, and what may be committed is one number a partition: the offset behind the last slice acknowledged in order.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, TypeVar

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition as KafkaPartition
from faust.exceptions import ConsumerNotStarted
from faust.transport import drivers
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.engine.batch import FetchedRecord, Slice, TopicPartition, cut
from streams.kafka.fetch_by_id import ClientById
from streams.kafka.raw_results import RawResults
from streams.kafka.record_bytes import take_any_header_name
from streams.kafka.topic_ids import TopicNow
from streams.transport.assignment_logs import AssignmentLogs
from streams.transport.fetch_budget import FetchBudget
from streams.transport.log_lives import log_offset
from streams.transport.membership import Confirmation

MAX_SLICE_BYTES = 8 * 2**20
MEMBERSHIP_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 10.0  # a broker's, about its topics and groups
FETCH_WAIT_MS = 50  # a broker has one fetch at a time: while it waits for quiet partitions, busy ones wait with it
FULL_POLL_S = 0.02  # how often a full budget is looked at again

Answer = TypeVar("Answer")


class PartitionListener(Protocol):
    """Who is told of partitions that come and go; the consumer waits for it."""

    async def release(self) -> None:
        """Make everything durable while the partitions are still ours; the commit that follows covers it."""

    async def forget(self, renewed: set[TopicPartition]) -> None:
        """Forget what is known of partitions that are another log now; before `assign`."""

    async def assign(self, owned: set[TopicPartition], generation: int) -> None:
        """Take over an assignment, before the first slice of it."""


class SliceThread(driver.AIOKafkaConsumerThread):
    """The thread with the client, and its own event loop."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        client = super()._create_worker_consumer(transport)
        client._isolation_level = "read_committed"  # noqa: SLF001 - Faust asks for it only with its own transactions
        client._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001 - Faust's 1,500 ms can't be set
        return client

    async def on_start(self) -> None:
        take_any_header_name()
        await super().on_start()
        consumer = self._ensure_consumer()
        consumer._fetcher._records = RawResults()  # noqa: SLF001
        consumer._fetcher._client = ClientById(consumer._client, self.logs.topic_ids, self._tell_news)  # noqa: SLF001

    def _tell_news(self) -> None:
        self.consumer.loop.call_soon_threadsafe(self.consumer.topic_news.set)

    @cached_property
    def logs(self) -> AssignmentLogs:
        return AssignmentLogs(self._ensure_consumer())

    async def ask(self, question: Coroutine[Any, Any, Answer], within_s: float = ANSWER_TIMEOUT_S) -> Answer:
        """Await something of `logs` on this thread, at most so long.

        Raises:
            KafkaError: the broker refuses.
            TimeoutError: it does not answer.
        """
        async with asyncio.timeout(within_s):
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(question, self.thread_loop))

    async def seek_to_committed(self) -> Any:
        return await self.call_thread(self._rewound)

    async def _rewound(self) -> Any:
        """Seek to where each partition goes on: its commit, or the beginning of a log of which nothing is committed.

        aiokafka's own leaves such a partition where it is: what was fetched and thrown away would never come again.
        """
        return await self.logs.rewind()

    async def _commit(self, offsets: Any) -> bool:
        """Commit offsets, each with the log that it counts in."""
        self.tp_last_committed_at.update(dict.fromkeys(offsets, time.monotonic()))
        try:
            return await self.logs.commit(offsets)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the worker
            await self.crash(error)
            return False

    async def confirm(self, generation: int) -> bool:
        """Send a heartbeat for a generation of the group; False when it is over, or nobody answers."""
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001 - aiokafka has no public heartbeat
        if coordinator.generation != generation:
            return False
        alive: bool = await self.call_thread(coordinator._do_heartbeat)  # noqa: SLF001
        return alive and coordinator.generation == generation


class SliceConsumer(driver.Consumer):
    """A Faust consumer of slices.

    `budget` bounds what is in flight; the app's `listener` is told of partitions that come and go.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.budget = FetchBudget(self.app.inflight_max_bytes)
        self._last_fetched: dict[TP, int] = {}
        self._durable: dict[TP, int] = {}
        self._held: set[TP] = set()  # not fetched: nobody takes them for now
        self._reread: Counter[TP] = Counter()  # how often each was gone back with
        self._confirmed: Confirmation | None = None
        self.topic_news = asyncio.Event()  # a topic is not what it was: the watch looks at once

    def _new_consumer_thread(self) -> SliceThread:
        return SliceThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Fetch and yield one message a slice, in the order of each partition."""
        generation, reread = self.app.consumer_generation_id, self._reread.copy()
        records, active = await self._wait_next_records(timeout)
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            await self._seek_quietly()
            return
        cut_now = {tp: self._cut(tp, fetched) for tp, fetched in records.items() if fetched}
        slices = [part for tp, parts in cut_now.items() if self._reread[tp] == reread[tp] for part in parts]
        for part in slices:
            tp = TP(*part.source)
            if not self._may_hand_over(tp, active, generation):
                if self.flow_active:  # a rebalance has ended meanwhile: its seek came before these records were taken
                    await self._seek_quietly()
                return
            self.budget.take(part.source, part.size_bytes)
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, _message(tp, part, generation)

    def _cut(self, tp: TP, fetched: Sequence[FetchedRecord]) -> list[Slice]:
        after = self._last_fetched.get(tp)
        # even if it is not handed over: the receiver must see that it is missing
        self._last_fetched[tp] = fetched[-1].offset
        return cut(TopicPartition(*tp), fetched, after, MAX_SLICE_BYTES)

    def _may_hand_over(self, tp: TP, active: set[TP] | None, generation: int) -> bool:
        if not self.flow_active or self.app.consumer_generation_id != generation:
            return False
        return active is None or tp in active or tp in self._buffered_partitions

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        wanted = (active_partitions or set()) - self._held
        fetchable = self.budget.fetchable(TopicPartition(*tp) for tp in wanted)
        if not fetchable:
            await asyncio.sleep(FULL_POLL_S)
            return {}
        return await super()._getmany({tp for tp in wanted if TopicPartition(*tp) in fetchable}, timeout)

    async def _seek_quietly(self) -> None:
        try:
            await self.perform_seek()
        except Exception as error:  # noqa: BLE001 - the rebalance that stopped the flow seeks again when it ends
            self.log.warning("Seeking to the committed offsets failed, the rebalance repeats it: %r", error)

    async def perform_seek(self) -> None:
        """Seek to the committed offsets; what was handed over before is void."""
        self._last_fetched.clear()
        self.budget.forget_all()
        await super().perform_seek()

    def hold(self, source: TopicPartition) -> None:
        """Fetch nothing more of a partition, until it is read again or the group shares out its partitions anew."""
        self._held.add(TP(*source))

    async def read_again(self, source: TopicPartition) -> bool:
        """Go back to a partition's commit and fetch on from there; what was fetched before and comes later is void.

        Where the broker does not tell of the commit it stays held, and False is returned.
        """
        tp = TP(*source)
        if not await self._quietly(self._thread.logs.rewind({KafkaPartition(*source)})):
            return False
        self._reread[tp] += 1
        self._last_fetched.pop(tp, None)
        self._held.discard(tp)
        return True

    async def seek(self, partition: TP, offset: int) -> None:
        self._last_fetched.pop(partition, None)
        await super().seek(partition, offset)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        await self.app.listener.release()  # Faust waits for it too, but not while it stops
        await super().on_partitions_revoked(revoked)
        self._last_fetched.clear()
        self._durable.clear()
        self._held.clear()
        self._confirmed = None
        self.budget.forget_all()
        await self._quietly(self._thread.logs.prepare_join())

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        renewed = await self._quietly(self._thread.logs.look_up())
        await self.app.listener.forget(renewed or set())
        await self.app.listener.assign({TopicPartition(*tp) for tp in assigned}, generation_id)
        await super().on_partitions_assigned(assigned, generation_id)

    async def _quietly(self, question: Coroutine[Any, Any, Answer]) -> Answer | None:
        """Ask the thread in a rebalance, which goes on without an answer: the watch over topics repeats it."""
        try:
            answer: Answer = await self._thread.ask(question)
        except (KafkaError, TimeoutError) as error:
            self.log.warning("The broker does not tell of its topics: %r", error)
            return None
        return answer

    def log_id(self, source: TopicPartition) -> str | None:
        """Return which log a partition of the assignment is."""
        found: str | None = self._thread.logs.log_id(source)
        return found

    def difference(self, topic: str, now: TopicNow) -> str | None:
        found: str | None = self._thread.logs.difference(topic, now)
        return found

    async def topics_now(self, names: Iterable[str]) -> Mapping[str, TopicNow]:
        found: Mapping[str, TopicNow] = await self._thread.ask(self._thread.logs.topics_now(names))
        return found

    async def shared_out(self) -> set[TopicPartition] | None:
        found: set[TopicPartition] | None = await self._thread.ask(self._thread.logs.shared_out())
        return found

    async def rejoin(self) -> None:
        await self._thread.ask(self._thread.logs.rejoin())

    async def wait_empty(self) -> None:
        """Make everything durable that was folded and commit it: called before partitions go and at a stop."""
        await self.app.listener.release()
        await self.commit_and_end_transactions()

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002 - Faust's
        """Commit what is acknowledged by now.

        Faust's own returns without a commit when another was under way, which may know nothing of the last slices.
        """
        while await self.maybe_wait_for_commit_to_finish():
            pass
        return bool(await super().commit(topics, start_new_transaction))

    async def is_member(self, generation: int, max_age_s: float = 0.0) -> bool:
        """Ask the group's coordinator whether this worker still is a member, and in this generation.

        An answer no older than `max_age_s` is taken again.
        """
        question = Confirmation.asked_now(generation)
        if self._confirmed is not None and self._confirmed.holds(question, max_age_s):
            return True
        try:
            async with asyncio.timeout(MEMBERSHIP_TIMEOUT_S):
                alive = bool(await self._thread.confirm(generation))
        except (TimeoutError, KafkaError):
            alive = False
        self._confirmed = question if alive else None
        return alive

    def behind(self, part: Slice) -> int:
        """Return how many offsets the broker is known to have after a slice, fetched or not."""
        return max((self.highwater(TP(*part.source)) or 0) - log_offset(part.last_offset) - 1, 0)

    def newest(self, source: TopicPartition) -> int | None:
        """Return the offset behind the newest record that the broker told of, None where it has told of none yet."""
        try:
            found: int | None = self.highwater(TP(*source))
        except (AssertionError, AttributeError, KeyError, ConsumerNotStarted):  # in the middle of a rebalance or a stop
            return None
        return found

    def is_full(self, source: TopicPartition) -> bool:
        """Tell whether fetching a partition pauses because of what is in flight."""
        return source not in self.budget.fetchable([source])

    def acknowledge(self, part: Slice) -> None:
        """Mark a slice as durable; slices of a partition are acknowledged in order."""
        tp = TP(*part.source)
        self._durable[tp] = max(log_offset(part.last_offset) + 1, self._durable.get(tp, 0))
        self.discard(part)

    def discard(self, part: Slice) -> None:
        """Give back the budget of a slice that will not be processed by this worker."""
        self.budget.give_back(part.source, part.size_bytes)

    def ack(self, message: Any) -> bool:
        """Refuse Faust's own acknowledgement: only `acknowledge` moves what is committed."""
        del message
        return False

    def track_message(self, message: Any) -> None:
        self._on_message_in(message.tp, message.offset, message)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return iter([tp for tp in self._durable if topics is None or tp in topics or tp.topic in topics])

    def _new_offset(self, tp: TP) -> int | None:
        return self._durable.get(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Ignore holes of the log: the acknowledged slice says how far the partition is done."""

    async def verify_all_partitions_active(self) -> None:
        """Leave liveness to the loop's own progress: idle is not dead, and a long checkpoint is no livelock."""


def _message(tp: TP, part: Slice, generation: int) -> ConsumerMessage:
    last = part.records[-1]
    return ConsumerMessage(
        topic=tp.topic,
        partition=tp.partition,
        offset=part.first_offset,
        timestamp=last.timestamp / 1000.0,
        timestamp_type=0,
        headers=[],
        key=None,
        value=part,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=part.size_bytes,
        tp=tp,
        generation_id=generation,
    )


class SliceTransport(driver.Transport):
    """Faust's aiokafka transport with the slice consumer."""

    Consumer = SliceConsumer


def register(scheme: str = "slices") -> str:
    """Make the transport known to Faust under a URL scheme, and return the scheme."""
    drivers.TRANSPORTS.aliases[scheme] = f"{SliceTransport.__module__}:{SliceTransport.__name__}"
    return scheme
