from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from agents.personas.persona import Persona, PersonaBudget
from tests.support.drafting import samples


def fields_of_nora(**changes: object) -> dict[str, Any]:
    return {**samples()[0].model_dump(), **changes}


def test_a_version_follows_from_the_content_alone() -> None:
    first = samples()[0]
    again = Persona.model_validate_json(first.definition())
    assert again.version() == first.version()
    assert first.model_copy(update={"voice": "loud"}).version() != first.version()
    assert json.loads(first.definition())["persona_id"] == first.persona_id


VERSIONS = {  # of the samples, before personas had approval, spacing, quiet hours and so on
    "night-shift-nora": "deb7ae30b6c55938",
    "ledger-lou": "f3f63dffd9e23c1f",
    "balcony-bea": "3a3631a4978f5061",
    "cocina-carla": "68018eaa07c319a1",
    "pendler-jonas": "bf5c0fbf55966696",
    "repair-rosa": "2bd43301b1c6b2ab",
    "barrio-mateo": "318fe9fed47d073f",
    "werkbank-wiebke": "195c0e4f41c5ce7e",
    "hrushka-olena": "d8226528b1926e8c",
    "potiah-taras": "96048e930b3d1a38",
}
LATER_FIELDS: dict[str, object] = {
    "approval": "approve",
    "spacing_min": 30,
    "quiet": ["23:00-05:00"],
    "missed": "expire",
    "missed_after_min": 15,
    "reply_control": "everyone",
    "topic_tag": "night shift",
}


def test_fields_that_came_later_leave_the_versions_of_personas_without_them_as_they_were() -> None:
    assert {each.persona_id: each.version() for each in samples()} == VERSIONS
    nora = samples()[0]
    assert "tenant" not in json.loads(nora.definition())
    assert set(json.loads(nora.definition())["posting"]) == {"timezone", "slots"}


def test_each_field_that_came_later_is_part_of_the_version_where_it_is_used() -> None:
    slots = {"slots": ["12:00"]}
    plans = [slots, *({**slots, name: value} for name, value in LATER_FIELDS.items())]
    personas = [Persona.model_validate(fields_of_nora(posting=each)) for each in plans]
    personas.append(Persona.model_validate(fields_of_nora(posting=slots, tenant="acme")))
    assert len({each.version() for each in personas}) == len(personas)
    for each in personas:
        assert Persona.model_validate_json(each.definition()) == each


def test_models_budget_slots_and_calls_are_part_of_the_version() -> None:
    changes: list[dict[str, object]] = [
        {},
        {"models": {"hooks": "a-model"}},
        {"models": {"revise": "a-model"}},
        {"budget": {"hourly_dollars": "0.01"}},
        {"posting": {"timezone": "Europe/Kyiv", "slots": ["08:00"]}},
        {"calls_to_action": ["What do you do?"]},
    ]
    assert len({Persona.model_validate(fields_of_nora(**each)).version() for each in changes}) == len(changes)


def test_a_budget_in_micros_is_exact() -> None:
    budget = PersonaBudget(daily_dollars=Decimal("0.300001"), hourly_dollars=Decimal(0))
    assert (budget.daily_micros, budget.hourly_micros) == (300_001, 0)
    assert (PersonaBudget().daily_micros, PersonaBudget().hourly_micros) == (None, None)
    assert PersonaBudget.model_validate({"daily_dollars": 0.1}).daily_micros == 100_000


@pytest.mark.parametrize(
    ("budget", "problem"),
    [
        ({"daily_dollars": -0.01}, "greater than or equal to 0"),
        ({"daily_dollars": "0.0000001"}, "no more than 6 decimal places"),
        ({"daily_dollars": 2_000_000}, "less than or equal to 1000000"),
        ({"daily_dollars": "much"}, "valid decimal"),
        ({"daily_dollars": True}, "write a number of dollars"),
        ({"daily_dollars": "NaN"}, "finite number"),
        ({"daily_dollars": "Infinity"}, "finite number"),
        ({"daily_dollars": 1, "hourly_dollars": 2}, "is above daily_dollars"),
        ({"weekly_dollars": 1}, "not permitted"),
    ],
)
def test_a_budget_that_can_not_be_kept_is_refused(budget: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        PersonaBudget.model_validate(budget)


def test_every_contradiction_between_fields_is_named_at_once() -> None:
    first = samples()[0].model_dump()["examples"][0]
    fields = fields_of_nora(languages=["en", "en"], topics=["sleep", "sleep"], examples=[{**first, "language": "fr"}])
    with pytest.raises(ValidationError) as caught:
        Persona.model_validate(fields)
    for part in ("languages names 'en' twice", "topics names 'sleep' twice", "examples are in fr"):
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["\ud800", "a" * 501, " "])
def test_text_that_no_post_could_carry_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="voice"):
        Persona.model_validate(fields_of_nora(voice=text))


def test_an_example_in_a_language_that_the_persona_lacks_is_refused() -> None:
    first = samples()[0].model_dump()
    first["examples"] = [{**first["examples"][0], "language": "fr"}]
    with pytest.raises(ValueError, match="examples are in fr"):
        Persona.model_validate(first)


def test_examples_are_those_of_the_language_asked_for() -> None:
    carla = next(each for each in samples() if each.persona_id == "cocina-carla")
    assert {each.language for each in carla.examples_in("en")} == {"en"}
    assert all(each.language is None for each in carla.examples_in("es"))
    assert carla.examples_in("uk") == carla.examples


def test_calls_to_action_are_for_posts_in_the_first_language() -> None:
    carla = next(each for each in samples() if each.persona_id == "cocina-carla")
    assert carla.calls_to_action_in("es") == carla.calls_to_action
    assert carla.calls_to_action_in("en") == ()
