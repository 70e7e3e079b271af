"""One run of the demo: personas, requests and history in, then the topics watched until all is decided and counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from agents.demo.history import History, Totals, find_history, totals_of
from agents.demo.scoreboard import TOPICS, Scoreboard
from agents.demo.screen import View
from agents.importing.report import described
from agents.importing.run import import_source
from agents.importing.sources.csv_file import CsvFile
from agents.personas.persona_file import SAMPLES, read_personas
from agents.personas.persona_topic import apply_personas
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import PersonaRequest, PostCommand, PostState, Record
from streams.engine.stage import Output
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.kafka.topic_tail import END, Beginning, TopicTail
from streams.settings import Settings
from streams.wall_clock import utc_now

BRIEFS = Path(__file__).with_name("briefs.yaml")
PATIENCE_S = 180.0  # without any progress; the offline model writes about 50 tokens a second on an idle core
LOOK_INTERVAL_S = 0.3
KPI_REACH = 50_000  # records of kpi.updates looked back at for the newest of each persona and window
KPI_UPDATES_PER_PERSONA = 50
BEGINNINGS = {topic_named(name): END for name in TOPICS} | {
    topic_named("kpi.updates"): Beginning(KPI_REACH, per_key=KPI_UPDATES_PER_PERSONA)
}
ASKED_BY = "demo"


def demo_requests(count: int) -> list[PersonaRequest]:
    """Return `count` requests with ids of their own, from the briefs in turn."""
    briefs: list[dict[str, Any]] = yaml.safe_load(BRIEFS.read_text(encoding="utf-8"))["briefs"]
    return [
        PersonaRequest(event_id=str(uuid4()), occurred_at=utc_now(), persona_id=one["persona_id"], brief=one["brief"])
        for one in islice(cycle(briefs), count)
    ]


def at_once(state: PostState) -> PostCommand:
    """Return the command that publishes what is approved now, not at the next slot of its persona."""
    now = utc_now()
    return PostCommand(
        event_id=str(uuid4()),
        occurred_at=now,
        persona_id=state.persona_id,
        kind="schedule",
        publication_id=state.publication_id,
        draft_id=state.draft_id,
        due_at=now,
        reason="the demo shows it now",
        requested_by=ASKED_BY,
    )


@dataclass(slots=True)
class Watch:
    """Follow the topics into the scoreboard; `totals` is what the import must bring the lifetime KPIs to."""

    tail: TopicTail[Record]
    producer: EventProducer
    board: Scoreboard
    view: View
    totals: Totals
    _hurried: set[str] = field(default_factory=set)
    _progress: str = ""
    _progress_at: float = field(default_factory=time.monotonic)

    async def until_counted(self, importing: asyncio.Task[None], stopped: asyncio.Event) -> str | None:
        """Watch until every request is decided, every accepted draft a post and all engagement counted; return None.

        Else return what is left: when `stopped` is set, or when nothing has changed for PATIENCE_S. An error of the
        import is raised.
        """
        while True:
            await self._look(importing)
            left = self._left(importing)
            if left is None or stopped.is_set():
                return left
            self.view.note(f"Waiting for: {left}")
            if left != self._progress:
                self._progress, self._progress_at = left, time.monotonic()
            elif time.monotonic() - self._progress_at > PATIENCE_S:
                return f"{left}; nothing has changed for {PATIENCE_S:.0f} s"
            await self._pause(stopped)

    async def until_stopped(self, importing: asyncio.Task[None], stopped: asyncio.Event) -> None:
        """Watch until `stopped` is set."""
        while not stopped.is_set():
            await self._look(importing)
            left = self._left(importing)
            self.view.note("Ctrl-C ends the demo. " + (f"Waiting for: {left}" if left else "All is counted."))
            await self._pause(stopped)

    async def _look(self, importing: asyncio.Task[None]) -> None:
        for record in await self.tail.news():
            self.board.fold(record)
        await self._hurry()
        self.view.show(self.board)
        if importing.done():
            importing.result()

    async def _hurry(self) -> None:
        """Ask for what waits for its persona's next slot to be published now."""
        waiting = [each for each in self.board.publications().values() if each.state in ("approved", "scheduled")]
        fresh = [each for each in waiting if each.publication_id not in self._hurried]
        if fresh:
            await self.producer.append_all([Output("posts.commands", at_once(each)) for each in fresh])
            self._hurried.update(each.publication_id for each in fresh)

    def _left(self, importing: asyncio.Task[None]) -> str | None:
        missing = sum(self.board.missing(self.totals).values())
        counts = {
            "the decision on {} requests": len(self.board.undecided()),
            "the post of {} drafts": len(self.board.unpublished()),
            "the views of {} posts in the KPIs": len(self.board.unseen()),
        }
        parts = [wanted.format(count) for wanted, count in counts.items() if count]
        if missing or not importing.done():
            parts.append(f"{missing:,} imported engagements in the KPIs")
        return " and ".join(parts) or None

    async def _pause(self, stopped: asyncio.Event) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), LOOK_INTERVAL_S)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: the scoreboard, the import in words, and what is left undone, None where all is done."""

    board: Scoreboard
    imported: str
    left: str | None


class DemoSession:
    """Run the demo against a stack that runs, and tell the view of it."""

    def __init__(self, settings: Settings, view: View, requests: int) -> None:
        """Send `requests` requests; raises SettingsError where there is no Kafka."""
        self._settings = settings
        self._view = view
        self._cluster = Cluster.of(settings)
        self._registry = self._cluster.open_registry()
        self._requests = demo_requests(requests)
        self._board = Scoreboard({one.event_id for one in self._requests}, RowCodec(self._registry))
        self._imported = "not finished"

    async def run(self, stopped: asyncio.Event, *, once: bool) -> Outcome:
        """Run until everything is decided and counted (`once`), or until `stopped` is set.

        Raises:
            Unavailable: Kafka does not answer.
        """
        personas = read_personas(SAMPLES)
        await apply_personas(self._settings, personas, utc_now())
        history = find_history(self._settings.home.absolute())
        self._view.note(f"{len(personas)} personas applied; importing {history.path.name}: {history.what}")
        producer = EventProducer(self._cluster, self._registry)
        tail = TopicTail(self._cluster, self._registry, BEGINNINGS, Record)
        await producer.start()
        try:
            left = await self._follow(tail, history, producer, stopped, once=once)
        finally:
            await asyncio.gather(tail.close(), producer.stop())
        return Outcome(self._board, self._imported, left)

    async def _follow(
        self, tail: TopicTail[Record], history: History, producer: EventProducer, stopped: asyncio.Event, *, once: bool
    ) -> str | None:
        for update in await tail.news():  # the KPIs of now; the other topics begin at their ends
            self._board.fold(update)
        await producer.append_all([Output("persona.requests", request) for request in self._requests])
        watch = Watch(tail, producer, self._board, self._view, await asyncio.to_thread(totals_of, history))
        async with _in_background(self._import(history)) as importing:
            if once:
                return await watch.until_counted(importing, stopped)
            await watch.until_stopped(importing, stopped)
        return None

    async def _import(self, history: History) -> None:
        report = await import_source(
            CsvFile(history.path), history.mapping, self._settings, shift_to_now=True, simulated=history.simulated
        )
        self._imported = f"{'; '.join(described(report))} ({history.what})"


@asynccontextmanager
async def _in_background(work: Coroutine[None, None, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run `work` as a task while the block runs, and end it with the block; its error is raised at the end."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
