"""Quality models on the real broker: trained, in force in a running worker without a restart, and rolled back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.learning.quality.posts import Post
from agents.learning.quality.promotion import Change, promote, read_models, roll_back
from agents.learning.quality.quality_models import TOPIC
from agents.scoring.weights import BUILT_IN, WEIGHTS
from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.errors import DecodeFault
from schemas.records import DraftScored, PersonaErased
from schemas.registries.registry import open_registry
from streams.cli.main import main
from streams.engine.stage import Output
from streams.kafka.log_reader import read_range
from streams.kafka.producer import EventProducer
from streams.settings import current_settings
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.faults.conftest import SpawnWorker
from tests.support.drafting import draft, samples
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai
from tests.support.quality_posts import FIRST, HOOKS_PAY, LENGTH_PAYS, damaged, drawn_posts, model, reward_of, scored_of

TRIES = 60
EVEN = {name: 1 / len(WEIGHTS) for name in WEIGHTS}
EARLIER = FIRST - timedelta(days=200)


@pytest.fixture(autouse=True)
def _built_in_afterwards(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have commands use the session's stack, and leave the built-in weights in force: tests share the topic."""
    monkeypatch.setenv("THREADS_HOME", str(stack.home))
    current_settings.cache_clear()
    yield
    if asyncio.run(read_models(stack.settings)).now() != BUILT_IN:
        assert ran("promote", "built-in").exit_code == 0
    current_settings.cache_clear()


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["learning", "quality", *arguments], catch_exceptions=False, env={"COLUMNS": "80"})


def told(*arguments: str, status: int = 0) -> Any:
    done = ran(*arguments, "--json")
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


@contextlib.asynccontextmanager
async def posted(stack: Stack, posts: Sequence[Post]) -> AsyncIterator[None]:
    """Have posts on the log, and erase their personas in the end: nobody else meets what is left of them."""
    async with EventProducer(stack.cluster, open_registry(None)) as producer:
        await producer.append_all([Output("drafts.scored", scored_of(each)) for each in posts])
        await producer.append_all([Output("hooks.rewards", reward_of(each)) for each in posts])
        try:
            yield
        finally:
            erased = [
                PersonaErased(
                    event_id=f"erased {persona_id}",
                    occurred_at=utc_now() + timedelta(seconds=1),
                    persona_id=persona_id,
                    run_id="test",
                    requested_by="test",
                )
                for persona_id in sorted({each.persona_id for each in posts})
            ]
            await producer.append_all([Output("personas.erased", each) for each in erased])


async def scored(stack: Stack, draft_id: str) -> DraftScored | None:
    codec, topic = RowCodec(open_registry(None)), topic_named("drafts.scored")
    async for _, records in read_range(stack.cluster, topic.name):
        for record in records:
            with contextlib.suppress(DecodeFault):  # other tests append garbage
                found = codec.decode(topic, record.value)
                assert isinstance(found, DraftScored)
                if found.draft.draft_id == draft_id:
                    return found
    return None


class Drafts:
    """Drafts that are sent to a running worker, one after the other, until one is scored as is waited for."""

    def __init__(self, stack: Stack, seed: int, log: Callable[[], str]) -> None:
        self._stack, self._seed, self._log = stack, seed, log
        self._numbers = count()

    async def scored_with(self, weights: dict[str, float]) -> DraftScored:
        example = samples()[0].examples[0]
        async with EventProducer(self._stack.cluster, open_registry(None)) as producer:
            for _ in range(TRIES):
                name = f"weighed-{self._seed}-{next(self._numbers)}"
                sent = draft(example.hook, example.body, draft_id=name, persona_id=f"weighed-{self._seed}")
                await producer.append_all([Output("drafts.generated", sent)])
                found = await self._scored(name)
                if {each.name: each.weight for each in found.quality.features} == weights:
                    return found
        raise AssertionError(self._log()[-2_000:])

    async def _scored(self, name: str) -> DraftScored:
        for _ in range(10 * TRIES):
            if (found := await scored(self._stack, name)) is not None:
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(self._log()[-2_000:])


@pytest.mark.timeout(180)
async def test_a_model_is_trained_used_by_a_running_worker_without_a_restart_and_rolled_back(
    stack: Stack, spawn_worker: SpawnWorker, seed: int
) -> None:
    posts = drawn_posts(900, HOOKS_PAY, seed, name=f"hooks-pay-{seed}")
    async with posted(stack, posts), loopback_openai(LoopbackOpenAI()) as provider:
        worker = spawn_worker("generation", slot="0", OPENAI_BASE_URL=provider.base_url, OPENAI_API_KEY="loopback")
        await worker.until_running()
        drafts = Drafts(stack, seed, worker.log)
        before = await drafts.scored_with(dict(WEIGHTS))

        dry = await asyncio.to_thread(told, "train", "--dry-run")
        trained = await asyncio.to_thread(told, "train", "--by", "ada")
        assert dry["in_force"] == "built-in"
        assert (dry["version"], dry["weights"]) == (trained["version"], trained["weights"])
        assert (trained["outcome"], trained["in_force"]) == ("promoted", trained["version"])
        assert trained["gain"] > 0
        assert trained["weights"]["hook_strength"] > 0.3
        under_model = await drafts.scored_with(trained["weights"])
        assert under_model.quality.threshold == pytest.approx(before.quality.threshold + trained["threshold_shift"])

        again = await asyncio.to_thread(told, "train")
        assert (again["outcome"], again["checksum"]) == ("nothing new", trained["checksum"])
        (listed,) = [
            each for each in (await asyncio.to_thread(told, "list"))["models"] if each["version"] == trained["version"]
        ]
        assert (listed["in_force"], listed["requested_by"], listed["state"]) == (True, "ada", "promoted")

        both = await asyncio.gather(
            *[
                roll_back(stack.settings, Change(name, utc_now(), "it reads like lists"), of=trained["version"])
                for name in ("bo", "cy")
            ]
        )
        assert [(each.in_force, each.has_won) for each in both] == [("built-in", True)] * 2
        after = await drafts.scored_with(dict(WEIGHTS))
        assert after.quality.threshold == before.quality.threshold
        assert worker.stop() == 0, worker.log()[-2_000:]
        rolled_back = await asyncio.to_thread(told, "train")
        assert rolled_back["outcome"] == "nothing new"
        assert "it reads like lists" in rolled_back["reason"]
        refused = await asyncio.to_thread(ran, "promote", trained["version"])
        assert refused.exit_code == 2
        assert "was rolled back by" in refused.stderr
    without_them = await asyncio.to_thread(ran, "train", "--dry-run", "--json")
    assert json.loads(without_them.stdout)["version"] != trained["version"], (
        "the posts of erased personas count no more"
    )


@pytest.mark.timeout(120)
async def test_a_model_that_is_worse_on_later_posts_is_refused_and_recorded(stack: Stack, seed: int) -> None:
    early = drawn_posts(1400, LENGTH_PAYS, seed + 1, start=EARLIER, name=f"length-paid-{seed}")
    late = drawn_posts(600, HOOKS_PAY, seed + 2, name=f"hooks-pay-now-{seed}")
    async with posted(stack, [*early, *late]):
        found = await asyncio.to_thread(told, "train", status=1)
        assert found["outcome"] == "refused"
        assert found["gain"] < 0
        assert found["in_force"] == "built-in"
        record = (await read_models(stack.settings)).find(found["version"])
        assert record is not None
        assert (record.state, record.reason) == ("refused", found["reason"])
        assert record.holdout_score is not None
        assert record.incumbent_score is not None
        assert record.holdout_score < record.incumbent_score
        shown = await asyncio.to_thread(ran, "show", found["version"])
        assert "refused" in shown.stdout
        assert max(map(len, shown.stdout.splitlines())) <= 80


async def test_half_a_model_and_a_damaged_one_leave_the_last_good_one_in_force(stack: Stack) -> None:
    good, half, bad = model(HOOKS_PAY), model(LENGTH_PAYS), damaged(model(WEIGHTS))
    value = RowCodec(open_registry(None)).encode(TOPIC, half)
    async with EventProducer(stack.cluster, open_registry(None)) as producer:
        await producer.append_all([Output(TOPIC.name, good)])
        await producer.append_raw(TOPIC.name, 0, [(half.version.encode(), value[: len(value) // 2])])
        await producer.append_all([Output(TOPIC.name, bad)])
        listed = await asyncio.to_thread(told, "list")
        assert listed["in_force"] == good.version
        known = {each["version"]: each for each in listed["models"]}
        assert half.version not in known
        assert "is damaged" in known[bad.version]["problem"]
        refused = await asyncio.to_thread(ran, "rollback", "--to", bad.version)
        assert refused.exit_code == 2
        assert "is damaged, its checksum is another" in refused.stderr
        done = await asyncio.to_thread(ran, "rollback", "--by", "ada")
        assert (done.exit_code, done.stdout) == (0, "in force       built-in\n")
        await producer.append_raw(TOPIC.name, 0, [(each.version.encode(), None) for each in (good, half, bad)])
    assert (await read_models(stack.settings)).now() == BUILT_IN
    nothing = await asyncio.to_thread(ran, "rollback")
    assert (nothing.exit_code, nothing.stderr.count("\n")) == (2, 1)
    assert "The built-in weights are in force: there is no model to roll back" in nothing.stderr


async def test_versions_are_promoted_and_rolled_back_to_by_hand_and_of_two_at_once_the_later_one_counts(
    stack: Stack,
) -> None:
    first, second, worse = model(HOOKS_PAY), model(LENGTH_PAYS), model(EVEN, "refused", reason="it puts fewer in order")
    async with EventProducer(stack.cluster, open_registry(None)) as producer:
        await producer.append_all([Output(TOPIC.name, each) for each in (first, second, worse)])
        try:
            back = await asyncio.to_thread(told, "promote", first.version)
            assert (back["wanted"], back["in_force"], back["meanwhile"]) == (first.version, first.version, [])
            assert (await asyncio.to_thread(ran, "promote", first.version)).exit_code == 2
            refused = await asyncio.to_thread(ran, "promote", worse.version)
            assert "was refused by tester: it puts fewer in order" in refused.stderr
            assert (await asyncio.to_thread(told, "promote", worse.version, "--anyway"))["in_force"] == worse.version
            rolled_back = await asyncio.to_thread(told, "rollback", "--to", second.version)
            assert rolled_back["in_force"] == second.version
            assert (await asyncio.to_thread(told, "show", worse.version))["state"] == "rolled_back"
            again = await asyncio.to_thread(told, "rollback", "--of", worse.version)
            assert again["in_force"] == second.version, "who comes second rolls no other model back"
            other = await asyncio.to_thread(ran, "rollback", "--of", first.version)
            assert f"{first.version} is not in force, {second.version} is" in other.stderr

            wanted = (first.version, "built-in")
            both = await asyncio.gather(
                *[promote(stack.settings, each, Change(each, utc_now()), anyway=False) for each in wanted]
            )
            won = (await read_models(stack.settings)).now().version
            assert won in wanted
            assert both[wanted.index(won)].has_won
            for loser in both:
                assert loser.has_won or (loser.in_force == won and won in {each.version for each in loser.meanwhile})
        finally:
            ours = (first, second, worse)
            await producer.append_raw(TOPIC.name, 0, [(each.version.encode(), None) for each in ours])
