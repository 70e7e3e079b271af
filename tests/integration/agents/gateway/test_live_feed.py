"""The live feed on a real broker and a gateway of its own process: nothing is lost or told twice in silence."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psutil
import pytest

from agents.gateway.auth.caller import ALL_TENANTS
from agents.gateway.auth.token_store import TokenStore
from agents.gateway.auth.tokens import made_token, new_secret
from schemas.catalogue import topic_named
from schemas.records import BudgetAlert
from streams.endpoints import read_endpoints
from streams.engine.stage import Output
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.wall_clock import utc_now
from tests.faults.conftest import WorkerProcess
from tests.support.faults.own_broker import OwnBroker, own_broker
from tests.support.faults.poison import golden_record
from tests.support.faults.topic_changes import delete, delete_before, make_again
from tests.support.feed_reader import FeedReader, Told, open_feed, reading_feed

TOPIC = topic_named("budget.alerts")
LISTENERS = 1_000
TIMES_BACK = 100
PLACES = 500
MB = 2**20

pytestmark = pytest.mark.timeout(240)


class OwnGateway:
    """A gateway process on a broker, and what writes to the broker's topics."""

    def __init__(self, broker: OwnBroker, folder: Path) -> None:
        self.cluster: Cluster = broker.cluster
        settings = {
            "THREADS_TOPIC_WATCH_INTERVAL_S": "0.3",
            "THREADS_GATEWAY_TOKEN_RATE": "9000/second",  # a thousand listeners may all come within one second
        }
        self.worker = WorkerProcess(broker, ("gateway",), "0", folder / "gateway.log", **settings)
        self.token = new_secret()
        self._numbers = itertools.count()

    async def signed_in(self) -> None:
        registry = self.cluster.open_registry()
        producer = EventProducer(self.cluster, registry)
        store = TokenStore(self.cluster, registry, producer)
        made = made_token(
            self.token, utc_now(), name="test", role="admin", tenant=ALL_TENANTS, created_by="test", scopes=()
        )
        try:
            await store.write(made)
        finally:
            await producer.stop()

    async def back(self) -> None:
        self.worker.start()
        await self.worker.until_running()

    @property
    def url(self) -> str:
        found = read_endpoints(self.cluster.settings.home).gateway
        assert found is not None, self.worker.log()[-2_000:]
        return found

    @asynccontextmanager
    async def feed(self, last_id: str = "", **query: str) -> AsyncIterator[FeedReader]:
        async with reading_feed(self.url, self.token, TOPIC.name, last_id=last_id, **query) as reader:
            yield reader

    async def append(self, producer: EventProducer, persona_id: str, count: int, *, filling: int = 0) -> None:
        """Append records of a persona, over all partitions."""
        made = golden_record(TOPIC)
        assert isinstance(made, BudgetAlert)
        await producer.append_all(
            [
                Output(
                    TOPIC.name,
                    replace(made, event_id=f"{persona_id} {next(self._numbers)}{'.' * filling}", persona_id=persona_id),
                    number % 4,
                )
                for number in range(count)
            ]
        )

    def memory(self) -> int:
        return psutil.Process(self.worker.process.pid).memory_info().rss


@pytest.fixture(scope="module")
def broker() -> Iterator[OwnBroker]:
    with own_broker() as made:
        yield made


@pytest.fixture(scope="module")
def gateway(broker: OwnBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnGateway]:
    running = OwnGateway(broker, tmp_path_factory.mktemp("gateway"))
    try:
        asyncio.run(running.signed_in())
        asyncio.run(running.worker.until_running())
        yield running
    finally:
        running.worker.stop()


@pytest.fixture
async def producer(gateway: OwnGateway) -> AsyncIterator[EventProducer]:
    async with EventProducer(gateway.cluster, gateway.cluster.open_registry()) as producer:
        yield producer


@pytest.fixture
def persona() -> str:
    return f"persona-{uuid4().hex[:8]}"


def event_ids(told: list[Told], persona_id: str) -> list[str]:
    return [
        each.data["value"]["event_id"]
        for each in told
        if each.name == "record" and each.data["persona_id"] == persona_id
    ]


async def test_a_feed_resumes_across_a_killed_gateway_without_loss_or_double(
    gateway: OwnGateway, producer: EventProducer, persona: str
) -> None:
    async with gateway.feed() as reader:
        await reader.until_id()
        await gateway.append(producer, persona, 100)
        first = await reader.records(37)  # a part of what was told: the rest is in flight
    gateway.worker.kill()
    await gateway.append(producer, persona, 50)
    await gateway.back()
    async with gateway.feed(first[-1].id) as reader:
        second = await reader.records(100 + 50 - 37)
        await gateway.append(producer, persona, 1)
        last = await reader.records(1)
        assert not [each for each in reader.events if each.name == "gap"]
    told = [each.place for each in [*first, *second, *last]]
    assert len(set(told)) == len(told) == 151
    assert len(set(event_ids([*first, *second, *last], persona))) == 151


async def test_a_feed_that_breaks_before_its_first_record_loses_nothing(
    gateway: OwnGateway, producer: EventProducer, persona: str
) -> None:
    async with gateway.feed() as reader:
        async with asyncio.timeout(5):  # long before the first heartbeat
            position = await reader.until_id()
        assert not reader.heartbeats
    await gateway.append(producer, persona, 4)
    async with gateway.feed(position) as reader:
        assert len(set(event_ids(await reader.records(4), persona))) == 4


async def test_what_retention_took_is_announced_and_the_rest_is_told(
    gateway: OwnGateway, producer: EventProducer, persona: str
) -> None:
    async with gateway.feed() as reader:
        began = dict(enumerate(map(int, (await reader.until_id()).split("~")[2:])))
        await gateway.append(producer, persona, 4)
        before = await reader.records(4)
    gateway.worker.kill()  # what it still had in memory, it would tell
    await gateway.append(producer, persona, 40)
    await delete_before(gateway.cluster, TOPIC.name, 1, began[1] + 6)
    await gateway.back()
    async with gateway.feed(before[-1].id) as reader:
        records = await reader.records(35)
        [gap] = [each for each in reader.events if each.name == "gap"]
    expected = {"partition": 1, "from": began[1] + 1, "to": began[1] + 6, "reason": "retention"}
    assert gap.data.items() >= expected.items()
    assert len({each.place for each in records}) == 35


async def test_a_topic_that_is_made_again_is_announced_and_told_from_its_beginning(
    gateway: OwnGateway, producer: EventProducer, persona: str
) -> None:
    async with gateway.feed() as reader:
        await reader.until_id()
        await gateway.append(producer, persona, 8)
        await reader.records(8)
        await delete(gateway.cluster, TOPIC.name)
        await make_again(gateway.cluster, TOPIC.name, 4)
        await gateway.append(producer, persona, 8)
        records = await reader.records(8)
        gaps = [each.data["reason"] for each in reader.events if each.name == "gap"]
    assert gaps == ["made_again"] * 4
    assert sorted(each.place[1:] for each in records) == [
        (partition, offset) for partition in range(4) for offset in (0, 1)
    ]


async def test_a_record_that_cannot_be_decoded_is_told_with_its_bytes(
    gateway: OwnGateway, producer: EventProducer, persona: str
) -> None:
    async with gateway.feed() as reader:
        await reader.until_id()
        await producer.send_raw(TOPIC.name, b"no \xff text", b"no Avro", partition=2)
        await gateway.append(producer, persona, 1)
        told = {each.data["persona_id"]: each.data for each in await reader.records(2)}
    assert told[None]["bytes"] == "bm8gQXZybw=="
    assert "magic byte" in told[None]["error"]
    assert told[None]["key"] == r"no \xff text"
    assert told[persona]["value"]["persona_id"] == persona


async def test_a_broker_that_was_away_is_announced_and_nothing_is_lost(
    broker: OwnBroker, gateway: OwnGateway, producer: EventProducer, persona: str
) -> None:
    async with gateway.feed() as reader:
        await reader.until_id()
        await gateway.append(producer, persona, 4)
        before = await reader.records(4)
        broker.kill()
        away = await reader.next()
        broker.start()
        await gateway.append(producer, persona, 4)
        after = await reader.records(4)
        states = [each.data["state"] for each in reader.events if each.name == "status"]
    assert (away.name, away.data["state"]) == ("status", "away")
    assert states == ["away", "back"]
    assert len({each.place for each in [*before, *after]}) == 8


async def never_reading(gateway: OwnGateway, cleanup: AsyncExitStack, last_id: str = "") -> None:
    """Open a feed of which nothing is read; its socket takes little."""
    address = urlsplit(gateway.url)
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    listening.setblocking(False)
    cleanup.enter_context(closing(listening))
    loop = asyncio.get_running_loop()
    await loop.sock_connect(listening, (address.hostname, address.port))
    path = f"/v1/stream?topics={TOPIC.name}&last_event_id={last_id}"
    head = f"GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {gateway.token}\r\n\r\n"
    await loop.sock_sendall(listening, head.encode())


async def feeds_open(gateway: OwnGateway) -> int:
    async with httpx.AsyncClient(timeout=30) as client:
        metrics = (await client.get(f"{gateway.url}/metrics")).text
    return next(int(float(line.split()[1])) for line in metrics.splitlines() if line.startswith("gateway_live_feeds "))


async def until_feeds(gateway: OwnGateway, count: int, deadline_s: float = 60.0) -> None:
    deadline = time.monotonic() + deadline_s
    while (found := await feeds_open(gateway)) != count:
        assert time.monotonic() < deadline, f"expected {count} live feeds, there are {found}"
        await asyncio.sleep(0.1)


async def delay_s(gateway: OwnGateway, producer: EventProducer, reader: FeedReader, persona_id: str) -> float:
    """Return how long an event takes from its acknowledgement to a reader of its persona."""
    await gateway.append(producer, persona_id, 1)
    appended_s = time.monotonic()
    await reader.records(1)
    return time.monotonic() - appended_s


async def test_a_thousand_listeners_that_never_read_cost_a_bounded_memory_and_delay_nobody(
    gateway: OwnGateway, producer: EventProducer, persona: str
) -> None:
    async with AsyncExitStack() as cleanup, gateway.feed() as reader:
        await reader.until_id()
        for _ in range(LISTENERS // 50):
            await asyncio.gather(*(never_reading(gateway, cleanup) for _ in range(50)))
        await until_feeds(gateway, LISTENERS + 1)
        opened = gateway.memory()
        filled = []
        for _ in range(3):  # more than the ring holds: 5 MB, of which a thousand listeners would have 5 GB
            await gateway.append(producer, "filler", 2_000, filling=2_000)
            await reader.records(2_000)
            filled.append(gateway.memory())
        delays = [await delay_s(gateway, producer, reader, persona) for _ in range(10)]
    print(f"MB: {[round(each / MB) for each in (opened, *filled)]}; delays in s: {sorted(delays)}")  # noqa: T201
    assert filled[-1] - filled[0] < 48 * MB
    assert max(filled) - opened < 256 * MB
    assert sorted(delays)[len(delays) // 2] < 1.0


async def test_listeners_that_resume_at_as_many_places_delay_neither_who_resumes_nor_who_listens(
    gateway: OwnGateway, producer: EventProducer, persona: str
) -> None:
    async with AsyncExitStack() as cleanup, gateway.feed() as reader:
        start = await reader.until_id()
        for _ in range(3):  # more than the ring holds
            await gateway.append(producer, "filler", 2_000, filling=2_000)
            await reader.records(2_000)
        places = [shifted(start, [each, *[2 * each] * 3]) for each in range(1, 1 + PLACES)]
        await asyncio.gather(*(never_reading(gateway, cleanup, each) for each in places))
        began_s = time.monotonic()
        async with gateway.feed(shifted(start, [0, 700, 800, 900])) as resumed:
            await resumed.records(1)
            waited_s = time.monotonic() - began_s
        delays = [await delay_s(gateway, producer, reader, persona) for _ in range(10)]
    print(f"resumed after {waited_s:.2f} s; delays in s: {sorted(delays)}")  # noqa: T201
    assert waited_s < 5.0
    assert sorted(delays)[len(delays) // 2] < 1.0


def shifted(position: str, offsets: list[int]) -> str:
    """Return the position so many records further in each partition."""
    topic, log, *starts = position.split("~")
    return "~".join([topic, log, *(str(int(start) + more) for start, more in zip(starts, offsets, strict=True))])


async def test_a_reader_that_comes_back_in_a_loop_delays_nobody(
    gateway: OwnGateway, producer: EventProducer, persona: str
) -> None:
    async with gateway.feed() as reader:
        start = await reader.until_id()
        await gateway.append(producer, "history", 2_000, filling=500)
        await reader.records(2_000)
        times = [0]
        loops = [asyncio.create_task(come_back(gateway, start, times)) for _ in range(4)]
        delays: list[float] = []
        while times[0] < TIMES_BACK or len(delays) < 20:
            delays.append(await delay_s(gateway, producer, reader, persona))
        for each in loops:
            each.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await until_feeds(gateway, 1)
    print(f"{times} times back; delays in s: {sorted(delays)}")  # noqa: T201
    assert sorted(delays)[len(delays) // 2] < 1.0


async def come_back(gateway: OwnGateway, last_id: str, times: list[int]) -> None:
    """Resume from long ago and leave after the first bytes, again and again; count how often."""
    while True:
        reader, writer = await open_feed(gateway.url, gateway.token, TOPIC.name, last_id=last_id)
        with closing(writer), suppress(ConnectionError):
            await reader.read(1_000)
        times[0] += 1
