"""The state of workers: what their changelogs hold of a persona, and waiting until they have let go of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from streams.engine.batch import TopicPartition
from streams.engine.stage import AnyStage
from streams.erasers import Holding
from streams.kafka.cluster import Cluster
from streams.kafka.consumer_lag import LagReader
from streams.kafka.log_reader import LogReader
from streams.kafka.topics import those_there
from streams.role import Role, load_role
from streams.role_names import role_names
from streams.settings import Settings
from streams.state.changelogged import OF_THE_ENGINE
from streams.state.kafka_changelog import changelog_name
from streams.state.versions import LiveVersions

WAIT_S = 60.0
LOOK_EVERY_S = 1.0


@dataclass(slots=True)
class StageState:
    """The changelogs of a stage, and the keys of a persona's entries that were found in them up to `read_to`."""

    role: str
    stage: AnyStage
    changelogs: tuple[str, ...]
    found: set[tuple[TopicPartition, bytes]] = field(default_factory=set)
    read_to: dict[TopicPartition, int] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"state of {self.role}"

    @property
    def later(self) -> str:
        """Return what is left until its role is started; empty where nothing is."""
        return f"{len(self.found):,} until {self.role} is started" if self.found else ""

    def take(self, source: TopicPartition, key: bytes | None, value: bytes | None, owner: str) -> None:
        """Take in an entry of a changelog."""
        if key is None or key.startswith(OF_THE_ENGINE):
            return
        if value is not None and self.stage.owner_of(key, value) == owner:
            self.found.add((source, key))
        else:
            self.found.discard((source, key))


def stateful_stages(settings: Settings) -> list[tuple[str, AnyStage]]:
    """Return the stages that keep state, each with its role, of all roles that have something to do."""
    idle = settings.all_idle_roles()
    roles = [load_role(name) for name in role_names() if name not in idle]
    return [
        (role.name, stage)
        for role in roles
        if isinstance(role, Role)
        for stage in role.build(settings)
        if stage.stateful
    ]


async def erase(settings: Settings, key: str, *, dry_run: bool) -> Sequence[Holding]:
    """Wait until the workers have let go of what they keep of a persona that is hidden; that is theirs alone to do.

    A role that does not run lets go of it when it is started: `later` of its holding says so.

    Raises:
        Unavailable: the broker is away.
    """
    cluster = Cluster.of(settings)
    versions = await LiveVersions.of(cluster).read_once()
    states = [
        StageState(
            role,
            stage,
            tuple(
                changelog_name(role, stage.name, topic, versions.of_state(role, stage.name)) for topic in stage.topics
            ),
        )
        for role, stage in stateful_stages(settings)
    ]
    counts = await those_there(cluster, [name for each in states for name in each.changelogs])
    async with LogReader(cluster) as reader, LagReader(cluster) as groups:
        await _look(reader, states, counts, key)
        before = [len(each.found) for each in states]
        until = time.monotonic() + WAIT_S
        while not dry_run and await _are_held_by_workers(groups, states) and time.monotonic() < until:
            await asyncio.sleep(LOOK_EVERY_S)
            await _look(reader, states, counts, key)
    return [
        Holding(each.place, f"entries of {each.stage.name}", count, "" if dry_run else each.later)
        for each, count in zip(states, before, strict=True)
    ]


async def _are_held_by_workers(groups: LagReader, states: Iterable[StageState]) -> bool:
    """Tell whether a role that runs has not let go yet."""
    waiting = sorted({each.role for each in states if each.found})
    return any([bool((await groups.described(role)).members) for role in waiting])


async def _look(reader: LogReader, states: Iterable[StageState], counts: Mapping[str, int], owner: str) -> None:
    """Take in what was appended to changelogs since the last look."""
    for state in states:
        sources = [TopicPartition(name, number) for name in state.changelogs for number in range(counts.get(name, 0))]
        whole = await reader.whole(sources) if sources else {}
        bounds = {source: (max(first, state.read_to.get(source, 0)), end) for source, (first, end) in whole.items()}
        async with aclosing(reader.read(bounds)) as blocks:
            async for source, records in blocks:
                for record in records:
                    state.take(source, record.key, record.value, owner)
        state.read_to.update({source: end for source, (_, end) in bounds.items()})
