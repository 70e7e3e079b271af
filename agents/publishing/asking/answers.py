"""Answers: what came of a command that was sent, as the publisher tells it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final, Literal

from agents.publishing.asking.post_book import PostBook, SeenPost
from agents.publishing.identity import ROLE
from agents.publishing.propose_stage import TOPIC
from schemas.records import PostState
from streams.engine.batch import TopicPartition
from streams.engine.stage import Output
from streams.kafka.cluster import Cluster
from streams.kafka.consumer_lag import LagReader
from streams.kafka.producer import EventProducer
from streams.settings import Settings

ANSWER_WITHIN_S: Final = 10.0
LOOKED_AT_WITHIN_S: Final = 2.0
"""Once the publisher has a command it looks at the publication; a state that follows at all has come by then."""
POLL_S: Final = 0.2
_ORDER: Final = TopicPartition(TOPIC, 0)  # its only one
Outcome = Literal["done", "taken", "silent", "stands"]
"""done: it led to a state; taken: the publisher has it, and no state followed yet; silent: no publisher took it in
time; stands: it was so already, and nothing was sent.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command: the publication with its states, and what else there is to say."""

    post: SeenPost
    command_id: str | None
    outcome: Outcome
    notes: tuple[str, ...] = ()

    @property
    def state(self) -> PostState | None:
        """Return the newest state; None where nothing was told yet."""
        return self.post.last


async def sent(settings: Settings, book: PostBook, output: Output, command_id: str, publication_id: str) -> Outcome:
    """Append a command, or a record that leads to one, and return what came of it within `ANSWER_WITHIN_S`.

    Raises:
        Unavailable: Kafka does not answer.
    """
    cluster = Cluster.of(settings)
    async with EventProducer(cluster, cluster.open_registry()) as producer:
        await producer.append_all([output])
    async with LagReader(cluster) as groups:
        return await _outcome(book, groups, command_id, publication_id)


async def _outcome(book: PostBook, groups: LagReader, command_id: str, publication_id: str) -> Outcome:
    """Wait until the publisher has told a state that the command led to, or has had the command for a while."""
    until_s, taken, behind = time.monotonic() + ANSWER_WITHIN_S, False, None
    while True:
        await book.refresh()
        if _has_led_to_a_state(book, command_id, publication_id):
            return "done"
        if time.monotonic() > until_s:
            return "taken" if taken else "silent"
        if not taken and book.has(command_id):
            lag = next((each for each in await groups.lags([ROLE]) if each.source == _ORDER), None)
            behind = lag.end if lag is not None and behind is None else behind
            taken = lag is not None and behind is not None and (lag.committed or 0) >= behind
            until_s = time.monotonic() + LOOKED_AT_WITHIN_S if taken else until_s
        await asyncio.sleep(POLL_S)


def _has_led_to_a_state(book: PostBook, command_id: str, publication_id: str) -> bool:
    post = book.find(publication_id)
    return post is not None and any(each.causation_id == command_id for each in post.states)
