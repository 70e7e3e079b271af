"""A replay from a request to its end: what is meant, where it goes, and how it is watched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import click

from schemas.records import OperationRun
from sinks.replaying.watching import Watch, watching
from streams.engine.decoding import Decoder
from streams.errors import SettingsError
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import hidden_now
from streams.operations.runs import telling
from streams.replaying.into_topic import IntoTopic
from streams.replaying.reading import Remark
from streams.replaying.replay import Replay
from streams.replaying.runs import Begun, begun, resumed
from streams.replaying.selection import Selection
from streams.replaying.target import load_target
from streams.replaying.target_topic import PREFIX, target_topic
from streams.replaying.writing import Writing, writing_into
from streams.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for: a selection into a target, or to go on with the run `resume`."""

    selection: Selection | None = None
    target: str = ""
    resume: str | None = None
    again: bool = False
    requested_by: str | None = None
    rate: float | None = None


async def run_replay(settings: Settings, request: Request) -> OperationRun:
    """Do it, and return the run as it ended.

    Raises:
        ThreadsError: it can't begin, or it failed; the run says why, and can be gone on with.
    """
    cluster = await checked(settings, request)
    start = await begun_of(cluster, request)
    target, topics = start.run.target, tuple(start.topic_ids)
    for note in start.notes:
        click.echo(note, err=True)
    async with AsyncExitStack() as stack:
        watch: Watch = stack.enter_context(watching(f"replay into {target}", start.run))
        writing, appender = await stack.enter_async_context(_writing(cluster, start.run, topics, watch.remark))
        told = await stack.enter_async_context(telling(cluster, start.run, appender))
        replay = Replay(
            cluster, writing, keys=start.keys, rate=request.rate, remark=watch.remark, on_progress=watch.on_progress
        )
        await replay.run(told, start.topic_ids)
    return told.run


async def begun_of(cluster: Cluster, request: Request) -> Begun:
    """Return the run that a request means; raises as `begun` and `resumed` do."""
    if request.resume is not None:
        return await resumed(cluster, request.resume)
    assert request.selection is not None
    return await begun(
        cluster,
        request.selection,
        request.target,
        again=request.again,
        requested_by=request.requested_by,
        once=request.target.startswith(PREFIX),
    )


async def checked(settings: Settings, request: Request) -> Cluster:
    """Return the cluster, when it answers and the target takes the topics that are selected; nothing is made.

    Raises:
        SettingsError: there is no such target, or it takes something else.
        Unavailable: the broker is away.
    """
    topics = () if request.selection is None else request.selection.topics
    if request.target.startswith(PREFIX):
        cluster, name = await Cluster.reached(settings), request.target.removeprefix(PREFIX)
        await target_topic(cluster, cluster.open_registry(), name, topics, create=False)
        return cluster
    taken = load_target(request.target)(settings).topics if topics else ()
    for name in topics:
        if name not in taken:
            raise SettingsError(f"{request.target} takes nothing from {name}; it takes {', '.join(sorted(taken))}")
    return await Cluster.reached(settings)


@asynccontextmanager
async def _writing(
    cluster: Cluster, run: OperationRun, topics: tuple[str, ...], remark: Remark
) -> AsyncIterator[tuple[Writing[Any], IntoTopic | None]]:
    """Open a target; a topic's steps are written by the one writer of its copies."""
    if run.target.startswith(PREFIX):
        registry = cluster.open_registry()
        topic = await target_topic(cluster, registry, run.target.removeprefix(PREFIX), topics, create=True)
        async with IntoTopic(cluster, registry, topic, run.run_id) as into:
            yield into, into
        return
    opened = load_target(run.target)(cluster.settings)
    await opened.open()
    try:
        yield writing_into(opened, await decoder_of(cluster), remark), None
    finally:
        await opened.close()


async def decoder_of(cluster: Cluster) -> Decoder:
    """Return what decodes records, those left out that are hidden now."""
    hidden = await hidden_now(cluster)
    return Decoder(cluster.open_registry(), cluster.settings, lambda: hidden)
