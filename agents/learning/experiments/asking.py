"""Asking for a change of an experiment: written, read back, and told who was first where two ask at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from agents.learning.experiments.experiment_directory import ExperimentDirectory, experiment_directory
from agents.learning.experiments.experiment_states import TOPIC, NotPossible
from agents.personas.persona import Persona
from agents.personas.persona_topic import persona_directory
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault
from schemas.records import Experiment, HookReward
from streams.engine.stage import Output
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import read_range
from streams.kafka.producer import EventProducer
from streams.settings import Settings
from streams.wall_clock import utc_now

REWARDS = "hooks.rewards"


@dataclass(frozen=True, slots=True)
class Book:
    """The experiments there are, and a way to change them."""

    cluster: Cluster
    directory: ExperimentDirectory

    def require(self, experiment_id: str) -> Experiment:
        """Return an experiment by its id.

        Raises:
            NotPossible: there is none of that id.
        """
        found = self.directory.find(experiment_id)
        if found is None:
            raise NotPossible(f"there is no experiment {experiment_id}: `threads-agent experiments list` shows them")
        return found

    async def persona(self, persona_id: str) -> Persona:
        """Return a persona in force.

        Raises:
            NotPossible: there is none of that id.
        """
        personas = await persona_directory(self.cluster, self.cluster.open_registry()).read_once()
        found = personas.find(persona_id)
        if found is None:
            raise NotPossible(f"there is no persona {persona_id}: `threads-agent personas list` shows them")
        return found.persona

    async def write(self, change: Experiment) -> Experiment:
        """Write a change and return the experiment as it stands then.

        Raises:
            NotPossible: somebody else's change was first, or the persona has another active experiment.
        """
        other = self.directory.active(change.persona_id)
        if change.state == "active" and other is not None and other.experiment_id != change.experiment_id:
            raise NotPossible(
                f"persona {change.persona_id} has an active experiment, {other.experiment_id}: stop or pause it first"
            )
        await self._append(change)
        await self.directory.refresh()
        stands = self.require(change.experiment_id)
        if stands.event_id != change.event_id:
            await self._append(stands)  # once more: compaction keeps the last record of a key, and ours must not be it
            raise NotPossible(
                f"{stands.requested_by} was first: experiment {change.experiment_id} is {stands.state} now; look at it "
                f"with `threads-agent experiments show {change.experiment_id}` and ask again"
            )
        return stands

    async def _append(self, record: Experiment) -> None:
        async with EventProducer(self.cluster, self.cluster.open_registry()) as producer:
            await producer.append_all([Output(TOPIC, record)])

    async def change(self, experiment_id: str, to: Callable[[Experiment, datetime], Experiment]) -> Experiment:
        """Change an experiment by what a function makes of it; raises as `require`, `write` and the function do."""
        return await self.write(to(self.require(experiment_id), utc_now()))

    async def rewards(self, experiment: Experiment) -> list[HookReward]:
        """Return the rewards of an experiment's posts, all revisions."""
        codec, topic, found = RowCodec(self.cluster.open_registry()), topic_named(REWARDS), list[HookReward]()
        async with aclosing(read_range(self.cluster, REWARDS)) as blocks:
            async for _, records in blocks:
                for record in records:
                    try:
                        reward = codec.decode(topic, record.value)
                    except DecodeFault:
                        continue  # a foreign record: who reads the topic as a worker dead-letters it
                    if isinstance(reward, HookReward) and reward.choice.experiment_id == experiment.experiment_id:
                        found.append(reward)
        return found


@asynccontextmanager
async def opened_book(settings: Settings) -> AsyncIterator[Book]:
    """Open the experiments of the cluster.

    Raises:
        Unavailable: Kafka does not answer.
    """
    cluster = await Cluster.reached(settings)
    directory = experiment_directory(cluster, cluster.open_registry())
    try:
        await directory.refresh()
        yield Book(cluster, directory)
    finally:
        await directory.close()
