"""The command `threads-agent bench gateway`: the gateway beside FastAPI and aiokafka by hand, and while all works."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from uuid import uuid4

import click
from rich.console import Console

from agents.demo.stack import page_once_served
from agents.gateway.auth.first_token import read_first_token
from agents.personas.persona import Persona
from agents.personas.persona_file import SAMPLES, read_personas
from agents.personas.persona_topic import apply_personas
from schemas.records import PersonaRequest
from streams.embedded.control import start_detached, stop_stack
from streams.endpoints import read_endpoints
from streams.engine.stage import Output
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.kafka.topics import create_topics
from streams.role import role_names
from streams.settings import Settings, current_settings
from streams.wall_clock import utc_now
from tests.benchmarks.gateway.load import Load, Outcome
from tests.benchmarks.gateway.servers import UNLIMITED, Contestant, Door, bare, gateway
from tests.benchmarks.printing import print_json, print_results
from tests.benchmarks.running.module_process import ModuleRun
from tests.benchmarks.running.own_broker import broker

CONTESTANTS: dict[str, Contestant] = {"threads-agent gateway": gateway, "FastAPI + aiokafka": bare}
BODY = json.dumps({"persona_id": "ledger-lou", "brief": "an invoice that gets paid on time"})
EVENT = {"persona_id": "ledger-lou", "post_id": "bench", "kind": "like", "count": 1, "simulated": True}
WARM_UP_S = 3.0
DRAFTS_EACH = 8
ROOM_S = 60.0  # beyond its seconds a load may take so long
BYTES_PER_REQUEST_AND_MORE = 4_000_000  # events: what the broker must have room for


@dataclass(slots=True)
class Standing:
    """What a server did in each run."""

    name: str
    full: list[Outcome] = field(default_factory=list)
    steady: list[Outcome] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    peak_mb: float = 0.0

    @property
    def rate(self) -> float:
        """Return the median of requests a second at full load."""
        return median(each.requests_per_second for each in self.full)

    @property
    def has_failed(self) -> bool:
        """Tell whether anything but 202 came."""
        return any(each.others for each in (*self.full, *self.steady))

    def summary(self) -> dict[str, object]:
        """Return what --json shows."""
        rates = [each.requests_per_second for each in self.full]
        return {
            "name": self.name,
            "requests_per_second": self.rate,
            "min": min(rates),
            "max": max(rates),
            "cpu_ms_per_request": round(median(self.cpu_ms), 3),
            "peak_rss_mb": round(self.peak_mb, 1),
            "full_load": [asdict(each) for each in self.full],
            "steady": [asdict(each) for each in self.steady],
        }

    def row(self, others: float) -> list[object]:
        """Return a row of the table; `others` is the rate that 1.00 stands for."""
        rates = [each.requests_per_second for each in self.full]
        steady = [
            round(median(getattr(each, name) for each in self.steady), 1) for name in ("p50_ms", "p95_ms", "p99_ms")
        ]
        spread = f"{min(rates):,.0f} - {max(rates):,.0f}"
        used = [round(median(self.cpu_ms), 2), round(self.peak_mb)]
        return [
            self.name,
            round(self.rate),
            spread,
            f"{self.rate / others:.2f}",
            *used,
            *(round(each, 1) for each in steady),
        ]


@click.command("gateway", epilog="Example: threads-agent bench gateway --seconds 10 --repeats 3")
@click.option("--connections", default=64, show_default=True, type=click.IntRange(1, 1_000))
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(1.0), help="Of each load.")
@click.option("--rate", default=500.0, show_default=True, type=click.FloatRange(1.0), help="Of the steady load, 1/s.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(1))
@click.option("--pipeline/--no-pipeline", default=True, help="Also while the whole stack works, with its own model.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def gateway_command(
    *, connections: int, seconds: float, rate: float, repeats: int, pipeline: bool, as_json: bool
) -> None:
    """Measure POST /v1/requests, acknowledged by Kafka: as fast as it goes, and at a steady rate.

    Beside it the same by hand, without any check. The client, the server and the broker share this machine's cores.
    """
    loads = (Load("", "", BODY, connections, seconds, WARM_UP_S), Load("", "", BODY, connections, seconds, 1.0, rate))
    standings = _contest(loads, repeats)
    working = (
        _while_all_works(Load("", "", json.dumps([EVENT]), connections, seconds, WARM_UP_S, rate)) if pipeline else None
    )
    others = standings[-1].rate
    if as_json:
        ratio = {"ratio": round(standings[0].rate / others, 3), "connections": connections, "rate": rate}
        whole = {} if working is None else {"whole_pipeline": asdict(working)}
        print_json({**ratio, "contestants": [each.summary() for each in standings], **whole})
    else:
        at = [f"{name} ms at {rate:g}/s" for name in ("p50", "p95", "p99")]
        columns = ("server", "requests/s", "min - max", "ratio", "CPU ms a request", "peak MB", *at)
        print_results(
            f"POST /v1/requests, {connections} connections, median of {repeats}",
            columns,
            [each.row(others) for each in standings],
        )
        if working is not None:
            click.echo(
                f"While the whole stack works, POST /v1/engagement at {rate:g}/s: {working.requests_per_second:,.0f}/s"
                f", p50 {working.p50_ms:g} ms, p95 {working.p95_ms:g} ms, p99 {working.p99_ms:g} ms"
            )
    if any(each.has_failed for each in standings) or (working is not None and working.others):
        click.echo("some requests were not accepted; --json shows by what status", err=True)
        sys.exit(1)


def _contest(loads: Sequence[Load], repeats: int) -> list[Standing]:
    standings = [Standing(name) for name in CONTESTANTS]
    with broker(BYTES_PER_REQUEST_AND_MORE) as running, Console(stderr=True).status("starting") as status:
        asyncio.run(create_topics(running.cluster()))
        for number in range(repeats):
            for standing, contestant in zip(standings, CONTESTANTS.values(), strict=True):
                status.update(f"round {number + 1} of {repeats}: {standing.name}")
                with contestant(running) as door:
                    _measure(door, loads, standing, running.folder)
    return standings


def _measure(door: Door, loads: Sequence[Load], standing: Standing, folder: Path) -> None:
    full, steady = loads
    before, _ = door.usage()
    found = _put(full, door.url, door.token, folder)
    after, _ = door.usage()
    asked = found.requests_per_second * (full.seconds + full.warm_up_s)  # the warm-up takes as much
    standing.full.append(found)
    standing.cpu_ms.append(1_000 * (after - before) / max(asked, 1.0))
    standing.steady.append(_put(steady, door.url, door.token, folder))
    standing.peak_mb = max(standing.peak_mb, door.usage()[1])


def _put(load: Load, url: str, token: str, folder: Path) -> Outcome:
    """Put a load on a server from a process of its own."""
    asked, found = folder / "load.json", folder / "outcome.json"
    asked.write_text(json.dumps({**asdict(load), "url": url, "token": token}), encoding="utf-8")
    options = {"load": asked, "outcome": found}
    timeout_s = load.warm_up_s + load.seconds + ROOM_S
    ModuleRun(Path(sys.executable), "tests.benchmarks.gateway.load", options, folder / "load.log", timeout_s).run()
    return Outcome(**json.loads(found.read_text(encoding="utf-8")))


async def _ask_for_drafts(settings: Settings) -> None:
    """Give the writers work for longer than the load takes."""
    cluster = Cluster.of(settings)
    personas = read_personas(SAMPLES)
    await apply_personas(settings, personas, utc_now())
    async with EventProducer(cluster, cluster.open_registry()) as producer:
        await producer.append_all([Output("persona.requests", _request(each)) for each in personas * DRAFTS_EACH])


def _request(persona: Persona) -> PersonaRequest:
    return PersonaRequest(
        event_id=str(uuid4()),
        occurred_at=utc_now(),
        persona_id=persona.persona_id,
        brief=persona.examples[0].brief,
        language=None,
        draft_count=1,
        trend=None,
        deadline="now",
    )


def _while_all_works(load: Load) -> Outcome:
    """Put a load on the gateway of a whole embedded stack, whose workers count what comes while its model writes."""
    os.environ |= UNLIMITED  # of the stack, which is started with them
    with tempfile.TemporaryDirectory(prefix="threads-bench-", ignore_cleanup_errors=True) as name:
        home = Path(name) / "home"
        settings = current_settings().model_copy(update={"home": home})
        with Console(stderr=True).status("starting the whole stack") as status:
            start_detached(settings, role_names(), status.update)
            try:
                page_once_served(home)
                address, token = read_endpoints(home).gateway, read_first_token(home)
                if address is None or token is None:
                    raise ThreadsError(f"the stack has no gateway; see the logs in {home / 'logs'}")
                asyncio.run(_ask_for_drafts(settings))
                status.update("the whole stack works")
                return _put(load, f"{address}/v1/engagement", token, Path(name))
            finally:
                stop_stack(home)
