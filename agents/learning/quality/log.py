"""What training reads of the log: hooks.rewards, then drafts.scored, each once from its beginning to its end of now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TypeVar

from agents.learning.quality.posts import Gathering, Material
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault, RegistryUnavailable
from schemas.records import DraftScored, HookReward, Record
from streams.errors import RecordFault, Unavailable
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import read_range
from streams.validation import validate

Kind = TypeVar("Kind", bound=Record)


async def read_material(cluster: Cluster, *, with_simulated: bool) -> Material:
    """Return what the log holds to learn from; hidden personas and records that can't be decoded are left out.

    Raises:
        Unavailable: the broker, a topic or the registry is away, or gave no record within the io time-out.
    """
    gathering = Gathering(with_simulated=with_simulated)
    async for reward in _records(cluster, "hooks.rewards", HookReward):
        gathering.take_reward(reward)
    async for scored in _records(cluster, "drafts.scored", DraftScored):
        gathering.take_scored(scored)
    return gathering.material()


async def _records(cluster: Cluster, name: str, kind: type[Kind]) -> AsyncIterator[Kind]:
    codec, topic = RowCodec(cluster.open_registry()), topic_named(name)
    async with aclosing(read_range(cluster, name)) as blocks:
        async for _, records in blocks:
            for record in records:
                if record.value is None:
                    continue
                try:
                    found = codec.decode(topic, record.value)
                    validate(found)
                except (DecodeFault, RecordFault):
                    continue  # who consumes the topic has told of it
                except RegistryUnavailable as error:
                    raise Unavailable(str(error)) from error
                assert isinstance(found, kind)
                yield found
