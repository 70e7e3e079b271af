"""A generation worker that is killed at random moments decides every request once and books every call of it once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from agents.personas.persona_topic import persona_applied
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault
from schemas.records import CostEvent, DraftDecided, DraftGenerated, PersonaRequest, Record
from schemas.registries.registry import open_registry
from streams.engine.stage import Output
from streams.kafka.log_reader import read_range
from streams.kafka.producer import EventProducer
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker
from tests.support.drafting import samples
from tests.support.faults.fault_report import BeginFault
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai

REQUESTS = 60
KILLS = 5
DEADLINE_S = 90.0


def requests(seed: int) -> list[PersonaRequest]:
    personas = [persona.persona_id for persona in samples()]
    return [
        PersonaRequest(
            event_id=f"kill-{seed}-{number}",
            occurred_at=datetime.now(UTC),
            persona_id=personas[number % len(personas)],
            brief=f"what {seed % 900 + number} days without a plan taught me about number {number}",
        )
        for number in range(REQUESTS)
    ]


async def read(stack: Stack, topic_name: str) -> list[Record]:
    codec, topic = RowCodec(open_registry(None)), topic_named(topic_name)
    found: list[Record] = []
    async for _, records in read_range(stack.cluster, topic_name):
        for record in records:
            with contextlib.suppress(DecodeFault):  # other tests append garbage
                found.append(codec.decode(topic, record.value))
    return found


async def decisions(stack: Stack, seed: int) -> dict[str, set[str]]:
    """Return the draft ids decided for each request of a seed."""
    decided: dict[str, set[str]] = {}
    for topic in ("drafts.accepted", "drafts.rejected"):
        for record in await read(stack, topic):
            assert isinstance(record, DraftDecided)
            if record.draft.request_id.startswith(f"kill-{seed}-"):
                decided.setdefault(record.draft.request_id, set()).add(record.draft.draft_id)
    return decided


async def settled(stack: Stack, seed: int) -> dict[str, set[str]]:
    deadline = time.monotonic() + DEADLINE_S
    while len(decided := await decisions(stack, seed)) < REQUESTS and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
    return decided


@pytest.mark.timeout(240)
async def test_every_request_is_decided_once_and_its_calls_booked_once(
    stack: Stack, spawn_worker: SpawnWorker, seed: int, begin_fault: BeginFault
) -> None:
    run = begin_fault("kill -9 of a generation worker")
    random_ = random.Random(seed)
    producer = EventProducer(stack.cluster, open_registry(None))
    async with contextlib.AsyncExitStack() as cleanup:
        await producer.start()
        cleanup.push_async_callback(producer.stop)
        model = await cleanup.enter_async_context(loopback_openai(LoopbackOpenAI(latency_s=0.15)))
        await producer.append_all([Output("personas", persona_applied(each, datetime.now(UTC))) for each in samples()])
        worker = spawn_worker("generation", slot="0", OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="loopback")
        for number, request in enumerate(requests(seed)):
            await producer.append_all([Output("persona.requests", request)])
            if number % (REQUESTS // KILLS) == REQUESTS // KILLS - 1:
                await asyncio.sleep(random_.uniform(0.0, 3.0))  # a random moment of the work, not a wait for anything
                worker.restart()
                run.inflict("kill -9")
        produced_at = time.monotonic()
        decided = await settled(stack, seed)
        settled_s = time.monotonic() - produced_at
        assert worker.stop() == 0, worker.log()[-2_000:]
    run.events = REQUESTS
    drafts = Counter({request: len(drafts) for request, drafts in decided.items()})
    once = Counter(f"kill-{seed}-{number}" for number in range(REQUESTS))
    booked, written = await tokens(stack, seed)
    run.found((drafts - once).total() + (once - drafts).total(), settled_s)
    run.found((booked - written).total() + (written - booked).total(), settled_s)
    assert drafts == once, worker.log()[-2_000:]
    assert booked == written


async def tokens(stack: Stack, seed: int) -> tuple[Counter[str], Counter[str]]:
    """Return the tokens of each request as booked under distinct event ids, and as its draft says it took."""
    ours = f"kill-{seed}-"
    booked: dict[str, CostEvent] = {}
    for event in await read(stack, "cost.events"):
        assert isinstance(event, CostEvent)
        if (event.request_id or "").startswith(ours):
            booked[event.event_id] = event
    of_request: Counter[str] = Counter()
    for event in booked.values():
        of_request[str(event.request_id)] += event.prompt_tokens + event.completion_tokens
    written = {
        draft.request_id: draft.prompt_tokens + draft.completion_tokens
        for draft in await read(stack, "drafts.generated")
        if isinstance(draft, DraftGenerated) and draft.request_id.startswith(ours)
    }
    return of_request, Counter(written)
