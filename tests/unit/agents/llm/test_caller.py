from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm.caller import MISSING_FOR_S, CallLimits, ModelCaller
from agents.llm.faults.faults import ModelMissing
from agents.llm.model_breaker import BreakerLimits, BreakerReading
from streams.engine.retry import Backoff
from streams.errors import RecordFault, SettingsError, ThreadsError, Unavailable

LIMITS = CallLimits(
    attempts=3,
    backoff=Backoff(first_s=1.0, max_s=8.0),
    longest_wait_s=5.0,
    breaker=BreakerLimits(failures_to_open=5, cool_down=Backoff(first_s=10.0, max_s=80.0)),
)
AWAY = Unavailable("away")


@dataclass(slots=True)
class Models:
    """Models that behave as scripted, on a clock that only moves while somebody waits; then they answer."""

    script: dict[str, deque[ThreadsError | None]] = field(default_factory=dict)
    now: float = 0.0
    waits: list[float] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    changes: list[BreakerReading] = field(default_factory=list)

    @classmethod
    def that(cls, **faults: list[ThreadsError | None]) -> Models:
        return cls({model: deque(each) for model, each in faults.items()})

    async def ask(self, model: str) -> str:
        self.asked.append(model)
        left = self.script.get(model)
        fault = left.popleft() if left else None
        if fault is not None:
            raise fault
        return f"{model} says"

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def caller(self, limits: CallLimits = LIMITS) -> ModelCaller:
        return ModelCaller(
            limits, clock=lambda: self.now, sleep=self.sleep, draw=lambda: 1.0, on_change=self.changes.append
        )


async def test_a_failed_call_is_repeated_with_growing_waits_and_then_answers() -> None:
    models = Models.that(strong=[AWAY, AWAY])
    assert await models.caller().call(["strong", "cheap"], models.ask) == "strong says"
    assert models.asked == ["strong"] * 3
    assert models.waits == [1.0, 2.0]


async def test_a_short_retry_after_is_waited_out() -> None:
    models = Models.that(strong=[Unavailable("429", retry_after_s=4.0)])
    assert await models.caller().call(["strong"], models.ask) == "strong says"
    assert models.waits == [4.0]


async def test_a_model_that_asks_for_a_long_wait_is_left_alone_and_the_next_tier_answers() -> None:
    models = Models.that(strong=[Unavailable("429", retry_after_s=60.0)])
    caller = models.caller()
    assert await caller.call(["strong", "cheap"], models.ask) == "cheap says"
    assert await caller.call(["strong", "cheap"], models.ask) == "cheap says"
    assert models.asked == ["strong", "cheap", "cheap"]
    assert models.waits == []
    assert [each.state for each in caller.readings()] == ["closed", "open"]
    models.now = 60.0
    assert await caller.call(["strong", "cheap"], models.ask) == "strong says"


async def test_a_model_that_fails_each_attempt_gives_way_to_the_next() -> None:
    models = Models.that(strong=[AWAY] * 3)
    assert await models.caller().call(["strong", "cheap"], models.ask) == "cheap says"
    assert models.asked == ["strong"] * 3 + ["cheap"]


async def test_when_no_model_is_left_the_soonest_probe_is_when_to_come_back() -> None:
    models = Models.that(
        strong=[Unavailable("429", retry_after_s=60.0)], cheap=[Unavailable("429", retry_after_s=25.0)]
    )
    caller = models.caller()
    with pytest.raises(Unavailable, match=r"model strong: .*model cheap: ") as caught:
        await caller.call(["strong", "cheap"], models.ask)
    assert caught.value.retry_after_s == 25.0
    models.now = 20.0
    with pytest.raises(Unavailable) as again:
        await caller.call(["strong", "cheap"], models.ask)
    assert again.value.retry_after_s == 5.0
    assert models.asked == ["strong", "cheap"]


async def test_a_dead_provider_costs_few_calls_and_is_used_again_after_a_good_probe() -> None:
    models = Models.that(only=[AWAY] * 6)
    caller = models.caller()
    for _ in range(4):
        with pytest.raises(Unavailable):
            await caller.call(["only"], models.ask)
    assert len(models.asked) == 5
    models.now += 10.0
    with pytest.raises(Unavailable) as caught:
        await caller.call(["only"], models.ask)
    assert len(models.asked) == 6
    assert caught.value.retry_after_s == 20.0
    models.now += 20.0
    assert await caller.call(["only"], models.ask) == "only says"
    assert [each.state for each in models.changes] == ["open", "half-open", "open", "half-open", "closed"]


@pytest.mark.parametrize("fault", [RecordFault("the prompt is refused"), SettingsError("the key is wrong")])
async def test_faults_of_the_record_and_of_the_set_up_pass_through_at_once(fault: ThreadsError) -> None:
    models = Models.that(strong=[fault])
    with pytest.raises(type(fault)) as caught:
        await models.caller().call(["strong", "cheap"], models.ask)
    assert caught.value is fault
    assert models.asked == ["strong"]


async def test_a_model_the_provider_does_not_have_is_passed_over_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    models = Models.that(old=[ModelMissing("no such model", "old")] * 2)
    caller = models.caller()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert await caller.call(["old", "cheap"], models.ask) == "cheap says"
        assert models.asked.count("old") == 1
        models.now += MISSING_FOR_S
        assert await caller.call(["old", "cheap"], models.ask) == "cheap says"
    assert models.asked.count("old") == 2
    assert len(caplog.records) == 1


async def test_a_missing_model_without_another_is_a_fault_of_the_set_up() -> None:
    models = Models.that(old=[ModelMissing("no such model", "old")])
    with pytest.raises(ModelMissing) as caught:
        await models.caller().call(["old"], models.ask)
    assert caught.value.model == "old"


async def test_a_missing_model_beside_one_that_is_away_is_waited_for() -> None:
    models = Models.that(old=[ModelMissing("no such model", "old")], cheap=[AWAY] * 3)
    with pytest.raises(Unavailable, match="model cheap"):
        await models.caller().call(["old", "cheap"], models.ask)


async def test_a_cancelled_probe_does_not_hold_up_the_next() -> None:
    models = Models.that(only=[Unavailable("429", retry_after_s=60.0)])
    caller, probing = models.caller(), asyncio.Event()

    async def hang(model: str) -> str:
        probing.set()
        await asyncio.Event().wait()
        return model

    with pytest.raises(Unavailable):
        await caller.call(["only"], models.ask)
    models.now = 60.0
    probe = asyncio.create_task(caller.call(["only"], hang))
    await probing.wait()
    with pytest.raises(Unavailable):
        await caller.call(["only"], models.ask)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert await caller.call(["only"], models.ask) == "only says"


async def test_half_open_lets_exactly_one_of_many_callers_through() -> None:
    models = Models.that(only=[Unavailable("429", retry_after_s=60.0)])
    caller, asked, answer = models.caller(), list[str](), asyncio.Event()

    async def slow(model: str) -> str:
        asked.append(model)
        await answer.wait()
        return model

    with pytest.raises(Unavailable):
        await caller.call(["only"], models.ask)
    models.now = 60.0
    calls = [asyncio.create_task(caller.call(["only"], slow)) for _ in range(20)]
    async with asyncio.timeout(10):
        while sum(each.done() for each in calls) < 19:
            await asyncio.sleep(0)
    done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    assert (len(asked), len(done), len(waiting)) == (1, 19, 1)
    assert all(isinstance(each.exception(), Unavailable) for each in done)
    answer.set()
    assert await waiting.pop() == "only"


async def test_a_call_without_models_is_refused() -> None:
    models = Models()
    with pytest.raises(ValueError, match="at least one model"):
        await models.caller().call([], models.ask)


FAULTS = st.sampled_from(
    [None, AWAY, Unavailable("429", retry_after_s=2.0), Unavailable("429", retry_after_s=30.0), RecordFault("refused")]
)
NAMES = ["a", "b", "c"]


@given(
    script=st.fixed_dictionaries({name: st.lists(FAULTS, max_size=12) for name in NAMES}),
    calls=st.lists(st.tuples(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), st.floats(0, 100)), max_size=10),
)
async def test_calls_are_bounded_and_never_made_to_an_open_breaker(
    script: dict[str, list[ThreadsError | None]], calls: list[tuple[list[str], float]]
) -> None:
    models = Models.that(**script)
    caller = models.caller()

    async def ask(model: str) -> str:
        state = {each.model: each.state for each in caller.readings()}[model]
        assert state in {"closed", "half-open"}
        return await models.ask(model)

    for names, passed in calls:
        before, slept = len(models.asked), sum(models.waits)
        [outcome] = await asyncio.gather(caller.call(names, ask), return_exceptions=True)
        if isinstance(outcome, Unavailable):
            assert outcome.retry_after_s is not None
            assert outcome.retry_after_s > 0
        else:
            assert isinstance(outcome, RecordFault) or outcome in {f"{name} says" for name in names}
        assert len(models.asked) - before <= LIMITS.attempts * len(set(names))
        assert sum(models.waits) - slept <= (LIMITS.attempts - 1) * len(set(names)) * LIMITS.longest_wait_s
        models.now += passed
