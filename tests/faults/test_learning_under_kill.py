"""The loop closes, though the learner is killed: what readers take is asked for more often, by exact rewards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from agents.learning.bandit.arms_record import arms_in
from agents.learning.bandit.choosing import propensities
from agents.personas.persona import Persona
from agents.personas.persona_topic import persona_applied
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault
from schemas.records import (
    DraftGenerated,
    EngagementEvent,
    HookArms,
    HookReward,
    PersonaRequest,
    PostPublished,
    Record,
)
from schemas.registries.registry import open_registry
from streams.engine.stage import Output
from streams.kafka.log_reader import read_range
from streams.kafka.producer import EventProducer
from tests.conftest import REPOSITORY, Stack
from tests.faults.conftest import SpawnWorker, WorkerProcess
from tests.support.drafting import samples
from tests.support.faults.fault_report import BeginFault
from tests.support.learned_log import Event, epoch_ms, naive, replayed
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai

FIRST, SECOND = 36, 60
KILLS = 4
STYLES = ("failure report", "number first", "question to the reader")
FAVOURITE = STYLES[1]
PUBLISHED = datetime(2026, 5, 1, 9, tzinfo=UTC)
WITHIN_S = 90.0
Log = dict[str, list[Record]]


def persona_of(seed: int) -> Persona:
    [nora] = [each for each in samples() if each.persona_id == "night-shift-nora"]
    return nora.model_copy(update={"persona_id": f"learner-{seed}", "hook_styles": STYLES})


def requests(persona: Persona, start: int, count: int) -> list[PersonaRequest]:
    return [
        PersonaRequest(
            event_id=f"{persona.persona_id}-{number}",
            occurred_at=datetime.now(UTC),
            persona_id=persona.persona_id,
            brief=f"napping before night shift number {number}",
        )
        for number in range(start, start + count)
    ]


def engagement_of(drafts: Sequence[DraftGenerated], chance: random.Random) -> list[EngagementEvent]:
    """Return what readers do: they take one style five times as often; some events come twice, some late."""
    found = []
    for draft in drafts:
        assert draft.hook_choice is not None
        rate = 0.15 if draft.hook_choice.style == FAVOURITE else 0.03
        for hour in (0, 2, 30, 100, 400):
            views = chance.randint(50, 400)
            likes = sum(chance.random() < rate for _ in range(views))
            for kind, count in (("view", views), ("like", likes)):
                event = EngagementEvent(
                    event_id=f"{draft.draft_id} {kind} {hour}",
                    occurred_at=PUBLISHED + timedelta(hours=hour, minutes=chance.randint(1, 50)),
                    persona_id=draft.persona_id,
                    post_id=f"post of {draft.draft_id}",
                    kind="view" if kind == "view" else "like",
                    count=count,
                    simulated=True,
                )
                found += [event] * (2 if chance.random() < 0.2 else 1)
    chance.shuffle(found)
    return found


def posts_of(drafts: Sequence[DraftGenerated]) -> list[PostPublished]:
    return [
        PostPublished(
            event_id=f"published {draft.draft_id}",
            occurred_at=PUBLISHED,
            persona_id=draft.persona_id,
            post_id=f"post of {draft.draft_id}",
            draft_id=draft.draft_id,
            text=draft.text,
            simulated=True,
        )
        for draft in drafts
    ]


async def read(stack: Stack, persona_id: str, *topics: str) -> Log:
    """Return the records of one persona by topic; other tests append to the topics too."""
    codec, found = RowCodec(open_registry(None)), Log()
    for name in topics:
        topic, found[name] = topic_named(name), []
        async for _, records in read_range(stack.cluster, name):
            for record in records:
                with contextlib.suppress(DecodeFault):
                    decoded = codec.decode(topic, record.value)
                    if getattr(decoded, "persona_id", None) == persona_id:
                        found[name].append(decoded)
    return found


async def drafted(stack: Stack, persona: Persona, count: int, worker: WorkerProcess) -> list[DraftGenerated]:
    """Wait for so many drafts of a persona."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        log = await read(stack, persona.persona_id, "drafts.generated")
        drafts = {each.draft_id: each for each in log["drafts.generated"] if isinstance(each, DraftGenerated)}
        if len(drafts) >= count:
            return list(drafts.values())
        assert time.monotonic() < deadline, worker.log()[-2_000:]
        await asyncio.sleep(0.3)


async def learned(stack: Stack, persona: Persona, rewards: int, truth: int, worker: WorkerProcess) -> Log:
    """Wait until the arms know so many posts and all views: what came between is on the way there."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        log = await read(stack, persona.persona_id, "hooks.arms", "hooks.rewards")
        newest = [each for each in log["hooks.arms"] if isinstance(each, HookArms)][-1:]
        if newest and newest[0].rewards == rewards and sum(arm.views for arm in newest[0].arms) == truth:
            return log
        assert time.monotonic() < deadline, f"{newest}\n{worker.log()[-2_000:]}"
        await asyncio.sleep(0.3)


def share(drafts: Sequence[DraftGenerated]) -> float:
    """Return the share of drafts that were asked in the style that readers take."""
    return sum(each.hook_choice is not None and each.hook_choice.style == FAVOURITE for each in drafts) / len(drafts)


@pytest.mark.timeout(300)
async def test_after_engagement_that_favours_a_style_its_share_rises_by_exact_rewards(
    stack: Stack, spawn_worker: SpawnWorker, seed: int, begin_fault: BeginFault
) -> None:
    run, chance, persona = begin_fault("kill -9 of a learning worker"), random.Random(seed), persona_of(seed)
    async with (
        loopback_openai(LoopbackOpenAI()) as model,
        EventProducer(stack.cluster, open_registry(None)) as producer,
    ):

        async def send(topic: str, records: Sequence[Record]) -> None:
            await producer.append_all([Output(topic, each) for each in records])

        await send("personas", [persona_applied(persona, datetime.now(UTC))])
        writer = spawn_worker("generation", slot="0", OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="loopback")
        learner = spawn_worker("learning", slot="0")
        await send("persona.requests", requests(persona, 0, FIRST))
        before = await drafted(stack, persona, FIRST, writer)
        events = engagement_of(before, chance)
        pieces = [events[number::KILLS] for number in range(KILLS)]
        for number, piece in enumerate(pieces):
            await send("engagement.events", piece)
            if number == 1:  # some engagement is there before its post
                await send("posts.published", posts_of(before))
            await asyncio.sleep(chance.uniform(0.0, 2.5))  # a random moment of the work, not a wait for anything
            learner.restart()
            run.inflict("kill -9")
        once = list({each.event_id: each for each in events}.values())
        truth = naive([*before, *posts_of(before), *once])
        began = time.monotonic()
        week = sum(views for (_, hours), (_, views, _) in truth.items() if hours == 168)
        log = await learned(stack, persona, FIRST, week, learner)
        run.events = len(events)
        rewards = newest_rewards(log)
        told = {key: (each.choice.style, each.views, each.engagements) for key, each in rewards.items()}
        run.found(sum(told.get(key) != value for key, value in truth.items()), time.monotonic() - began)
        assert told == truth
        await send("persona.requests", requests(persona, FIRST, SECOND))
        every = await drafted(stack, persona, FIRST + SECOND, writer)
        assert writer.stop() == 0, writer.log()[-2_000:]
        assert learner.stop() == 0, learner.log()[-2_000:]
    old = {each.draft_id for each in before}
    after = [each for each in every if each.draft_id not in old]
    arms = [each for each in log["hooks.arms"] if isinstance(each, HookArms)][-1]
    chosen = propensities(arms_in(arms), STYLES)
    run.fault += f"; share of the style readers take {share(before):.0%} -> {share(after):.0%}"
    shown = await asyncio.to_thread(arms_shown, stack, persona.persona_id)
    assert shown["version"] == arms.version
    assert shown["propensities"] == chosen
    assert share(before) < 0.6
    assert share(after) > max(share(before) + 0.2, 0.7)
    assert chosen[FAVOURITE] > 0.8
    for each in after:
        assert each.hook_choice is not None
        assert each.hook_choice.arms_version == arms.version
        assert each.hook_choice.propensity == chosen[each.hook_choice.style]
    assert Counter(each.event_id for each in rewards.values()).most_common(1)[0][1] == 1
    inputs: dict[str, Sequence[Event]] = {
        "drafts.generated": before,
        "posts.published": posts_of(before),
        "engagement.events": once,
    }
    again = await replayed(inputs, epoch_ms(datetime.now(UTC)))
    assert again[persona.persona_id] == arms, "a replay of the log gives the same arms, bit for bit"


def arms_shown(stack: Stack, persona_id: str) -> dict[str, object]:
    """Return what `learning arms` prints of a persona, as JSON; its table fits a terminal."""
    command = [sys.executable, "-m", "streams.cli.main", "learning", "arms", "--persona", persona_id]
    environment = {**os.environ, **stack.environment(), "COLUMNS": "80"}
    table, told = (
        subprocess.run(each, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True)
        for each in (command, [*command, "--json"])
    )
    assert max(map(len, table.stdout.splitlines())) <= 80
    assert FAVOURITE in table.stdout
    [found] = json.loads(told.stdout)
    assert isinstance(found, dict)
    return found


def newest_rewards(log: Log) -> dict[tuple[str, int], HookReward]:
    """Return the greatest revision of each post and age; a revision that comes again is the same."""
    newest: dict[tuple[str, int], HookReward] = {}
    contents: dict[str, HookReward] = {}
    for each in log["hooks.rewards"]:
        assert isinstance(each, HookReward)
        assert contents.setdefault(each.event_id, each) == each
        known = newest.get((each.post_id, each.age_hours))
        if known is None or known.revision <= each.revision:
            newest[each.post_id, each.age_hours] = each
    return newest
