"""A running generation worker takes up a persona that is applied, changed or removed, without a restart."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from agents.personas.persona import Persona
from agents.personas.persona_topic import apply_personas, remove_personas
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault
from schemas.records import DraftGenerated, PersonaRequest
from schemas.registries.registry import open_registry
from streams.engine.stage import Output
from streams.kafka.log_reader import read_range
from streams.kafka.producer import EventProducer
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker
from tests.support.drafting import samples
from tests.support.faults.dead_letters import dead_letters
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai

DEADLINE_S = 60.0
Found = TypeVar("Found")


async def until_found(look: Callable[[], Awaitable[Found | None]], worker_log: Callable[[], str]) -> Found:
    deadline = time.monotonic() + DEADLINE_S
    while (found := await look()) is None:
        assert time.monotonic() < deadline, worker_log()[-2_000:]
        await asyncio.sleep(0.2)
    return found


async def version_of_draft(stack: Stack, request_id: str) -> str | None:
    """Return the persona version that the draft of a request carries; None as long as there is no draft."""
    codec, topic = RowCodec(open_registry(None)), topic_named("drafts.generated")
    async for _, records in read_range(stack.cluster, topic.name):
        for record in records:
            with contextlib.suppress(DecodeFault):  # other tests append garbage
                draft = codec.decode(topic, record.value)
                assert isinstance(draft, DraftGenerated)
                if draft.request_id == request_id:
                    return draft.persona_version
    return None


async def reason_of_letter(stack: Stack, request: PersonaRequest) -> str | None:
    """Return why a request was dead-lettered; None as long as it was not."""
    value = RowCodec(open_registry(None)).encode(topic_named("persona.requests"), request)
    async for _, letter in dead_letters(stack):
        if letter.value == value:
            return letter.reason
    return None


async def test_drafts_carry_the_version_in_force_and_requests_for_a_removed_persona_are_dead_lettered(
    stack: Stack, spawn_worker: SpawnWorker, seed: int
) -> None:
    first = samples()[0].model_copy(update={"persona_id": f"reloaded-{seed}"})
    second = first.model_copy(update={"voice": "loud and quick"})
    registry = open_registry(None)
    producer = EventProducer(stack.cluster, registry)

    async def send(name: str) -> PersonaRequest:
        request = PersonaRequest(
            event_id=f"{name}-{seed}", occurred_at=utc_now(), persona_id=first.persona_id, brief=f"a nap, {name}"
        )
        await producer.append_all([Output("persona.requests", request)])
        return request

    async with contextlib.AsyncExitStack() as cleanup:
        await producer.start()
        cleanup.push_async_callback(producer.stop)
        model = await cleanup.enter_async_context(loopback_openai(LoopbackOpenAI()))
        worker = spawn_worker("generation", slot="0", OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="loopback")
        await worker.until_running()

        async def drafted_version(persona: Persona, name: str) -> str:
            await apply_personas(stack.settings, [persona], utc_now())
            request_id = (await send(name)).event_id
            return await until_found(lambda: version_of_draft(stack, request_id), worker.log)

        assert await drafted_version(first, "first") == first.version()
        assert await drafted_version(second, "second") == second.version()
        await remove_personas(stack.settings, [first.persona_id])
        orphan = await send("orphan")
        reason = await until_found(lambda: reason_of_letter(stack, orphan), worker.log)
        assert f"persona '{first.persona_id}' is unknown" in reason
        assert await version_of_draft(stack, orphan.event_id) is None
        assert worker.stop() == 0, worker.log()[-2_000:]
