"""A rebuild of Qdrant from beginning to end: build beside, compare, and on request carry over and switch.

Whatever ends it, the live collections are as they were or all replaced. What a rebuild left that did not end is removed
by the next: the log of accepted drafts is read in minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from sinks.qdrant.comparing import CLOSE_LOOKS, CollectionComparison, compare, digests, is_close, points_of
from sinks.qdrant.sink import Collection, DraftPoint, QdrantSink
from sinks.qdrant.versions import VersionedStore
from sinks.rebuilding.reading import LogIntoVersion, Reached
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.operations.runs import ToldRun, is_under_way, read_runs

SETTLING_S = (0.0, 1.0, 3.0)  # a sink writes what it has read within a checkpoint


class RebuildError(ThreadsError):
    """A rebuild can't go on as things are; nothing of the live version was changed."""


class Refused(RebuildError):
    """The switch would lose points."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a rebuild.

    `switch` puts the version in place, `carry` takes over points that only live has, `leave_behind` switches without
    them; `rate` is a second's records.
    """

    switch: bool = False
    carry: bool = False
    leave_behind: bool = False
    rate: float | None = None


@dataclass(slots=True)
class Outcome:
    """What was built, found and done; `before` is the name of the old version where it was switched."""

    version: str = ""
    collections: list[CollectionComparison] = field(default_factory=list)
    carried: dict[str, int] = field(default_factory=dict)
    before: str | None = None
    read: int = 0
    written: int = 0
    refused: int = 0


async def first_come(cluster: Cluster, told: ToldRun) -> None:
    """See that no rebuild of Qdrant that began earlier is under way, on whatever machine.

    Raises:
        RebuildError: one is.
        Unavailable: Kafka is away.
    """
    runs = await read_runs(cluster)
    mine = runs[told.run.run_id]  # as it is told: to the millisecond
    for run in runs.values():
        began_earlier = (run.started_at, run.run_id) < (mine.started_at, mine.run_id)
        is_another = run.operation == "rebuild" and run.target == "qdrant" and run.status == "running"
        if is_another and began_earlier and await is_under_way(cluster, run):
            raise RebuildError(
                f"another rebuild of Qdrant is under way (by {run.requested_by}); run this again when it has ended"
            )


class QdrantRebuild:
    """One rebuild; `say` hears a line at each step."""

    def __init__(self, cluster: Cluster, store: VersionedStore, told: ToldRun, say: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._store = store
        self._told = told
        self._say = say

    async def run(self, wanted: Wanted, outcome: Outcome) -> None:
        """Do what is wanted; `outcome` tells how far it came, whatever ends it.

        Raises:
            Refused: the switch would lose points; the rebuilt version stays beside.
            RebuildError: another rebuild is under way.
            Unavailable: Kafka or Qdrant is away; run again.
        """
        await first_come(self._cluster, self._told)
        number = await self._begun()
        outcome.version = f"rebuild_{number}"
        sink = QdrantSink(self._store.store(outcome.version))
        await sink.open()
        try:
            log = LogIntoVersion(self._cluster, sink, self._told, _not_kept, wanted.rate)
            await log.look()
            await log.catch_up(self._say, bar=f"building {outcome.version}")
            await self._settle(log, outcome)
            if wanted.switch:
                await self._switch(log, number, wanted, outcome)
        finally:
            run = self._told.run
            outcome.read, outcome.written, outcome.refused = run.read, run.written, run.refused

    async def _begun(self) -> int:
        for version in await self._store.versions():
            if version.name.startswith("rebuild_"):
                await self._store.drop(version.name)
                self._say(f"dropped {version.name}, which was not put in place")
        return await self._store.next_number()

    async def _settle(self, log: LogIntoVersion, outcome: Outcome) -> None:
        """Compare, and again where what differs may only be on its way to one of the versions."""
        for wait_s in SETTLING_S:
            await asyncio.sleep(wait_s)
            await self._caught_up(log)
            outcome.collections = await self._compared(outcome.version)
            if all(each.equal for each in outcome.collections):
                return

    async def _caught_up(self, log: LogIntoVersion) -> None:
        await log.look()
        await log.catch_up(self._say)

    async def _compared(self, version: str) -> list[CollectionComparison]:
        names = {*await self._store.collections(None), *await self._store.collections(version)}
        return [await self._compared_collection(version, name) for name in sorted(names)]

    async def _compared_collection(self, version: str, name: str) -> CollectionComparison:
        def pages(of: str | None) -> AsyncIterator[Sequence[DraftPoint]]:
            return self._store.points(of, name)

        found = compare(name, await digests(pages(None)), await digests(pages(version)))
        looks = set(found.differing.get("different", ())[:CLOSE_LOOKS])
        if not looks:
            return found
        live, rebuilt = await points_of(pages(None), looks), await points_of(pages(version), looks)
        return found.without({each for each in live.keys() & rebuilt.keys() if is_close(live[each], rebuilt[each])})

    async def _switch(self, log: LogIntoVersion, number: int, wanted: Wanted, outcome: Outcome) -> None:
        async with self._store.writers_out():
            await self._caught_up(log)
            if wanted.carry:
                await self._carry(await self._compared(outcome.version), outcome)
            outcome.collections = await self._compared(outcome.version)
            if points_to_lose(outcome.collections) and not wanted.leave_behind:
                raise Refused(refusal(outcome.collections, outcome.version))
            await self._store.switch(number)
            outcome.before = f"before_{number}"
        if not self._store.holds_writers_out:
            await self._caught_up(log)  # what a sink wrote into the old collections up to the switch
        self._say(f"switched: the old points are in {outcome.before}")

    async def _carry(self, found: Sequence[CollectionComparison], outcome: Outcome) -> None:
        target = self._store.store(outcome.version)
        for each in found:
            wanted = set(each.differing.get("live", ()))
            if wanted:
                async for page in self._store.points(None, each.collection):
                    points = [point for point in page if point.point_id in wanted]
                    if points:
                        await target.upsert(Collection(each.collection, len(points[0].vector)), points)
                outcome.carried[each.collection] = len(wanted)


async def _not_kept(reached: Reached) -> None:
    """Keep nothing: a version that is not finished is built again."""


def points_to_lose(found: Sequence[CollectionComparison]) -> dict[str, int]:
    """Return by collection how many points only the live version has."""
    return {each.collection: len(each.differing["live"]) for each in found if "live" in each.differing}


def refusal(found: Sequence[CollectionComparison], version: str) -> str:
    """Return in one line which points a switch would lose, and what to do."""
    lost = ", ".join(f"{number:,} of {name}" for name, number in points_to_lose(found).items())
    return (
        f"not switched: {version} lacks points that only the live version has: {lost}; "
        "`--carry` takes them over, `--leave-behind` leaves them in the old version"
    )
