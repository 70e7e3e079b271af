"""The role as a process: found in its home, and after kill -9 it knows all that it answered, at the same address."""

from __future__ import annotations

import asyncio

import httpx

from streams.endpoints import read_endpoints
from streams.running_workers import running_workers
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker

PERSONA = "kill-nine"
AT_ONCE = {"THREADS_SIMULATOR_READY_S": "0", "THREADS_SIMULATOR_SLOW_SHARE": "0"}
MOST_CALLS = 10_000


async def publish_until_cut(client: httpx.AsyncClient, answered: list[str]) -> None:
    """Publish one post after another, and note the ids that were answered."""
    for number in range(MOST_CALLS):
        try:
            form = {"media_type": "TEXT", "text": f"Post {number}"}
            container = (await client.post("/me/threads", data=form)).json()["id"]
            made = await client.post("/me/threads_publish", data={"creation_id": container})
        except httpx.TransportError:
            return
        answered.append(made.json()["id"])
    raise AssertionError("the simulator was never killed")


async def test_kill_9_loses_nothing_that_was_answered(stack: Stack, spawn_worker: SpawnWorker) -> None:
    worker = spawn_worker("simulator", slot="0", THREADS_SIMULATOR_POST_QUOTA=str(MOST_CALLS), **AT_ONCE)
    await worker.until_running()
    url = read_endpoints(stack.home).simulator
    assert url is not None
    assert {each.addresses.get("simulator") for each in running_workers(stack.home) if "simulator" in each.roles} == {
        url
    }
    answered: list[str] = []
    headers = {"Authorization": f"Bearer SIMULATED-{PERSONA}"}
    async with httpx.AsyncClient(base_url=f"{url}/v1.0", headers=headers, timeout=60) as client:
        publishing = asyncio.create_task(publish_until_cut(client, answered))
        while len(answered) < 20:
            await asyncio.sleep(0.01)
        worker.restart()
        await publishing
    await worker.until_running()
    assert read_endpoints(stack.home).simulator == url
    async with httpx.AsyncClient(timeout=60) as client:
        truth = (await client.get(f"{url}/truth", params={"user": PERSONA})).json()
    known = {each["id"] for each in truth["posts"]}
    assert set(answered) <= known
    assert len(known) <= len(answered) + 1  # the one under way may have been made
    assert worker.stop() == 0
    assert read_endpoints(stack.home).simulator is None
