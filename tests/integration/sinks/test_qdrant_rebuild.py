"""`rebuild qdrant` from the real log: rebuilt points equal the live ones, and take their place while a sink writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from qdrant_client import AsyncQdrantClient
from qdrant_client.models import Distance, PointStruct, VectorParams

import sinks.qdrant.rebuild as rebuild_module
from schemas.records import DraftDecided, Quality
from sinks.qdrant.commands import qdrant
from sinks.qdrant.comparing import is_close
from sinks.qdrant.embedded_store import EmbeddedStore
from sinks.qdrant.embedded_versions import EmbeddedVersions
from sinks.qdrant.folder_switch import FolderSwitch
from sinks.qdrant.rebuild import Outcome, QdrantRebuild, Wanted
from sinks.qdrant.server_store import ServerStore
from sinks.qdrant.server_versions import ServerVersions
from sinks.qdrant.sink import DraftPoint, QdrantSink, VectorStore, collection_of, point_of
from sinks.qdrant.versions import VersionedStore
from streams.engine.stage import Output
from streams.kafka.cluster import Cluster
from streams.operations.rebuilds import telling_rebuild
from streams.replaying.writing import record_count
from streams.settings import current_settings
from tests.support.batch_records import produce
from tests.support.drafts import plain_draft
from tests.support.sink_batches import rows

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Stores = tuple[VectorStore, VersionedStore]


class Servers(Protocol):
    """The part of the session's stack that is used here."""

    bootstrap: str
    cluster: Cluster

    def environment(self) -> dict[str, str]: ...


def embedded(folder: Path) -> Stores:
    return EmbeddedStore(folder / "qdrant"), EmbeddedVersions(folder / "qdrant")


def server(_: Path) -> Stores:
    client = AsyncQdrantClient(":memory:")
    return ServerStore(client), ServerVersions(client)


def accepted(model: str, number: int, text: str = "text") -> DraftDecided:
    draft = plain_draft(event_id=str(uuid4()), occurred_at=NOON, draft_id=str(uuid4()), text=text)
    return DraftDecided(
        event_id=str(uuid4()),
        occurred_at=NOON,
        persona_id="nova",
        draft=draft,
        quality=Quality(score=1.0, threshold=0.5, passed=True, features=()),
        decision="accepted",
        reasons=(),
        embedding_model=model,
        embedding=(1.0, number / 8),  # as the log holds it: 32 bits
    )


@pytest.fixture(autouse=True)
def nothing_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare once more where points differ, and do not wait: no sink works here."""
    monkeypatch.setattr(rebuild_module, "SETTLING_S", (0.0, 0.0))


@pytest.fixture(scope="module")
def drafts(stack: Servers) -> list[DraftDecided]:
    """Drafts in the log of two models, one of them decided again with another text."""
    made = [accepted(f"model-{number % 2}", number) for number in range(40)]
    asyncio.run(produce(stack.cluster, [Output("drafts.accepted", each) for each in made]))
    return made


async def write(store: VectorStore, drafts: Sequence[DraftDecided]) -> None:
    sink = QdrantSink(store)
    await sink.open()
    batch = rows("drafts.accepted", 0, drafts)
    assert record_count(batch) == len(drafts)
    await sink.write([batch])


async def everything(versions: VersionedStore, version: str | None = None) -> dict[str, DraftPoint]:
    names = await versions.collections(version)
    return {point.point_id: point for name in names async for page in versions.points(version, name) for point in page}


async def rebuilt(cluster: Cluster, versions: VersionedStore, wanted: Wanted) -> Outcome:
    outcome = Outcome()
    async with telling_rebuild(cluster, "qdrant", "a test", None, dict) as told:
        await QdrantRebuild(cluster, versions, told, lambda _: None).run(wanted, outcome)
    return outcome


def alike(found: dict[str, DraftPoint], expected: dict[str, DraftPoint]) -> bool:
    """Tell whether points are the same; the client's own engine rounds a vector by the batch that it came in."""
    return found.keys() == expected.keys() and all(is_close(found[each], expected[each]) for each in expected)


def differing(outcome: Outcome) -> dict[str, int]:
    return {kind: len(ids) for each in outcome.collections for kind, ids in each.differing.items()}


@pytest.mark.parametrize("make", [embedded, server])
async def test_points_are_rebuilt_alike_and_take_the_place_of_wrong_ones(
    stack: Servers, drafts: list[DraftDecided], tmp_path: Path, make: Callable[[Path], Stores]
) -> None:
    live, versions = make(tmp_path)
    assert (
        await rebuilt(stack.cluster, versions, Wanted(switch=True))
    ).before == "before_1"  # there was nothing before
    right = await everything(versions)
    assert {point_of(each).point_id for each in drafts} <= right.keys()
    await write(live, drafts)
    assert alike(await everything(versions), right), "the sink goes on with what took its place"
    assert differing(await rebuilt(stack.cluster, versions, Wanted())) == {}
    collection = collection_of("model-1", 2)
    wrong, lost = point_of(drafts[1]), accepted("model-1", 3)
    await live.upsert(collection, [DraftPoint(wrong.point_id, (0.0, 1.0), wrong.payload)])
    await write(live, [lost])
    outcome = await rebuilt(stack.cluster, versions, Wanted())
    assert differing(outcome) == {"live": 1, "different": 1}
    outcome = await rebuilt(stack.cluster, versions, Wanted(switch=True, carry=True))
    assert sum(outcome.carried.values()) == 1
    assert alike({key: each for key, each in (await everything(versions)).items() if key in right}, right)
    assert (await live.count(collection)) == sum(
        each.payload["embedding_model"] == "model-1" for each in right.values()
    ) + 1
    assert outcome.before is not None
    [before] = [each for each in await versions.versions() if each.name == outcome.before]
    assert collection.name in before.collections
    assert (await everything(versions, before.name))[wrong.point_id].vector == pytest.approx((0.0, 1.0))
    for each in await versions.versions():
        await versions.drop(each.name)
    assert await versions.versions() == []
    assert right.keys() <= (await everything(versions)).keys()


async def test_a_collection_of_before_aliases_is_taken_over_and_replaced_in_one_step(
    stack: Servers, drafts: list[DraftDecided]
) -> None:
    client, collection = AsyncQdrantClient(":memory:"), collection_of("model-0", 2)
    await client.create_collection(collection.name, vectors_config=VectorParams(size=2, distance=Distance.COSINE))
    wrong = point_of(drafts[0])
    await client.upsert(collection.name, [PointStruct(id=wrong.point_id, vector=[0.0, 1.0], payload={})])
    live, versions = ServerStore(client), ServerVersions(client)
    assert await live.count(collection) == 1
    outcome = await rebuilt(stack.cluster, versions, Wanted(switch=True))
    assert differing(outcome)["different"] == 1
    [found] = await live.read(collection, [wrong.point_id])
    assert found.payload == wrong.payload
    assert (await client.count(collection.name)).count == 1, "the old collection is as it was"


@pytest.fixture
def home(stack: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A home of the test's own, as this process's settings."""
    for variable, value in (
        stack.environment() | {"THREADS_HOME": str(tmp_path), "THREADS_KAFKA": stack.bootstrap}
    ).items():
        monkeypatch.setenv(variable, value)
    current_settings.cache_clear()
    yield tmp_path
    current_settings.cache_clear()


def rebuild(*arguments: str) -> Result:
    return CliRunner().invoke(qdrant, arguments, catch_exceptions=False)


def test_the_command_lists_refuses_switches_and_drops(home: Path, drafts: list[DraftDecided]) -> None:
    lost = accepted("model-1", 3)
    asyncio.run(write(EmbeddedStore(home / "qdrant"), [*drafts, lost]))
    refused = rebuild("--switch")
    assert refused.exit_code == 1
    assert "lacks points that only the live version has: 1 of drafts-model-1-2" in refused.stderr
    assert point_of(lost).point_id in refused.stdout
    # As JSON: the log is shared, and a long name of another test's collection changes the shape of the table.
    [listed] = json.loads(rebuild("--list", "--json").stdout)
    assert listed["version"] == "rebuild_1"
    assert {f"drafts-model-{number}-2" for number in range(2)} <= set(listed["collections"])
    assert "rebuild_1" in rebuild("--list").stdout
    assert int(rebuild("--dry-run").stdout.split()[0]) >= len(drafts)
    switched = rebuild("--switch", "--leave-behind", "--json")
    assert switched.exit_code == 0
    assert "dropped rebuild_1, which was not put in place" in switched.stderr
    assert json.loads(switched.stdout)["old_version"] == "before_1"
    assert rebuild("--drop", "before_1", "--yes").stdout == "before_1 is dropped\n"
    with pytest.raises(Exception, match="there is no version before_1; there are: none"):
        rebuild("--drop", "before_1")


async def test_a_switch_that_was_cut_off_is_ended_by_whoever_comes_next(tmp_path: Path) -> None:
    folder = tmp_path / "qdrant"
    live, names = EmbeddedStore(folder), [collection_of(f"model-{number}", 2) for number in range(3)]
    await live.open()
    for number, name in enumerate(names):
        await live.upsert(name, [DraftPoint(str(uuid4()), (0.0, 1.0), {"text": "old"})])
        beside = EmbeddedStore(folder / "rebuild_1")
        await beside.open()
        await beside.upsert(name, [DraftPoint(str(uuid4()), (0.0, 1.0), {"text": f"new {number}"})])
    switch = FolderSwitch("rebuild_1", "before_1", [each.name for each in names])
    switch.begin(folder)
    switch.move(folder, names[0].name)  # then it was killed: one is in place, of the next the old one is gone
    (folder / names[1].name).rename(folder / "before_1" / names[1].name)
    versions = EmbeddedVersions(folder)
    for name in names:
        assert await live.count(name) == 1
    assert {str(each.payload["text"]) for each in (await everything(versions)).values()} == {"new 0", "new 1", "new 2"}
    assert {each.payload["text"] for each in (await everything(versions, "before_1")).values()} == {"old"}
    assert [each.name for each in await versions.versions()] == ["before_1"]
