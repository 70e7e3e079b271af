"""`threads-agent posts` with the real publisher and the simulator: decided drafts, approvals, threads, and refusals."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner

from agents.personas.persona import Persona
from agents.personas.persona_topic import apply_personas
from agents.personas.posting import PostingPlan
from agents.publishing.approval import content_digest
from agents.publishing.asking import answers
from agents.publishing.commands import posts
from agents.publishing.identity import publication_of_draft
from schemas.catalogue import topic_named
from schemas.records import Decision, DraftDecided
from schemas.registries.registry import open_registry
from streams.engine.stage import Output
from streams.json_records import parse_record
from streams.kafka.producer import EventProducer
from streams.settings import current_settings
from streams.wall_clock import utc_now
from tests.conftest import REPOSITORY, Stack
from tests.faults.conftest import SpawnWorker
from tests.support.drafting import samples

DEADLINE_S, POLL_S = 60.0, 0.1
FAST = {
    "THREADS_CHECKPOINT_INTERVAL_S": "0.1",
    "THREADS_PUBLISH_LEAD_S": "1",
    "THREADS_PUBLISH_FIRST_LOOK_S": "0.05",
    "THREADS_PUBLISH_LOOK_S": "0.2",
    "THREADS_SIMULATOR_READY_S": "0",
    "THREADS_SIMULATOR_SLOW_SHARE": "0",
}
HAS_IT = ("done", "taken")  # by how quickly the publisher looks at it
DONE = tuple((0, each) for each in HAS_IT)
Run = Callable[..., Awaitable[Any]]


@pytest.fixture
def run(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command against the session's broker; what it prints as JSON, or the fault that it ended with."""
    monkeypatch.setenv("THREADS_HOME", str(stack.home))
    current_settings.cache_clear()

    async def run_in_thread(*arguments: str) -> Any:
        result = await asyncio.to_thread(CliRunner().invoke, posts, [*arguments, "--json"])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            return f"{type(result.exception).__name__}: {result.exception}"
        return {"exit": result.exit_code, "found": json.loads(result.stdout)}

    yield run_in_thread
    current_settings.cache_clear()


async def until(run: Run, holds: Callable[[Any], bool], *arguments: str) -> Any:
    """Run a command again and again until what it prints is so."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        told = await run(*arguments)
        if not isinstance(told, str) and holds(told["found"]):
            return told["found"]
        assert time.monotonic() < deadline, f"not reached: {told}"
        await asyncio.sleep(POLL_S)


async def apply(stack: Stack, posting: PostingPlan) -> Persona:
    persona = samples()[0].model_copy(update={"persona_id": f"asks-{uuid4().hex[:12]}", "posting": posting})
    await apply_personas(stack.settings, [persona], utc_now())
    return persona


async def decide(stack: Stack, persona_id: str, text: str, decision: Decision = "accepted") -> str:
    """Append a decided draft; return the draft's id."""
    golden = (REPOSITORY / "tests" / "golden" / "drafts.accepted.json").read_text(encoding="utf-8")
    decided = parse_record(topic_named("drafts.accepted").record, golden)
    assert isinstance(decided, DraftDecided)
    draft = replace(decided.draft, draft_id=str(uuid4()), event_id=str(uuid4()), persona_id=persona_id, text=text)
    decided = replace(
        decided,
        event_id=str(uuid4()),
        occurred_at=utc_now(),
        persona_id=persona_id,
        draft=draft,
        decision=decision,
        reasons=() if decision == "accepted" else ("said before",),
    )
    async with EventProducer(stack.cluster, open_registry(None)) as producer:
        await producer.append_all([Output(f"drafts.{decision}", decided)])
    return draft.draft_id


@pytest.mark.timeout(240)
async def test_a_draft_is_approved_edited_approved_again_published_and_taken_down(
    stack: Stack, run: Run, spawn_worker: SpawnWorker
) -> None:
    persona = await apply(stack, PostingPlan(timezone="Europe/Berlin", approval="approve"))
    text = f"Tired? Nap first. {uuid4().hex}"
    draft = await decide(stack, persona.persona_id, text)
    worker = spawn_worker("publishing", "simulator", slot="0", **FAST)
    await worker.until_running()
    own = ("list", "--persona", persona.persona_id)
    [waiting] = await until(run, lambda found: bool(found) and found[0]["progress"] == "waits", *own)
    assert (waiting["publication_id"], waiting["texts"]) == (publication_of_draft(draft), [text])
    assert waiting["content_digest"] == content_digest([text])

    assert "another text" in await run("approve", draft, "--digest", "0" * 64)
    approved = await run("approve", draft, "--digest", waiting["content_digest"])
    assert (approved["exit"], approved["found"]["answer"]) in DONE
    published = await until(run, lambda found: found["progress"] == "published", "show", draft)
    assert published["post_ids"][0]
    assert published["simulated"] is True
    assert published["review"]["decision"] == "accepted"
    assert "posts delete" in published["next"]
    told = [each["state"] for each in published["states"]]
    assert told.index("proposed") < told.index("approved") < told.index("publishing") < told.index("published")

    for late in (("cancel", draft), ("edit", draft, "--text", "Another."), ("retry", draft), ("approve", draft)):
        assert "it is published and can't be" in await run(*late)
    deleted = await run("delete", draft, "--reason", "wrong price")
    assert deleted["exit"] == 0
    await until(run, lambda found: found["progress"] == "deleted", "show", draft)
    assert worker.stop() == 0


@pytest.mark.timeout(240)
async def test_posts_are_timed_edited_reviewed_refused_and_published_as_threads(
    stack: Stack, run: Run, spawn_worker: SpawnWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = spawn_worker("publishing", "simulator", slot="0", **FAST)
    strict = await apply(stack, PostingPlan(timezone="Europe/Berlin", approval="approve"))
    free = await apply(stack, PostingPlan(timezone="Europe/Berlin"))
    rejected = await decide(stack, strict.persona_id, f"Said before. {uuid4().hex}", "rejected")
    await worker.until_running()

    # a thread by the command line, at once
    thread = await run("schedule", "--persona", free.persona_id, "--text", "One.", "--text", "Two.", "--now")
    assert (thread["exit"], thread["found"]["answer"]) in DONE
    own = thread["found"]["publication_id"]
    both = await until(run, lambda found: found["progress"] == "published", "show", own)
    assert both["texts"] == ["One.", "Two."]
    assert len({*both["post_ids"]} - {None}) == 2

    # a draft that the pipeline rejected: not listed, timed and approved by hand, approved twice, rejected in the end
    await until(run, lambda found: len(found) == 1, "list", "--persona", strict.persona_id, "--state", "rejected")
    assert (await run("list", "--persona", strict.persona_id))["found"] == []
    later = f"{utc_now() + timedelta(days=40):%Y-%m-%d} 09:00"
    timed = await run("schedule", "--draft", rejected, "--at", later)
    assert (timed["exit"], timed["found"]["answer"]) == (0, "taken")
    approved = await run("approve", rejected, "--reason", "it is not")
    assert (approved["exit"], approved["found"]["answer"]) in DONE
    shown = await until(run, lambda found: found["progress"] == "planned", "show", rejected)
    assert shown["due_at"].startswith(later[:10])
    again = (await run("approve", rejected))["found"]
    assert (again["answer"], again["command_id"]) == ("stands", None)
    edited = (await run("edit", rejected, "--text", "Said anew."))["found"]
    assert edited["answer"] in HAS_IT
    assert edited["texts"] == ["Said anew."]
    await until(run, lambda found: found["progress"] == "waits", "show", rejected)
    assert "another text" in await run("approve", rejected, "--digest", shown["content_digest"])
    assert (await run("approve", rejected))["found"]["answer"] in HAS_IT
    await until(run, lambda found: found["progress"] == "planned" and found["review"] is not None, "show", rejected)
    turned = await run("reject", rejected, "--reason", "off brand")
    assert (turned["exit"], turned["found"]["notes"][0][:9]) == (0, "replaces:")
    await until(run, lambda found: found["progress"] not in ("planned", "due"), "show", rejected)

    # what can't be: said, and nothing is sent
    ask = ("schedule", "--persona", free.persona_id, "--text")
    assert "is past" in await run(*ask, "x", "--at", "2020-01-01 09:00")
    assert "part 2: the text has 501 of 500" in await run(*ask, "x", "--text", "x" * 501)
    assert "begins with #" in await run(*ask, "x", "--topic-tag", "#cats")
    assert "not both" in await run(*ask, "x", "--now", "--at", later)
    assert "one of the two" in await run("schedule")
    assert "leave out --text" in await run("schedule", "--draft", rejected, "--text", "x")
    assert "not in force" in await run("schedule", "--persona", "nobody-at-all", "--text", "x")
    assert "no publication 'nothing'" in await run("show", "nothing")
    assert "got sometimes" in await run("list", "--state", "sometimes")

    # without a worker the command is kept, and that is said
    planned = await run(*ask, "Later.", "--at", later)
    assert planned["found"]["answer"] in HAS_IT
    assert worker.stop() == 0
    monkeypatch.setattr(answers, "ANSWER_WITHIN_S", 0.5)
    silent = await run("cancel", planned["found"]["publication_id"])
    assert (silent["exit"], silent["found"]["answer"]) == (1, "silent")
