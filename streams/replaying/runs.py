"""Which run a command means: one that was broken off is gone on with, one under way is left alone, else a new one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.records import OperationRun
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.operations.runs import is_under_way, new_run, next_step, read_runs
from streams.replaying.planning import Plan, resolve, still_there
from streams.replaying.selection import Selection, moment_text


class Refused(ThreadsError):
    """A run that must not begin now; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The first step to tell of a run, and what it reads; `notes` are what is to be known before."""

    run: OperationRun
    topic_ids: Mapping[str, str | None]
    keys: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan:
        """Return what is still to be read."""
        return Plan(self.run.positions, self.topic_ids)


async def begun(
    cluster: Cluster, selection: Selection, target: str, *, again: bool, requested_by: str | None, once: bool
) -> Begun:
    """Return the run that a selection and a target mean.

    Where the newest run of both was broken off it is gone on with, unless `again`. `once` is of targets in which the
    same again would stand twice: nothing may write there at the same time, and what was copied before needs `again`.

    Raises:
        BadSelection: there is nothing of it, or what the run reads was made again.
        Refused: the run is under way, or done.
        Unavailable: the broker or the registry is away.
    """
    runs = list((await read_runs(cluster)).values())
    into = [each for each in runs if each.operation == "replay" and each.target == target]
    same = [each for each in into if each.selection == selection.text]
    for each in into if once else same[-1:]:
        await _refuse_at_work(cluster, each)
    if same and same[-1].status != "done" and not again:
        return await _gone_on(cluster, same[-1])
    plan = await resolve(cluster, selection)
    run = new_run(
        "replay",
        selection=selection.text,
        target=target,
        requested_by=requested_by,
        selected=plan.offsets,
        positions=plan.positions,
        detail=_detail(plan.topic_ids, selection.keys),
    )
    if once and not again:
        _refuse_twice(into, run)
    done = [each for each in same if each.status == "done" and _reads_same(each, run)]
    return Begun(run, plan.topic_ids, selection.keys, (*plan.notes, *map(_said, done[-1:])))


async def resumed(cluster: Cluster, run_id: str) -> Begun:
    """Return a run that was broken off, by its id.

    Raises:
        BadSelection: what it reads was made again, or is gone.
        Refused: there is no such run, or it is under way, or done.
        Unavailable: the broker or the registry is away.
    """
    run = (await read_runs(cluster)).get(run_id)
    if run is None or run.operation != "replay":
        raise Refused(f"there is no replay {run_id}; `threads-agent runs list` shows those there are")
    if run.status == "done":
        raise Refused(f"replay {run_id} is done; the same command with --again begins a new one")
    await _refuse_at_work(cluster, run)
    return await _gone_on(cluster, run)


async def _gone_on(cluster: Cluster, run: OperationRun) -> Begun:
    topic_ids, keys = _of_detail(run)
    plan = await still_there(cluster, Plan(run.positions, topic_ids))
    left = plan.offsets
    note = f"going on with run {run.run_id}: {run.read:,} records are read, at most {left:,} are left"
    return Begun(next_step(run), topic_ids, keys, (note,))


async def _refuse_at_work(cluster: Cluster, run: OperationRun) -> None:
    if await is_under_way(cluster, run):
        raise Refused(
            f"run {run.run_id} into {run.target} is under way, by {run.requested_by}: wait for its end, or end it and "
            f"go on with it by --resume {run.run_id}"
        )


def _refuse_twice(into: Sequence[OperationRun], run: OperationRun) -> None:
    """Raise Refused where a run has copied some of the same records to where they would stand twice."""
    topic_ids, keys = _of_detail(run)
    for each in into:
        known_ids, known_keys = _of_detail(each)
        if keys and known_keys and not set(keys) & set(known_keys):
            continue
        for one in run.positions:
            for other in each.positions:
                is_same_log = (one.topic, one.partition, topic_ids[one.topic]) == (
                    other.topic,
                    other.partition,
                    known_ids.get(other.topic),
                )
                first, end = max(one.start, other.start), min(one.end, other.next)
                if is_same_log and first < end:
                    raise Refused(
                        f"run {each.run_id} has copied offsets {first:,} to {end - 1:,} of {one.topic}/{one.partition} "
                        f"into {run.target} already: they would stand there twice; --again does it all the same"
                    )


def _said(done: OperationRun) -> str:
    """Say that the very same range was done before."""
    ended = "" if done.ended_at is None else f" at {moment_text(round(done.ended_at.timestamp() * 1000))}"
    return f"run {done.run_id} read the very same into {done.target}, and was done{ended}: doing it again"


def _reads_same(one: OperationRun, other: OperationRun) -> bool:
    def bounds(run: OperationRun) -> tuple[object, ...]:
        return (_of_detail(run), sorted((each.topic, each.partition, each.start, each.end) for each in run.positions))

    return bounds(one) == bounds(other)


def _detail(topic_ids: Mapping[str, str | None], keys: Sequence[str]) -> str:
    return json.dumps({"topic_ids": dict(sorted(topic_ids.items())), "keys": sorted(set(keys))}, ensure_ascii=False)


def _of_detail(run: OperationRun) -> tuple[dict[str, str | None], tuple[str, ...]]:
    found: dict[str, Any] = json.loads(run.detail or "{}")
    return found.get("topic_ids", {}), tuple(found.get("keys", ()))
