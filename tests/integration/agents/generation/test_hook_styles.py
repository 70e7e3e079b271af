"""Hook styles: chosen by the arms in force, asked of the model, kept through a crash, and recorded with the draft."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agents.costs.budget import BudgetLimits
from agents.generation.admission import Admitted
from agents.learning.arms_directory import ArmsDirectory
from agents.learning.bandit.arms_record import record_of
from agents.learning.bandit.choosing import Arms, choose, propensities
from agents.learning.hook_judge import KEPT_STRENGTHS, hook_judge
from agents.learning.style_choices import MAX_AGE_S, StyleChoices
from agents.personas.directory import PersonaDirectory
from agents.personas.persona_topic import persona_applied
from schemas.records import HookArms, HookChoice
from streams.errors import SettingsError
from tests.support.drafting import (
    NOW,
    REQUESTS,
    SettableClock,
    budgets,
    finished_effects,
    listed,
    request,
    rows,
    samples,
    spent_today,
)
from tests.support.generate_stage import drafts_of, effects_with_drafts, generating, some_requests, state_of
from tests.support.listed_tail import ListedTail
from tests.support.openai.loopback import Fault, LoopbackOpenAI
from tests.support.rewards import reward
from tests.support.settings import settings_with

NORA = next(each for each in samples() if each.persona_id == "night-shift-nora")
STYLES = NORA.hook_styles
BODY = "I lie down at six, without the phone, for twenty minutes. The first hour of the shift feels half as long."


def arms_that_favour(style: str) -> HookArms:
    """Return arms of posts of which those of one style did five times as well."""
    rewards = [
        reward(each, number, engagements=50 if each == style else 10, persona_id=NORA.persona_id)
        for each in STYLES
        for number in range(20)
    ]
    record = record_of(NORA.persona_id, rewards)
    assert record is not None
    return record


def tail_of(*records: HookArms) -> ListedTail[HookArms]:
    return ListedTail([(each.persona_id, each) for each in records])


def choices_of(*records: HookArms) -> StyleChoices:
    return StyleChoices(ArmsDirectory(tail_of(*records)))


def asked_styles(server: LoopbackOpenAI) -> list[str]:
    """Return the styles that the provider was asked for hooks in, in order."""
    bodies = [json.loads(body["messages"][1]["content"]) for body in server.requests]
    return [brief["hook_style"] for body in bodies for brief in body["briefs"] if "hook_style" in brief]


async def drafted(server: LoopbackOpenAI, styles: StyleChoices, count: int = 12, **more: Any) -> list[HookChoice]:
    async with generating(server, styles=styles, **more) as stage:
        await stage.add(rows(REQUESTS, some_requests(count)))
        drafts = drafts_of(await effects_with_drafts(stage, count))
    choices = [each.hook_choice for each in sorted(drafts, key=lambda each: int(each.request_id[1:]))]
    assert all(choices)
    return [each for each in choices if each]


async def test_a_draft_is_asked_in_the_style_that_its_id_and_the_arms_say_and_records_its_propensity() -> None:
    server, record = LoopbackOpenAI(), arms_that_favour(STYLES[0])
    chosen = await drafted(server, choices_of(record))
    arms = Arms(record.version, record.arms)
    shares = propensities(arms, STYLES)
    assert shares[STYLES[0]] > 0.8
    assert sorted(asked_styles(server)) == sorted(each.style for each in chosen)
    for each in chosen:
        assert (each.propensity, each.arms_version) == (shares[each.style], record.version)


async def test_without_arms_styles_are_drawn_evenly_and_say_so() -> None:
    chosen = await drafted(LoopbackOpenAI(), choices_of(), count=30)
    assert {each.style for each in chosen} == set(STYLES)
    assert {(each.propensity, each.arms_version) for each in chosen} == {(1 / len(STYLES), None)}


async def test_new_arms_are_chosen_by_without_a_restart() -> None:
    server, tail, monotonic = LoopbackOpenAI(), tail_of(arms_that_favour(STYLES[0])), Clock()
    styles = StyleChoices(ArmsDirectory(tail, monotonic))
    async with generating(server, styles=styles) as stage:
        await stage.add(rows(REQUESTS, some_requests(20)))
        before = drafts_of(await effects_with_drafts(stage, 20))
        tail.append(NORA.persona_id, arms_that_favour(STYLES[1]))
        monotonic.now += 2 * MAX_AGE_S
        await stage.add(rows(REQUESTS, [request(f"n{n}", brief=f"a nap {n}") for n in range(20)], first_offset=20))
        after = drafts_of(await effects_with_drafts(stage, 20))
    share = [sum(each.hook_choice.style == STYLES[1] for each in part if each.hook_choice) for part in (before, after)]
    assert share[0] <= 5, f"{STYLES[1]!r}: {share} of 20 drafts"
    assert share[1] >= 15, f"{STYLES[1]!r}: {share} of 20 drafts"


async def test_a_request_that_was_begun_keeps_its_style_though_the_arms_are_others_by_now() -> None:
    """The hooks are answered and kept, the body is not: the next worker goes on in the style that was asked."""
    away: list[Fault | None] = ["500"]
    faults: list[Fault | None] = [None, *away * 50]
    first, second = LoopbackOpenAI(faults=faults), LoopbackOpenAI()
    async with generating(first, styles=choices_of(arms_that_favour(STYLES[0]))) as stage:
        await stage.add(rows(REQUESTS, [request("r0")]))
        while not (kept := state_of(await stage.flush())):
            await asyncio.sleep(0.005)
    assert asked_styles(first)
    async with generating(second, state=kept, styles=choices_of(arms_that_favour(STYLES[1]))) as stage:
        await stage.add(rows(REQUESTS, [request("r0")]))
        [draft] = drafts_of(await finished_effects(stage))
    assert draft.hook_choice is not None
    assert {draft.hook_choice.style} == set(asked_styles(first))
    assert draft.hook_choice.arms_version == arms_that_favour(STYLES[0]).version


async def test_a_parked_request_keeps_its_style_through_a_restart() -> None:
    limits, over = BudgetLimits(None, 1_000_000), [spent_today(960_000)]
    clock, old, new = SettableClock(NOW), arms_that_favour(STYLES[0]), arms_that_favour(STYLES[1])
    async with generating(
        LoopbackOpenAI(), budgets=budgets(limits, over, clock), clock=clock, styles=choices_of(old)
    ) as stage:
        await stage.add(rows(REQUESTS, some_requests(6)))
        parked = state_of(await stage.flush())
    clock.now = NOW.replace(hour=0, minute=0) + timedelta(days=1)
    async with generating(
        LoopbackOpenAI(), state=parked, budgets=budgets(limits, over, clock), clock=clock, styles=choices_of(new)
    ) as stage:
        await stage.flush()
        drafts = drafts_of(await effects_with_drafts(stage, 6))
    arms = Arms(old.version, old.arms)
    for each in drafts:
        assert each.hook_choice is not None
        assert each.hook_choice.style == choose(arms, STYLES, each.draft_id).style
        assert each.hook_choice.arms_version == old.version


async def test_a_style_that_the_persona_has_no_more_is_chosen_anew_unless_the_model_was_asked_in_it() -> None:
    """A request that waited for its budget is asked in a style there is; what is at the provider keeps its own."""
    gone = (HookChoice(style="gone", propensity=1.0, arms_version=None, experiment_id=None),)
    async with generating(LoopbackOpenAI(), styles=choices_of()) as stage:
        await stage.add(rows(REQUESTS, [request("r0")]))
        admission, now = stage.stage._admission, NOW
        waited = admission.decide(request("r1"), now, chosen=gone, is_new=False)
        asked = admission.decide(request("r1"), now, chosen=gone, is_new=False, is_paid=True)
        assert isinstance(waited, Admitted)
        assert isinstance(asked, Admitted)
        assert waited.assignments[0].choice is not None
        assert waited.assignments[0].choice.style in STYLES
        assert asked.assignments[0].choice == gone[0]
        assert [each.choice for each in admission.assignments(request("r1"), gone)] == list(gone)


async def test_a_request_whose_hooks_were_asked_before_there_were_styles_has_no_choice() -> None:
    """An earlier version began it and kept its calls: nobody asked for a style, and the record says so."""
    away: list[Fault | None] = ["500"]
    first, second = LoopbackOpenAI(faults=[None, *away * 50]), LoopbackOpenAI()
    async with generating(first) as stage:
        await stage.add(rows(REQUESTS, [request("r0")]))
        while not (kept := state_of(await stage.flush())):
            await asyncio.sleep(0.005)
    old = [(key, without_choices(value)) for key, value in kept]
    async with generating(second, state=old, styles=choices_of()) as stage:
        await stage.add(rows(REQUESTS, [request("r0")]))
        [draft] = drafts_of(await finished_effects(stage))
    assert asked_styles(first) == asked_styles(second) == []
    assert draft.hook_choice is None


def without_choices(value: bytes) -> bytes:
    """Return an entry of the state as an earlier version wrote it."""
    return json.dumps({name: each for name, each in json.loads(value).items() if name != "choices"}).encode()


async def test_a_batch_keeps_the_styles_that_it_was_submitted_with_though_the_persona_has_others_by_then() -> None:
    server, clock = LoopbackOpenAI(), SettableClock(NOW)
    tail = listed([NORA])
    directory = PersonaDirectory(tail)
    async with generating(server, directory=directory, clock=clock, styles=choices_of(), batch_size=1) as stage:
        await stage.add(rows(REQUESTS, [replace(request("r0"), deadline="tomorrow")]))
        async with asyncio.timeout(20):
            while not server.batches.batches:
                await stage.flush()
                await asyncio.sleep(0.01)
        [content] = server.batches.files.values()
        [line] = [json.loads(each) for each in content.splitlines()]
        submitted = json.loads(line["body"]["messages"][1]["content"])["briefs"][0]["hook_style"]
        renamed = NORA.model_copy(update={"hook_styles": ("a new style",)})
        tail.append(NORA.persona_id, persona_applied(renamed, NOW))
        await stage.catch_up()
        [draft] = drafts_of(await effects_with_drafts(stage, 1))
    assert draft.hook_choice is not None
    assert draft.hook_choice.style == submitted


def test_the_judge_knows_each_hook_whatever_it_forgot_and_counts_no_candidate_twice() -> None:
    judge = hook_judge(settings_with())
    assert judge is not None
    first = judge.strengths(["One hook.", "Another hook?"])
    judge.strengths([f"Hook number {number}." for number in range(KEPT_STRENGTHS + 2)])
    assert judge.strengths(["Another hook?", "One hook.", "One hook."]) == [first[1], first[0], first[0]]


async def test_the_judge_takes_the_hook_that_readers_take_and_says_how_sure_it_is() -> None:
    judge = hook_judge(settings_with(hook_judge="fast"))
    assert judge is not None
    hooks = ["Naps: yes?", "He slept 20 minutes before his night shift, and what he saw then made her cry.", "Nap now."]
    strengths = judge.strengths(hooks)
    best = hooks[strengths.index(max(strengths))]
    server = LoopbackOpenAI(answer=lambda field, _body: {"answers": [{field: hooks if field == "hooks" else BODY}]})
    async with generating(server, styles=choices_of(), judge=judge) as stage:
        await stage.add(rows(REQUESTS, [request("r0", brief="naps, a nap, shift, minutes")]))
        [draft] = drafts_of(await finished_effects(stage))
    assert draft.hook == best
    assert draft.hook_choice is not None
    assert draft.hook_choice.model_version == judge.version
    assert draft.hook_choice.win_probability is not None
    assert draft.hook_choice.win_probability > 0.5
    assert draft.hook_choice.hook_log_odds == pytest.approx(max(strengths))


def test_the_judge_knows_the_language_of_its_tests_alone_and_can_be_turned_off() -> None:
    judge = hook_judge(settings_with())
    assert judge is not None
    assert judge.knows("en")
    assert not judge.knows("de")
    assert hook_judge(settings_with(hook_judge="off")) is None


@pytest.mark.parametrize("content", [b"", b'{"kind": "something else"}\n', b"half"])
def test_a_judge_whose_file_is_damaged_is_named_at_the_start(tmp_path: Any, content: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="THREADS_HOOK_JUDGE=trained"):
        hook_judge(settings_with(hook_judge="trained", hook_predictor=path))


def test_arms_with_another_checksum_are_told_and_not_chosen_by(caplog: pytest.LogCaptureFixture) -> None:
    good = arms_that_favour(STYLES[0])
    directory = ArmsDirectory(tail_of())
    directory.put(good)
    directory.put(replace(arms_that_favour(STYLES[1]), checksum="0" * 64))
    assert "not those its checksum was made of" in caplog.text
    found = directory.find(NORA.persona_id)
    assert found is not None
    assert found.version == good.version
    directory.drop(NORA.persona_id.encode())
    assert directory.find(NORA.persona_id) is None


class Clock:
    """A clock of seconds that stands where the test sets it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now
