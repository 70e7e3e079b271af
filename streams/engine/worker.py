"""The worker: one process that runs the stages of one or several roles until a signal or a fault ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial

from schemas.codec.columns import ColumnCodec
from streams.endpoints import make_home
from streams.engine.app import RoleApp, make_app
from streams.engine.batch import FetchedRecord, Slice, TopicPartition
from streams.engine.checkpoint import CheckpointLimits
from streams.engine.dead_letters import Letters
from streams.engine.decoding import Decoder
from streams.engine.health import LIVE, READY, WorkerHealth
from streams.engine.loop import TICK_S, CheckpointedLoop
from streams.engine.memory import keep_returning_free_memory, tune_garbage_collection
from streams.engine.readings import Reading
from streams.engine.retry import Backoff
from streams.engine.service import ServiceRun, running_service
from streams.engine.stage import AnyStage
from streams.engine.watchdog import Watchdog
from streams.engine.worker_metrics import WorkerCollector
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.kafka.hidden_watch import HiddenWatch
from streams.kafka.log_reader import read_offsets
from streams.kafka.producer import EventProducer
from streams.kafka.record_size import letter_room
from streams.letters.refused import RefusedRecords
from streams.metrics import WORKER_ROLE_FAILING
from streams.metrics_server import MetricsServer
from streams.policies import Policies
from streams.quarantine.quarantines import Quarantines
from streams.role import AnyRole, Role, ServiceRole, load_role, role_names
from streams.running_workers import announced
from streams.settings import Settings
from streams.state.changelogged import ChangeloggedState
from streams.state.duplicates import DuplicateFilter
from streams.state.kafka_changelog import KafkaChangelog, changelog_name
from streams.state.local_store import open_store
from streams.state.versions import FIRST, LOOK_EVERY_S, LiveVersions
from streams.transport.topic_watch import TopicWatch

logger = logging.getLogger(__name__)

STOP_TIMEOUT_S = 30.0
RESTART_BACKOFF = Backoff(first_s=0.5, max_s=15.0)


class Worker:
    """Run roles on one event loop with one producer.

    The first error that the loops could not classify ends the worker: `run` returns 1, another worker is started, and
    goes on from the last checkpoint. A signal (SIGTERM, SIGINT) drains: `run` returns 0. `quarantines` know what ended
    earlier workers; roles that are hopeless are not run.
    """

    def __init__(
        self,
        roles: Sequence[AnyRole],
        settings: Settings,
        instance_id: str | None,
        quarantines: Quarantines | None = None,
    ) -> None:
        self.asked_to_end = asyncio.Event()
        self.is_stuck = False  # it could not stop: what it holds is free only when the process ends
        self._quarantines = quarantines or Quarantines()
        self._given_up = {role.name: why for role in roles if (why := self._quarantines.hopeless(role.name))}
        self._roles = [role for role in roles if role.name not in self._given_up]
        self._settings = settings
        self._instance_id = instance_id
        self._ended: asyncio.Event = asyncio.Event()
        self._fault: BaseException | None = None
        self._is_outdated = False
        self._addresses: dict[str, str] = {}
        self._cluster = Cluster.of(settings)
        self._registry = self._cluster.open_registry()
        self._producer = EventProducer(self._cluster, self._registry)
        self._hidden = HiddenWatch(self._cluster, self._begin_anew)
        self._versions = LiveVersions.of(self._cluster, self._begin_anew)

    def fail(self, role: str, error: BaseException) -> None:
        """End the worker because of an error of a role."""
        if self._fault is None:
            self._fault = error
            self._quarantines.ended(role, error)
            logger.error("%s ends, and starts again from its last checkpoint: %r", role, error, exc_info=error)
        self._ended.set()

    def _begin_anew(self) -> None:
        """End because records were hidden or a state was replaced: the next worker takes all over as it is now."""
        logger.info("What this worker keeps is outdated (records were hidden, or a state was replaced): it begins anew")
        self._is_outdated = True
        self._ended.set()

    def end(self) -> None:
        """End the worker as a signal would: it drains, and `run` returns."""
        self.asked_to_end.set()
        self._ended.set()

    async def run(self) -> int:
        """Run until a signal, `end` or a fault; return the exit status."""
        running = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            running.add_signal_handler(signum, self.end)
        async with contextlib.AsyncExitStack() as stack:
            await self._cluster.check()
            configure_logging(self._settings.log_level)  # not before: the client logs a broker that is away, too
            collector = WorkerCollector(running)
            health = self._health(running)
            url = stack.enter_context(self._served(collector, health))
            if health.limit_s is not None:
                within_s = min(STOP_TIMEOUT_S, health.limit_s)
                stack.enter_context(
                    Watchdog(health, self._cluster, ends=partial(self._stuck, running), within_s=within_s)
                )
            stack.push_async_callback(self._producer.stop)
            await stack.enter_async_context(self._hidden.kept_up())
            if any(isinstance(role, Role) for role in self._roles):  # services keep no state
                await stack.enter_async_context(self._versions.kept_up(LOOK_EVERY_S))
            for role in self._roles:
                await self._start(role, collector, health, stack)
            self._tell_of_roles(collector)
            names = [role.name for role in self._roles]
            stack.enter_context(announced(self._settings.home, names, url, self._given_up, self._addresses))
            tune_garbage_collection()
            returning = asyncio.create_task(keep_returning_free_memory())
            stack.callback(returning.cancel)
            logger.info("Running %s; its metrics are at %s", ", ".join(names) or "no role", url)
            await self._ended.wait()
        return 1 if self._fault or (self._is_outdated and not self.asked_to_end.is_set()) else 0

    def _health(self, running: asyncio.AbstractEventLoop) -> WorkerHealth:
        names, limit_s = [role.name for role in self._roles], self._settings.watchdog_s
        if 0 < limit_s <= self._settings.io_timeout_s:
            logger.warning(
                "THREADS_WATCHDOG_S (%g) is no longer than THREADS_IO_TIMEOUT_S (%g): a call that is only slow may end "
                "the worker",
                limit_s,
                self._settings.io_timeout_s,
            )
        return WorkerHealth(running, names, self._given_up, limit_s or None)

    def _stuck(self, running: asyncio.AbstractEventLoop, why: str, role: str | None, stage: str | None) -> None:
        """End because the watchdog found something stuck; it calls on its own thread."""

        def end() -> None:
            if role is not None and stage is not None:
                self._quarantines.of(role, stage).hung(why)
            self.is_stuck = True
            self._fault = self._fault or ThreadsError(why)
            self._ended.set()

        with contextlib.suppress(RuntimeError):  # its event loop is gone: the process ends anyway
            running.call_soon_threadsafe(end)

    async def _start(
        self, role: AnyRole, collector: WorkerCollector, health: WorkerHealth, stack: contextlib.AsyncExitStack
    ) -> None:
        try:
            if isinstance(role, ServiceRole):
                run = await stack.enter_async_context(self._serving(role))
                stack.enter_context(collector.showing(run.collectors))
                stack.enter_context(health.serving(role.name))
            else:
                app = await stack.enter_async_context(self._running(role))
                stack.enter_context(collector.watching(app.loops))
                stack.enter_context(health.watching(role.name, app.loops, _Transport(app)))
        except ThreadsError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the worker
            self.fail(role.name, error)

    @contextlib.asynccontextmanager
    async def _serving(self, role: ServiceRole) -> AsyncIterator[ServiceRun]:
        self._quarantines.of(role.name, role.name).begin()  # it has no records, but knows how often it ended in a row
        run = ServiceRun(self._settings)
        serving = running_service(role.serve, run, self._ended, partial(self.fail, role.name))
        async with serving:
            if run.address:
                self._addresses[role.name] = run.address
            yield run
        self.is_stuck = self.is_stuck or run.is_stuck

    def _tell_of_roles(self, collector: WorkerCollector) -> None:
        for role in self._roles:
            collector.state(Reading(WORKER_ROLE_FAILING, (role.name,), 0.0))
        for name, why in self._given_up.items():
            collector.state(Reading(WORKER_ROLE_FAILING, (name,), 1.0))
            logger.error("%s is failing and does not run: %s. Mend that, and start the worker again", name, why)

    @contextlib.contextmanager
    def _served(self, collector: WorkerCollector, health: WorkerHealth) -> Iterator[str]:
        host, port = self._settings.worker_metrics_host, self._settings.worker_metrics_port
        pages = {LIVE: health.live, READY: health.ready}
        server = MetricsServer(collector, host=host, port=port, port_setting="THREADS_WORKER_METRICS_PORT", pages=pages)
        try:
            yield server.url
        finally:
            server.close()

    @contextlib.asynccontextmanager
    async def _running(self, role: Role) -> AsyncIterator[RoleApp]:
        await self._producer.start()
        app = make_app(role.name, self._cluster, self._instance_id, partial(self.fail, role.name))
        for stage in role.build(self._settings):
            await stage.open()
            stage.hide(self._hidden.now())
            app.add_stage(self._loop(role, stage, app))
        await app.start()
        stopping = asyncio.Event()
        ticks = [asyncio.create_task(self._tick(role.name, loop, stopping)) for loop in app.loops]
        watching = asyncio.create_task(self._watch(role, app))
        try:
            yield app
        finally:
            watching.cancel()
            stopping.set()
            await self._stop(app)  # before the ticks are cancelled: one may be in the middle of a checkpoint
            for task in ticks:
                task.cancel()
            await asyncio.gather(*ticks, watching, return_exceptions=True)

    async def _stop(self, app: RoleApp) -> None:
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await app.stop()
                for loop in app.loops:
                    await loop.stop()
        except TimeoutError:
            self.is_stuck = True
            logger.warning(
                "%s did not stop within %.0f s; what was not durable is done again", app.conf.id, STOP_TIMEOUT_S
            )

    async def _tick(self, role: str, loop: CheckpointedLoop, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await loop.tick()
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever it is, it ends the worker
                self.fail(role, error)
                return
            await asyncio.sleep(TICK_S)

    def _loop(self, role: Role, stage: AnyStage, app: RoleApp) -> CheckpointedLoop:
        columns, horizon = ColumnCodec(self._registry), self._settings.duplicate_horizon
        refused = RefusedRecords(self._cluster, role.name).of

        def duplicates(source: TopicPartition) -> DuplicateFilter:
            return DuplicateFilter(source, horizon, columns, self._read_log, refused)

        return CheckpointedLoop(
            stage=stage,
            decoder=Decoder(self._registry, self._settings, self._hidden.now),
            duplicates=duplicates if stage.once_per_event else None,
            state=self._state(role, stage, app) if stage.stateful else None,
            appender=self._producer,
            acknowledger=_Transport(app),
            limits=CheckpointLimits.of(self._settings),
            quarantine=self._quarantines.of(role.name, stage.name),
            letters=Letters(role.name, letter_room(self._settings), Policies(self._settings.dead_letter_policy)),
            refused=refused,
        )

    async def _watch(self, role: Role, app: RoleApp) -> None:
        stages = [loop.stage for loop in app.loops]
        topics = {topic for stage in stages for topic in stage.topics}
        kept = [
            changelog_name(role.name, each.name, topic, self._versions.of_state(role.name, each.name))
            for each in stages
            if each.stateful
            for topic in each.topics
        ]
        watch = TopicWatch(role.name, topics, app.consumer, self._settings.topic_watch_interval_s, changelogs=kept)
        try:
            await watch.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the worker
            self.fail(role.name, error)

    def _state(self, role: Role, stage: AnyStage, app: RoleApp) -> ChangeloggedState:
        changelog = KafkaChangelog(role.name, stage.name, self._producer, self._cluster, self._versions)
        name = stage.name if changelog.version == FIRST else f"{stage.name}.v{changelog.version}"
        folder = self._settings.home / "state" / role.name / name / (self._instance_id or "0")
        return ChangeloggedState(
            changelog,
            folder,
            open_store,
            _Transport(app).log_id,
            owner_of=stage.owner_of,
            hidden=self._hidden.now,
        )

    def _read_log(self, source: TopicPartition, start: int, end: int) -> AsyncIterator[Sequence[FetchedRecord]]:
        return read_offsets(self._cluster, source, start, end)


class _Transport:
    """The transport of an app, which has its consumer only once it runs."""

    def __init__(self, app: RoleApp) -> None:
        self._app = app

    def behind(self, part: Slice) -> int:
        return int(self._app.consumer.behind(part))

    def acknowledge(self, part: Slice) -> None:
        self._app.consumer.acknowledge(part)

    def discard(self, part: Slice) -> None:
        self._app.consumer.discard(part)

    def log_id(self, source: TopicPartition) -> str | None:
        found: str | None = self._app.consumer.log_id(source)
        return found

    def newest(self, source: TopicPartition) -> int | None:
        consumer = self._app.consumer
        found: int | None = None if consumer is None else consumer.newest(source)
        return found

    def is_full(self, source: TopicPartition) -> bool:
        return self._app.consumer is not None and bool(self._app.consumer.is_full(source))

    async def commit(self) -> object:
        return await self._app.consumer.commit()

    def hold(self, source: TopicPartition) -> None:
        self._app.consumer.hold(source)

    async def read_again(self, source: TopicPartition) -> bool:
        return bool(await self._app.consumer.read_again(source))

    async def is_member(self, generation: int, max_age_s: float = 0.0) -> bool:
        return bool(await self._app.consumer.is_member(generation, max_age_s))


def configure_logging(level: str) -> None:
    """Log to stderr, one line a message; the clients below speak from warning on."""
    logging.basicConfig(
        stream=sys.stderr, level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name in ("aiokafka", "faust", "mode", "kafka", "httpx", "httpx2", "httpcore"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
    logging.getLogger("aiokafka.cluster").setLevel(logging.CRITICAL)  # it tells of a missing topic at every look


def run_roles(names: Sequence[str], settings: Settings, instance_id: str | None = None) -> int:
    """Run roles by name in this process until a signal, and return the exit status.

    Raises:
        ThreadsError: a role is unknown, the home not writable, or Kafka not configured or not there.
    """
    make_home(settings)
    roles = [load_role(name) for name in names]
    if not roles:
        raise ThreadsError(f"No role given; choose from: {', '.join(role_names())}")
    return asyncio.run(keep_running(roles, settings, instance_id))


async def keep_running(roles: Sequence[AnyRole], settings: Settings, instance_id: str | None) -> int:
    """Run worker after worker until a signal ends one; 1 when one could not stop, so that the process must end."""
    quarantines = Quarantines(settings.home, instance_id)
    try:
        for role in roles:
            quarantines.known(role.name)
        while True:
            worker = Worker(roles, settings, instance_id, quarantines)
            status = await worker.run()
            if status == 0 or worker.is_stuck:
                return status
            if await _is_asked_to_end(worker, quarantines.fruitless_starts()):
                return 0
    finally:
        quarantines.close()


async def _is_asked_to_end(worker: Worker, fruitless_starts: int) -> bool:
    """Pause before the next worker, the longer the less the last ones got done; tell whether a signal came."""
    delay_s = RESTART_BACKOFF.delay_s(fruitless_starts, None, random.random()) if fruitless_starts else 0.0  # noqa: S311
    try:
        async with asyncio.timeout(delay_s):
            await worker.asked_to_end.wait()
    except TimeoutError:
        return False
    return True
