"""The Faust app of a role: one consumer group, one agent a stage, slices in, nothing acknowledged but by the loops."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import faust
from faust.assignor.client_assignment import ClientAssignment
from faust.assignor.partition_assignor import PartitionAssignor

from streams.engine.batch import Slice, TopicPartition
from streams.engine.loop import CheckpointedLoop
from streams.kafka.cluster import Cluster
from streams.transport.transport import PartitionListener, register

logger = logging.getLogger(__name__)
MAX_FETCH_BYTES = 4 * 2**20  # of one partition in one fetch
COMMIT_INTERVAL_S = 1.0  # Faust's own; the loops commit at each checkpoint, this repeats what failed
POLL_INTERVAL_S = 24 * 3600.0  # a stage may wait long for its surroundings: heartbeats tell that the worker lives
REBALANCE_TIMEOUT_S = 60.0


class SliceJoiner:
    """Hand over together what arrived since the last time, so that many small slices cost no more than one.

    Slices of a partition stay in order; `max_records` bounds what becomes of joining them. How much waits is bounded
    by the transport's budget of bytes.
    """

    def __init__(self, max_records: int) -> None:
        self._max_records = max_records
        self._waiting: deque[tuple[Slice, int]] = deque()
        self._arrived = asyncio.Event()

    def put(self, piece: Slice, generation: int) -> None:
        """Add a slice that was fetched in a generation of the group."""
        self._waiting.append((piece, generation))
        self._arrived.set()

    async def take(self) -> tuple[Sequence[Slice], int]:
        """Wait for slices; return those of the oldest generation there is, and the generation."""
        await self._arrived.wait()
        generation, found = self._waiting[0][1], dict[TopicPartition, list[Slice]]()
        while self._waiting and self._waiting[0][1] == generation:
            piece, _ = self._waiting.popleft()
            found.setdefault(piece.source, []).append(piece)
        if not self._waiting:
            self._arrived.clear()
        return [piece for pieces in found.values() for piece in joined(pieces, self._max_records)], generation


def joined(pieces: Sequence[Slice], max_records: int) -> list[Slice]:
    """Return slices of one partition, put together where one follows the other, up to `max_records` each."""
    groups: list[list[Slice]] = []
    for piece in pieces:
        if groups and _fits(groups[-1], piece, max_records):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return [_one(group) for group in groups]


def _fits(group: Sequence[Slice], piece: Slice, max_records: int) -> bool:
    records = sum(len(each.records) for each in group) + len(piece.records)
    return piece.after == group[-1].last_offset and records <= max_records


def _one(group: Sequence[Slice]) -> Slice:
    if len(group) == 1:
        return group[0]
    records = list(chain.from_iterable(piece.records for piece in group))
    return Slice(group[0].source, records, group[0].after, sum(piece.size_bytes for piece in group))


class SliceSchema(faust.Schema):
    """Hand slices to agents as they are: decoding is the loop's work."""

    def loads_key(self, app: Any, message: Any, **kwargs: Any) -> None:
        del app, message, kwargs

    def loads_value(self, app: Any, message: Any, **kwargs: Any) -> Any:
        del app, kwargs
        return message.value


class RoleApp(faust.App):
    """A Faust app whose partitions are told to the loops of its stages.

    `fail` is called with the first error that the loops could not classify: the worker ends and starts again.
    """

    def __init__(
        self, *args: Any, inflight_max_bytes: int, fail: Callable[[BaseException], None], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.inflight_max_bytes = inflight_max_bytes
        self.fail = fail
        self.loops: list[CheckpointedLoop] = []

    @property
    def listener(self) -> PartitionListener:
        return self

    async def release(self) -> None:
        await asyncio.gather(*(loop.release() for loop in self.loops))

    async def forget(self, renewed: set[TopicPartition]) -> None:
        for loop in self.loops:
            await loop.forget(renewed)

    async def assign(self, owned: set[TopicPartition], generation: int) -> None:
        for loop in self.loops:
            await loop.assign({source for source in owned if source.topic in loop.stage.topics}, generation)

    def _crash(self, reason: BaseException) -> None:
        """End the worker at a crash that Faust found itself, or it would stay and do nothing; any thread may call."""
        super()._crash(reason)
        self.loop.call_soon_threadsafe(self.fail, reason)

    def add_stage(self, loop: CheckpointedLoop) -> None:
        """Feed a loop from an agent on its stage's topics."""
        self.loops.append(loop)

        async def feed(stream: Any) -> None:
            joiner = SliceJoiner(self.conf.broker_max_poll_records)
            handing_over = asyncio.create_task(self._hand_over(joiner, loop))
            try:
                async for event in stream.noack().events():
                    joiner.put(event.value, event.message.generation_id)
            finally:
                handing_over.cancel()
                await asyncio.gather(handing_over, return_exceptions=True)

        self.agent(self.topic(*loop.stage.topics, schema=SliceSchema()), name=loop.stage.name)(feed)

    async def _hand_over(self, joiner: SliceJoiner, loop: CheckpointedLoop) -> None:
        while True:
            pieces, generation = await joiner.take()
            try:
                await loop.receive(pieces, generation)
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever it is, a panic of Rust code too, it ends the worker
                self.fail(error)
                return


def make_app(role: str, cluster: Cluster, instance_id: str | None, fail: Callable[[BaseException], None]) -> RoleApp:
    """Make the app of a role; its consumer group is the role's name.

    `instance_id` is the worker's slot in the group (static membership): a worker that was killed and started again
    in its slot has its partitions back at once, instead of after the session time-out.
    """
    settings = cluster.settings
    folder = settings.home / "faust" / role
    folder.mkdir(parents=True, exist_ok=True)
    servers: Mapping[str, Any] = {"broker": f"{register()}://{cluster.bootstrap.replace(',', ';')}"}
    return RoleApp(
        role,
        **servers,
        inflight_max_bytes=settings.inflight_max_bytes,
        fail=fail,
        autodiscover=False,
        PartitionAssignor=FreshAssignor,
        store="memory://",
        datadir=str(folder),
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=True,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"{role}-{instance_id}" if instance_id else None,
        consumer_max_fetch_size=MAX_FETCH_BYTES,
        broker_max_poll_records=settings.fetch_max_records,
        broker_max_poll_interval=POLL_INTERVAL_S,
        broker_session_timeout=settings.session_timeout_s,
        broker_request_timeout=max(settings.io_timeout_s, settings.session_timeout_s + 5),
        broker_rebalance_timeout=REBALANCE_TIMEOUT_S,
        broker_heartbeat_interval=settings.session_timeout_s / 10,
        broker_commit_interval=COMMIT_INTERVAL_S,
    )


class FreshAssignor(PartitionAssignor):
    """Share out partitions from nothing where the members' earlier ones do not fit the topics as they are.

    Faust's own asserts that they do: the leader of the group would end, and so would the next.
    """

    _forgets = False

    def _perform_assignment(self, cluster: Any, member_metadata: Any) -> Any:
        try:
            return super()._perform_assignment(cluster, member_metadata)
        except AssertionError:
            logger.warning("The topics are not those that partitions were shared out of before: begun from nothing")
        self._forgets = True
        try:
            return super()._perform_assignment(cluster, member_metadata)
        finally:
            self._forgets = False

    def _get_client_metadata(self, metadata: Any) -> Any:
        found = super()._get_client_metadata(metadata)
        return found.derive(assignment=ClientAssignment(actives={}, standbys={})) if self._forgets else found
