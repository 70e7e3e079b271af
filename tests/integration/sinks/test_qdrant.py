"""Vector stores keep one contract, and the Qdrant sink on them: written again, a point is the same point."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid5

import pytest
from filelock import FileLock
from qdrant_client import AsyncQdrantClient

from schemas.records import DraftDecided, Quality
from sinks.qdrant import embedded_store
from sinks.qdrant.embedded_store import EmbeddedStore
from sinks.qdrant.server_store import ServerStore
from sinks.qdrant.sink import DraftPoint, QdrantSink, VectorStore, collection_of
from sinks.sink import KeptPart
from streams.embedded.ports import free_port
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.errors import Unavailable
from streams.identity import NAMESPACE
from tests.support.drafts import plain_draft
from tests.support.stage_driver import DrivenStage

COLLECTION = collection_of("wordllama", 2)
ACCEPTED = TopicPartition("drafts.accepted", 0)
DEADLINE_S = 60.0

STORES: dict[str, Callable[[Path], VectorStore]] = {
    "embedded": lambda folder: EmbeddedStore(folder / "with space" / "qdrant"),
    "client": lambda _: ServerStore(AsyncQdrantClient(":memory:")),
}


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[VectorStore]:
    """Each store that can run here; the client's own is Qdrant's server in all but the network."""
    store = STORES[request.param](tmp_path)
    await store.open()
    yield store
    await store.close()


def point(number: int, text: str = "text", vector: tuple[float, ...] = (0.6, 0.8)) -> DraftPoint:
    return DraftPoint(
        str(uuid5(NAMESPACE, f"point {number}")), vector, {"text": text, "score": 0.5, "persona_id": "nova"}
    )


def accepted(number: int, text: str = "text", embedding: tuple[float, ...] = (0.6, 0.8)) -> DraftDecided:
    at = datetime(2026, 3, 1, 12, 0, number, tzinfo=UTC)
    draft = plain_draft(event_id=f"g{number}", occurred_at=at, draft_id=point(number).point_id, text=text)
    return DraftDecided(
        event_id=f"d{number}",
        occurred_at=at,
        persona_id="nova",
        draft=draft,
        quality=Quality(score=0.75, threshold=0.5, passed=True, features=()),
        decision="accepted",
        reasons=(),
        embedding_model="wordllama",
        embedding=embedding,
    )


def batch(*decisions: DraftDecided) -> RowBatch[Any]:
    return RowBatch(ACCEPTED, [Row(offset, decision) for offset, decision in enumerate(decisions)])


async def test_a_point_written_again_is_replaced(store: VectorStore) -> None:
    await store.upsert(COLLECTION, [point(1), point(2)])
    await store.upsert(COLLECTION, [point(2, "changed", vector=(1.0, 0.0))])
    found = await store.read(COLLECTION, [point(1).point_id, point(2).point_id, point(3).point_id])
    assert await store.count(COLLECTION) == 2
    assert {each.point_id: each.payload["text"] for each in found} == {
        point(1).point_id: "text",
        point(2).point_id: "changed",
    }
    assert {each.point_id: each.vector for each in found}[point(2).point_id] == pytest.approx((1.0, 0.0))


async def test_a_collection_that_was_never_written_to_is_empty(store: VectorStore) -> None:
    assert await store.count(COLLECTION) == 0
    assert await store.read(COLLECTION, [point(1).point_id]) == []


async def test_collections_are_apart(store: VectorStore) -> None:
    other = collection_of("another", 3)
    await store.upsert(COLLECTION, [point(1)])
    await store.upsert(other, [point(n, vector=(1.0, 2.0, 2.0)) for n in range(500)])
    assert (await store.count(COLLECTION), await store.count(other)) == (1, 500)
    [found] = await store.read(other, [point(7).point_id])
    assert found.vector == pytest.approx((1 / 3, 2 / 3, 2 / 3))


async def test_a_replay_and_another_order_leave_the_same_points(store: VectorStore) -> None:
    sink = DrivenStage(QdrantSink(store))
    decisions = [accepted(n, text=f"text {n}") for n in range(10)]
    await sink.add(batch(*decisions, decisions[0]))
    await sink.flush()
    ids = [point(n).point_id for n in range(10)]
    first = await store.read(COLLECTION, ids)
    for decision in reversed(decisions):
        await sink.add(batch(decision))
    await sink.flush()
    assert len(first) == await store.count(COLLECTION) == 10
    assert await store.read(COLLECTION, ids) == first


async def test_a_draft_without_a_usable_embedding_is_refused_and_its_neighbours_written(store: VectorStore) -> None:
    sink = DrivenStage(QdrantSink(store))
    refused = await sink.add(
        batch(accepted(0), accepted(1, embedding=()), accepted(2, embedding=(0.0, 0.0)), accepted(3))
    )
    await sink.flush()
    assert [rejection.offset for rejection in refused] == [1, 2]
    assert await store.count(COLLECTION) == 2


async def test_two_users_of_the_embedded_store_take_turns(tmp_path: Path) -> None:
    first, second = EmbeddedStore(tmp_path), EmbeddedStore(tmp_path)
    await first.open()
    await second.open()
    points = [point(number) for number in range(40)]
    await asyncio.gather(
        *(first.upsert(COLLECTION, [each]) for each in points[:20]),
        *(second.upsert(COLLECTION, [each]) for each in points[20:]),
    )
    assert await first.count(COLLECTION) == await second.count(COLLECTION) == 40
    await first.close()
    await second.close()


async def test_a_folder_that_somebody_keeps_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_store, "LOCK_TIMEOUT_S", 0.05)
    store = EmbeddedStore(tmp_path)
    await store.open()
    with FileLock(tmp_path / "lock"), pytest.raises(Unavailable, match=r"another process.*THREADS_QDRANT_URL"):
        await store.upsert(COLLECTION, [point(1)])
    await store.upsert(COLLECTION, [point(1)])
    assert await store.count(COLLECTION) == 1


async def test_points_of_a_flush_outlive_a_killed_process(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys, time\n"
        "from pathlib import Path\n"
        "from sinks.qdrant.embedded_store import EmbeddedStore\n"
        "from sinks.qdrant.sink import DraftPoint, collection_of\n"
        "async def main():\n"
        "    store = EmbeddedStore(Path(sys.argv[1]))\n"
        "    await store.open()\n"
        "    points = [DraftPoint(each, (0.6, 0.8), {'text': 'kept'}) for each in sys.argv[2:]]\n"
        "    await store.upsert(collection_of('wordllama', 2), points)\n"
        "    print('durable', flush=True)\n"
        "    time.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    ids = [point(n).point_id for n in range(20)]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path), *ids, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(DEADLINE_S):
        assert child.stdout is not None
        assert await child.stdout.readline() == b"durable\n"
        child.kill()
        await child.wait()
    store = EmbeddedStore(tmp_path)
    await store.open()
    found = await store.read(COLLECTION, ids)
    await store.close()
    assert sorted(each.point_id for each in found) == sorted(ids)
    assert {each.payload["text"] for each in found} == {"kept"}


async def test_a_server_that_is_not_there_is_unavailable_and_nothing_is_lost() -> None:
    sink = DrivenStage(QdrantSink(ServerStore.at(f"http://127.0.0.1:{free_port()}", timeout_s=2)))
    await sink.add(batch(replace(accepted(1), reasons=())))
    for _ in range(2):
        with pytest.raises(Unavailable, match="Qdrant does not answer"):
            await sink.flush()
    [part] = sink.parts.values()
    assert isinstance(part, KeptPart)
    assert [len(each.rows) for each in part.kept if isinstance(each, RowBatch)] == [1]
    await sink.close()
