"""One run of the demo: personas, requests and history in, then the topics watched until all is decided and counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from agents.demo.history import History, find_history, totals_of
from agents.demo.requests import demo_requests
from agents.demo.scoreboard import TOPICS, Scoreboard
from agents.demo.simulated_audience import SimulatedAudience
from agents.demo.view import View
from agents.demo.watch import Watch
from agents.importing.report import described
from agents.importing.run import import_file
from agents.personas.persona_file import read_personas
from agents.personas.persona_topic import apply_personas
from agents.personas.sample_files import SAMPLES
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import Record
from schemas.registries.registry import open_registry
from streams.endpoints import require_kafka, resolve
from streams.engine.stage import Output
from streams.kafka.beginning import END, Beginning
from streams.kafka.producer import EventProducer
from streams.kafka.topic_tail import TopicTail
from streams.settings import Settings
from streams.wall_clock import utc_now

TURN_INTERVAL_S = 2.0
KPI_REACH = 50_000  # records of kpi.updates looked back at for the newest of each persona and window
KPI_UPDATES_PER_PERSONA = 50
BEGINNINGS = {topic_named(name): END for name in TOPICS} | {
    topic_named("kpi.updates"): Beginning(KPI_REACH, per_key=KPI_UPDATES_PER_PERSONA)
}
AUDIENCE_SEED = 7


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
        self._bootstrap = require_kafka(settings)
        self._registry = open_registry(resolve(settings).schemas)
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
        producer = EventProducer(self._bootstrap, self._registry, self._settings)
        tail = TopicTail(self._settings, self._registry, BEGINNINGS, Record)
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
        watch = Watch(tail, self._board, self._view, await asyncio.to_thread(totals_of, history))
        async with _in_background(self._import(history)) as importing:
            if once:
                return await watch.until_counted(importing, stopped)
            async with _in_background(self._entertain(producer)):
                await watch.until_stopped(importing, stopped)
        return None

    async def _import(self, history: History) -> None:
        report = await import_file(
            history.path, history.mapping, self._settings, shift_to_now=True, simulated=history.simulated
        )
        self._imported = f"{'; '.join(described(report))} ({history.what})"

    async def _entertain(self, producer: EventProducer) -> None:
        """Have a simulated audience look at the accepted drafts, slowly."""
        audience = SimulatedAudience(AUDIENCE_SEED)
        while True:
            await producer.append_all(audience.publish(self._board.accepted()))
            await producer.append_all(audience.turn())
            await asyncio.sleep(TURN_INTERVAL_S)


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
