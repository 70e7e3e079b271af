"""Erase a persona: hide its records, have every place delete what it keeps, and see that nothing is left.

1. `personas.erased` says that what was taken before now is hidden. Workers see it within a second, and take their state
   over without it.
2. Places delete: definitions, accounts and totals first, so that nothing new is begun.
3. What workers still wrote meanwhile of records from before is hidden by a second word, said once they have settled.
4. Places are asked again until they have nothing left.

Every step may be done again, so a run that was broken off is gone on with by running it again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from schemas.records import OperationRun, PersonaErased
from streams.engine.stage import Output
from streams.erasers import Eraser, Holding, erasers
from streams.errors import ThreadsError
from streams.identity import derived_id
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.operations.runs import ToldRun, is_under_way, new_run, next_step, read_runs, telling
from streams.wall_clock import utc_now

TOPIC = "personas.erased"
TARGET = "every place that keeps something of it"
SETTLE_S = 8.0  # workers look every second; then what is under way has 5 s to come to its end, and a last checkpoint
NOTICE_S = 3.0
LOOKS = 10
LOOK_EVERY_S = 1.0
FIRST = ("personas", "accounts", "spend")  # erasers after which nothing new is begun
HELD_BY_WORKERS = ("worker-state",)  # returns when those that run have begun anew, however slow the machine is
NOT_ASKED_AGAIN = (*HELD_BY_WORKERS, "response-cache")
Tell = Callable[[str], None]
Places = Mapping[str, Eraser]


class StillHeld(ThreadsError):
    """Something is left after the places were asked again and again."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was deleted, and the run that the audit has."""

    run_id: str
    holdings: tuple[Holding, ...]


async def holdings_of(cluster: Cluster, persona_id: str, places: Places) -> list[Holding]:
    """Return what each place holds of a persona, and change nothing.

    Raises:
        Unavailable: a place is away.
    """
    return await _ask(places, cluster, persona_id, dry_run=True)


def places_without(names: Collection[str]) -> Places:
    """Return the places that are asked: all that are installed, but those named.

    Raises:
        ThreadsError: there is no place of a name.
    """
    found = erasers()
    if unknown := sorted(set(names) - found.keys()):
        raise ThreadsError(f"There is no place {', '.join(unknown)}; there are: {', '.join(found)}")
    return {name: erase for name, erase in found.items() if name not in names}


async def erase_persona(
    cluster: Cluster,
    persona_id: str,
    places: Places,
    before: Sequence[Holding],
    *,
    requested_by: str | None = None,
    tell: Tell = lambda _: None,
) -> Erased:
    """Erase a persona of which places held `before`, and tell the run; one that was broken off is gone on with.

    Raises:
        Unavailable: a place is away; run it again.
        ThreadsError: another erasure of it is at work.
        StillHeld: a place does not let go; the message says which.
    """
    async with telling(cluster, await _run(cluster, persona_id, requested_by)) as told:
        tell("hiding its records")
        await _hide(cluster, persona_id, told, "first")
        await _ask({name: places[name] for name in FIRST if name in places}, cluster, persona_id)
        tell(f"waiting {SETTLE_S:g} s for workers to give up what they keep of it")
        await asyncio.sleep(SETTLE_S)
        await _ask({name: places[name] for name in HELD_BY_WORKERS if name in places}, cluster, persona_id)
        await _hide(cluster, persona_id, told, "last")
        await asyncio.sleep(NOTICE_S)
        tell("deleting it from every place")
        after = await _ask(places, cluster, persona_id)
        left = await _left(places, cluster, persona_id)
        later = {(each.place, each.what): each.later for each in after}
        held = [replace(each, later=later.get((each.place, each.what), "")) for each in before]
        counts = {f"{each.place}: {each.what}": each.count for each in held if each.count}
        detail = {"deleted": counts, "left out": sorted(erasers().keys() - places.keys())}
        await told.tell(written=sum(counts.values()), detail=json.dumps(detail, ensure_ascii=False))
        if left:
            raise StillHeld(
                "There is still "
                + "; ".join(f"{each.count:,} {each.what} in {each.place}" for each in left)
                + ": something writes it anew. Stop that, and run the erasure again"
            )
    return Erased(told.run.run_id, tuple(held))


async def _run(cluster: Cluster, persona_id: str, requested_by: str | None) -> OperationRun:
    selection = f"persona {persona_id}"
    for run in reversed((await read_runs(cluster)).values()):
        if (run.operation, run.selection) == ("persona_erasure", selection) and run.status != "done":
            if await is_under_way(cluster, run):
                raise ThreadsError(
                    f"{persona_id} is being erased by {run.requested_by} (run {run.run_id}): wait for it"
                )
            return next_step(run)
    return new_run("persona_erasure", selection=selection, target=TARGET, requested_by=requested_by)


async def _hide(cluster: Cluster, persona_id: str, told: ToldRun, which: str) -> None:
    now = utc_now()
    erased = PersonaErased(
        event_id=derived_id("persona erased", told.run.run_id, which, now.isoformat()),
        occurred_at=now,
        persona_id=persona_id,
        run_id=told.run.run_id,
        requested_by=told.run.requested_by,
    )
    async with EventProducer(cluster, cluster.open_registry()) as producer:
        await producer.append_all([Output(TOPIC, erased)])


async def _ask(places: Places, cluster: Cluster, persona_id: str, *, dry_run: bool = False) -> list[Holding]:
    return [
        holding for erase in places.values() for holding in await erase(cluster.settings, persona_id, dry_run=dry_run)
    ]


async def _left(places: Places, cluster: Cluster, persona_id: str) -> list[Holding]:
    """Ask again until nothing is left; the cache is everybody's, and roles that do not run let go when they start."""
    asked = {name: erase for name, erase in places.items() if name not in NOT_ASKED_AGAIN}
    left: list[Holding] = []
    for _ in range(LOOKS):
        left = [each for each in await _ask(asked, cluster, persona_id, dry_run=True) if each.count]
        if not left:
            return []
        await _ask(asked, cluster, persona_id)
        await asyncio.sleep(LOOK_EVERY_S)
    return left
