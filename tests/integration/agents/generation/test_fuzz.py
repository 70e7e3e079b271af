"""The provider fuzzer: whatever a provider answers, requests end, calls are bounded and booked, records are taken."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from schemas.catalogue import topic_named
from schemas.codec.rows import RowCodec
from schemas.records import CostEvent, PersonaRequest
from schemas.registries.registry import open_registry
from streams.engine.batch import Slice, TopicPartition
from streams.engine.decoding import Decoder
from streams.errors import SettingsError
from streams.settings import Settings
from tests.support.drafting import NOW, REQUESTS, rows
from tests.support.generate_stage import State, costs_of, drafts_of, generating, some_requests
from tests.support.openai.loopback import LoopbackOpenAI
from tests.support.provider_fuzz import ANSWERS, Named, Response
from tests.support.single_outputs import single
from tests.support.skipping_loop import SkippingLoop
from tests.support.stage_driver import Emitted

REGISTRY = open_registry(None)
ROWS = RowCodec(REGISTRY)
MOST_CALLS = 6  # of a draft: three for hooks, three for a body
MOST_UNREAD = 3  # answers nobody can read, to one of these calls
MOST_STARTS = 40
LIVES = settings(deadline=None, max_examples=settings().max_examples // 4)  # a life of several calls takes a while
QUIET: dict[str, Any] = {"llm_concurrency": 2, "llm_cache": "off", "batch_poll_s": 3_600.0}
POLL_S = 300.0  # of the clock that skips waits


@dataclass(frozen=True)
class Sent:
    """A record as a consumer fetches it."""

    offset: int
    value: bytes
    timestamp: int = int(NOW.timestamp() * 1000)
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


@dataclass
class Provider:
    """Answers by a plan; when that is through, well. Counts what it answered with success, and what that must cost."""

    plan: list[Named]
    good: dict[str, Any] = field(default_factory=dict)
    readable: int = 0
    answered: int = 0
    calls: int = 0

    def __call__(self, body: dict[str, Any], completion: dict[str, Any]) -> Response | None:
        del body
        self.calls += 1
        change = self.plan.pop(0) if self.plan else None
        response = change(completion) if change else None
        if response is None or (200 <= response[0] < 300 and b'"error"' not in response[2]):
            self.answered += 1
        if change is None or (change.keeps_usage and response is not None and response[0] == 200):
            self.readable += completion["usage"]["prompt_tokens"]
        return response


@dataclass
class Run:
    """A life of requests over several starts of the stage, and all that came of it."""

    provider: Provider
    requests: list[PersonaRequest]
    settings: dict[str, Any]
    most_starts: int
    state: dict[bytes, bytes] = field(default_factory=dict)
    effects: Emitted = field(default_factory=Emitted)
    done: set[int] = field(default_factory=set)
    rejected: set[int] = field(default_factory=set)
    starts: int = 0

    async def live(self, monotonic: Any) -> None:
        while len(self.done) < len(self.requests):
            self.starts += 1
            assert self.starts <= self.most_starts, "started again and again"
            with suppress(SettingsError):  # of the set-up: started again, and the plan goes on
                await self._start(monotonic)

    async def _start(self, monotonic: Any) -> None:
        server = LoopbackOpenAI(instead=self.provider)
        state: State = list(self.state.items())
        async with generating(server, state=state, monotonic=monotonic, **self.settings) as stage:
            left = [number for number in range(len(self.requests)) if number not in self.done]
            for number in left:
                refused = await stage.add(rows(REQUESTS, [self.requests[number]], first_offset=number))
                self._reject([(each.offset, str(each.fault)) for each in refused])
            while True:
                is_open = stage.unfinished(REQUESTS) is not None
                self._take(await stage.flush())
                if not is_open:
                    self.done = set(range(len(self.requests)))
                    return
                await asyncio.sleep(POLL_S)

    def _take(self, effects: Emitted) -> None:
        for change in effects.state:
            if change.value is None:
                self.state.pop(change.key, None)
            else:
                self.state[change.key] = change.value
        self.effects.outputs += effects.outputs
        for refused in effects.rejections.values():
            self._reject([(each.offset, str(each.fault)) for each in refused])

    def _reject(self, refused: Sequence[tuple[int, str]]) -> None:
        for offset, fault in refused:
            fault.encode()
            assert len(fault) < 20_000
            self.rejected.add(offset)


def refused_by_consumers(effects: Emitted) -> list[str]:
    """Return why the platform's own consumers would refuse what was sent."""
    found, decoder = list[str](), Decoder(REGISTRY, Settings())
    for place, output in enumerate(single(effects.outputs)):
        topic = topic_named(output.topic)
        part = Slice(TopicPartition(output.topic, 0), [Sent(place, ROWS.encode(topic, output.record))], None, 0)
        found += [f"{output.topic}: {each.fault}" for each in decoder.decode(part).rejections]
    return found


def lived(plan: list[Named], count: int, settings: dict[str, Any]) -> Run:
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        loop = runner.get_loop()
        run = Run(Provider(list(plan)), some_requests(count), settings, MOST_STARTS + len(plan))
        runner.run(asyncio.wait_for(run.live(loop.time), 10 * 86_400))
        assert isinstance(loop, SkippingLoop)
        assert loop.unheard == []
    return run


def booked(costs: Sequence[CostEvent]) -> dict[str, CostEvent]:
    """Return the costs by id: what comes again after a start is the very same."""
    once: dict[str, CostEvent] = {}
    for cost in costs:
        assert once.setdefault(cost.event_id, cost) == cost
    return once


@pytest.mark.fuzz
@LIVES
@given(plan=st.lists(ANSWERS, min_size=1, max_size=14), count=st.integers(1, 3), burst=st.sampled_from((1, 3)))
def test_whatever_a_provider_answers_requests_end_bounded_booked_and_in_records_that_are_taken(
    plan: list[Named], count: int, burst: int
) -> None:
    run = lived(plan, count, QUIET | {"burst_size": burst})
    costs = booked(costs_of(run.effects))
    written = {draft.request_id for draft in drafts_of(run.effects)}
    assert len(written) + len(run.rejected) == count
    assert refused_by_consumers(run.effects) == []
    assert run.provider.calls <= len(plan) + MOST_CALLS * count
    assert sum(cost.prompt_tokens for cost in costs.values()) >= run.provider.readable
    assert len(costs) >= run.provider.answered / (MOST_UNREAD + 1)
    event(f"starts: {min(run.starts, 5)}")
    event(f"drafts: {len(written)} of {count}")


@pytest.mark.fuzz
@LIVES
@given(answer=ANSWERS, count=st.integers(1, 2))
def test_a_provider_that_answers_the_same_for_long_is_not_paid_for_long(answer: Named, count: int) -> None:
    patience = 60
    run = lived([answer] * patience, count, QUIET | {"burst_size": 1})
    assert run.provider.answered <= MOST_CALLS * MOST_UNREAD * count
    assert refused_by_consumers(run.effects) == []
    booked(costs_of(run.effects))
