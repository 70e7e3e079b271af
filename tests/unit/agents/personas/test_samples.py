from __future__ import annotations

import pytest

from agents.demo.session import demo_requests
from agents.guard.findings import GuardPolicy, text_findings
from agents.personas.persona import Persona
from agents.personas.persona_file import FOLDER, SAMPLES
from agents.scoring.words import language_match
from tests.support.drafting import samples

LANGUAGES = ("en", "es", "de", "uk")


def test_every_sample_file_is_listed_and_named_after_its_persona() -> None:
    assert set(SAMPLES) == set(FOLDER.glob("*.yaml"))
    assert [path.stem for path in SAMPLES] == [persona.persona_id for persona in samples()]


def test_at_least_eight_samples_write_four_languages_and_two_write_more_than_one() -> None:
    assert len(samples()) >= 8
    assert {language for persona in samples() for language in persona.languages} == set(LANGUAGES)
    assert sum(len(persona.languages) > 1 for persona in samples()) >= 2


@pytest.mark.parametrize("persona", samples(), ids=lambda persona: persona.persona_id)
def test_a_sample_has_examples_in_each_language_and_a_plan_a_budget_and_calls(persona: Persona) -> None:
    for language in persona.languages:
        assert 3 <= len(persona.examples_in(language)) <= 5
    assert persona.posting.slots
    assert persona.budget.daily_micros
    assert len(persona.calls_to_action) >= 2
    assert len(persona.hook_styles) >= 2
    assert persona.banned_phrases


@pytest.mark.parametrize("persona", samples(), ids=lambda persona: persona.persona_id)
def test_what_a_sample_says_is_in_its_language_and_keeps_its_own_bans(persona: Persona) -> None:
    first = persona.languages[0]
    calls = " ".join((*persona.calls_to_action, persona.disclosure or ""))
    texts = [(f"{each.hook} {each.body}", each.language or first) for each in persona.examples] + [(calls, first)]
    for text, language in texts:
        assert language_match(text, language)[0] >= 0.4, text
        assert text_findings(text, GuardPolicy(persona.banned_phrases)) == (), text


def test_the_demo_asks_only_personas_that_write_what_the_offline_model_writes() -> None:
    languages = {persona.persona_id: persona.languages for persona in samples()}
    assert all("en" in languages[request.persona_id] for request in demo_requests(24))
