"""Experiments on the real broker: begun, looked at, competing changes, losers stopped, drafts asked by them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.learning.experiments.asking import opened_book
from agents.learning.experiments.experiment_states import NotPossible, moved
from agents.learning.style_choices import style_choices
from agents.personas.persona import Persona
from agents.personas.persona_topic import persona_applied
from schemas.records import HookReward
from schemas.registries.registry import open_registry
from streams.cli.main import main
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.settings import current_settings
from tests.conftest import Stack
from tests.support.drafting import samples
from tests.support.rewards import reward

STYLES = ("failure report", "number first", "question to the reader")


@pytest.fixture
def persona(stack: Stack, monkeypatch: pytest.MonkeyPatch, seed: int) -> Iterator[Persona]:
    """A persona of the test's own, in force on the session's broker, which commands use."""
    monkeypatch.setenv("THREADS_HOME", str(stack.home))
    current_settings.cache_clear()
    made = samples()[0].model_copy(update={"persona_id": f"compared-{seed}", "hook_styles": STYLES})
    asyncio.run(sent(stack, Output("personas", persona_applied(made, datetime.now(UTC)))))
    yield made
    current_settings.cache_clear()


async def sent(stack: Stack, *outputs: Output) -> None:
    async with EventProducer(stack.cluster, open_registry(None)) as producer:
        await producer.append_all(list(outputs))


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["experiments", *arguments], env={"COLUMNS": "80"})


def told(*arguments: str) -> Any:
    done = ran(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refused(*arguments: str) -> str:
    """Return what a command says that can't be done."""
    done = ran(*arguments)
    assert done.exit_code == 2, done.output
    return " ".join(done.output.split())


def begun(persona: Persona, *styles: str, more: tuple[str, ...] = ()) -> str:
    named = [each for style in styles for each in ("--style", style)]
    found = told("start", persona.persona_id, *named, *more, "--by", "ada")
    return str(found["experiment_id"])


def rewards_of(persona: Persona, experiment_id: str, rates: dict[str, int], posts: int = 40) -> list[HookReward]:
    found = []
    for style, engagements in rates.items():
        for number in range(posts):
            made = reward(style, number, views=400, engagements=engagements + number % 5, age_hours=24)
            choice = replace(made.choice, experiment_id=experiment_id)
            event_id, post_id = (f"{experiment_id} {each}" for each in (made.event_id, made.post_id))
            ours = replace(made, event_id=event_id, post_id=post_id)
            found.append(replace(ours, persona_id=persona.persona_id, choice=choice))
    return found


def test_losers_are_stopped_and_the_last_style_wins(stack: Stack, persona: Persona) -> None:
    experiment_id = begun(persona, *STYLES, more=("--name", "which opening?"))
    before = told("show", experiment_id)
    assert "not enough evidence: 12 posts of each style" in before["verdict"]
    rewards = rewards_of(persona, experiment_id, {STYLES[0]: 10, STYLES[1]: 60, STYLES[2]: 12})
    asyncio.run(sent(stack, *(Output("hooks.rewards", each) for each in rewards)))
    looked = told("show", experiment_id)
    assert sorted(looked["losers"]) == [STYLES[0], STYLES[2]]
    assert looked["experiment"]["state"] == "active", "to look changes nothing"
    table = ran("show", experiment_id)
    assert max(map(len, table.stdout.splitlines())) <= 80
    assert "--apply" in table.stdout
    applied = told("show", experiment_id, "--apply", "--by", "bob")["experiment"]
    assert (applied["state"], applied["winner"], applied["requested_by"]) == ("completed", STYLES[1], "bob")
    listed = {each["experiment_id"]: each for each in told("list")}
    assert listed[experiment_id]["winner"] == STYLES[1]
    assert f"{STYLES[1]} won" in " ".join(ran("show", experiment_id).stdout.split())
    assert "it is over: start another" in refused("resume", experiment_id)


def test_drafts_are_asked_by_the_active_experiment_and_by_the_arms_while_it_rests(
    stack: Stack, persona: Persona
) -> None:
    experiment_id = begun(persona, *STYLES[:2])

    async def chosen() -> set[tuple[str, float, str | None]]:
        choices = style_choices(stack.cluster, open_registry(None))
        await choices.refresh()
        found = [choices.of(persona, f"draft-{number}") for number in range(60)]
        await choices.close()
        return {(each.style, each.propensity, each.experiment_id) for each in found}

    assert asyncio.run(chosen()) == {(STYLES[0], 0.5, experiment_id), (STYLES[1], 0.5, experiment_id)}
    assert told("pause", experiment_id)["state"] == "paused"
    assert {each[2] for each in asyncio.run(chosen())} == {None}
    assert len(asyncio.run(chosen())) == len(STYLES)
    assert told("resume", experiment_id)["state"] == "active"
    assert told("stop", experiment_id, "--cancel", "--because", "the brief changed")["reason"] == "the brief changed"


def test_what_cannot_be_begun_is_refused_with_what_to_do(persona: Persona) -> None:
    experiment_id = begun(persona, *STYLES[:2])
    second = refused("start", persona.persona_id, "--style", STYLES[0], "--style", STYLES[2])
    assert f"has an active experiment, {experiment_id}: stop or pause it first" in second
    for arguments, why in (
        (("start", persona.persona_id, "--style", STYLES[0]), "compares two styles or more"),
        (("start", persona.persona_id, "--style", STYLES[0], "--style", "rhyme"), "no hook style 'rhyme'"),
        (("start", "nobody", "--style", "a", "--style", "b"), "there is no persona nobody"),
        (("show", "nothing"), "there is no experiment nothing"),
        (("stop", experiment_id, "--winner", "rhyme"), "no style of experiment"),
    ):
        assert why in refused(*arguments)
    assert ran("stop", experiment_id, "--winner", STYLES[0], "--cancel").exit_code == 2
    drafted = begun(persona, *STYLES[1:], more=("--draft",))
    assert told("show", drafted)["experiment"]["state"] == "draft"
    told("stop", experiment_id, "--winner", STYLES[0])


async def test_of_two_who_change_it_at_once_one_is_told_that_the_other_was_first(
    stack: Stack, persona: Persona
) -> None:
    experiment_id = await asyncio.to_thread(begun, persona, *STYLES[:2])
    async with opened_book(stack.settings) as one, opened_book(stack.settings) as other:
        await one.change(experiment_id, lambda before, now: moved(before, "paused", now, by="ada"))
        with pytest.raises(NotPossible, match=f"ada was first: experiment {experiment_id} is paused"):
            await other.change(experiment_id, lambda before, now: moved(before, "cancelled", now, by="bob"))
    async with opened_book(stack.settings) as later:
        assert later.require(experiment_id).state == "paused"
