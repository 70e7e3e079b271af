from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.scoring.quality import failures, score_draft
from agents.scoring.settings import ScoringSettings
from agents.scoring.stage import ScoreStage
from agents.scoring.weights import GATES, WEIGHTS
from agents.scoring.words import sentences_of, words_of
from schemas.records import DraftScored, Quality
from streams.engine.batch import TopicPartition
from tests.support.drafting import NOW, draft, outputs_to, rows, sample_directory, samples
from tests.support.stage_driver import DrivenStage

THRESHOLD = float(ScoringSettings.model_fields["quality_threshold"].default)
EXAMPLES = [
    (example.hook, example.body, example.language or persona.languages[0])
    for persona in samples()
    for example in persona.examples
]
DECENT_OFFLINE = [  # written by the embedded model
    (
        "I have eight snails, but one was killed yesterday.",
        "I'm having an allergy. The others are still here, but no more. I will never be able to save them.",
    ),
    (
        "My breakfast is on the stove, but I do not have any special treats.",
        "I go to bed with my breakfast. The kitchen is in my bedroom, and I do not need a bathroom.",
    ),
    (
        "I only do winter cycling.",
        "My friends say I am stupid, but I have never lost a bike. The weather is my friend, and I am happy in it.",
    ),
]
GARBAGE = {
    "repetition": (
        "I will do it again.",
        "I'm going to do it. I'm not going to do it. I'm going to do it. I'm going to do it.",
    ),
    "one word": ("Hello", ""),
    "one word again and again": ("good good good", "good good good good good good good good"),
    "a slot left open": (
        "{name} knows the secret of 9 hours.",
        "I never thought [topic] would cost me 3 hours of sleep.",
    ),
    "gibberish": ("asdf qwer zxcv uiop", "hjkl vbnm tyui ghjk erty dfgh xcvb nmas dfgh qwop"),
    "function words only": ("The the the of and in to", "a the of and to in that of the and of a the in to of and"),
    "the prompt again": ("Sure! Here is a post about sleep:", "Sleep is good for you, and 8 hours of it are best."),
    "a model speaking": (
        "As an AI language model, I cannot sleep.",
        "But 8 hours are a good idea for people who work nights.",
    ),
    "the wrong language": (
        "Ich habe das nicht gewusst.",
        "Die Lampe ist kaputt, und ich bin nicht nach Hause gefahren.",
    ),
    "empty praise": (
        "Great things.",
        "This is a really great thing and it is very nice and something amazing, really.",
    ),
    "a word without end": ("I saw it.", "a" * 300 + " was there and I did not know what it was for me."),
}


def quality(hook: str, body: str, language: str = "en", banned: tuple[str, ...] = ()) -> Quality:
    return score_draft(draft(hook, body, language=language), banned_phrases=banned, threshold=THRESHOLD)


def test_weights_are_shares_and_gates_are_features() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
    assert set(GATES) <= set(WEIGHTS)


@pytest.mark.parametrize(("hook", "body", "language"), EXAMPLES)
def test_posts_written_by_people_pass_in_every_language(hook: str, body: str, language: str) -> None:
    found = quality(hook, body, language)
    assert found.passed, failures(found)


@pytest.mark.parametrize(("hook", "body"), DECENT_OFFLINE)
def test_decent_posts_of_the_embedded_model_pass(hook: str, body: str) -> None:
    assert quality(hook, body).passed


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_fails_and_says_why(kind: str) -> None:
    found = quality(*GARBAGE[kind])
    assert not found.passed
    assert failures(found)
    assert all(reason.startswith("quality: ") for reason in failures(found))


def test_a_banned_phrase_fails_the_best_post_and_is_named() -> None:
    hook, body, _ = EXAMPLES[0]
    found = quality(hook, body, banned=("Real  Sleep",))
    assert found.score > THRESHOLD
    assert not found.passed
    assert "banned phrase 'Real  Sleep'" in failures(found)[0]
    assert quality(hook, body, banned=("real sleepers",)).passed


def test_a_foreign_record_that_did_not_pass_and_has_no_features_says_so() -> None:
    bare = Quality(score=0.2, threshold=0.72, passed=False, features=())
    assert failures(bare) == ("quality: score 0.20 is under 0.72, and no features say why",)
    assert failures(replace(bare, score=0.9)) == ("quality: did not pass with score 0.90",)


def test_a_post_in_ukrainian_is_recognised() -> None:
    hook, body = (
        "Я вимкнула телефон о дев'ятій, і ніхто не помер.",
        "Дві години без екрана, чай і книга. Сон прийшов раніше.",
    )
    assert quality(hook, body, "uk").passed
    assert not quality(hook, body, "en").passed


@given(st.text(max_size=600), st.text(max_size=600), st.sampled_from(["en", "es", "de", "uk", "fr"]))
def test_any_text_gets_features_and_a_score_from_0_to_1(hook: str, body: str, language: str) -> None:
    found = quality(hook, body, language)
    assert 0.0 <= found.score <= 1.0
    assert all(0.0 <= each.value <= 1.0 and each.reason for each in found.features)
    assert found.score == pytest.approx(sum(each.value * each.weight for each in found.features), abs=1e-5)
    assert found.passed == (not failures(found))


def test_sentences_end_where_a_reader_stops_and_not_at_abbreviations() -> None:
    assert sentences_of('I slept at 8 a.m. and woke up. "Really?" Yes! And then') == [
        "I slept at 8 a.m. and woke up.",
        '"Really?"',
        "Yes!",
    ]
    assert words_of("Don’t pay 3.50 for rock-salt.") == ("don't", "pay", "3.50", "for", "rock-salt")


async def test_the_stage_scores_with_the_banned_phrases_of_the_persona_in_force() -> None:
    stage = DrivenStage(ScoreStage(sample_directory(), threshold=THRESHOLD, clock=lambda: NOW))
    hook, body, _ = EXAMPLES[0]
    source = TopicPartition("drafts.generated", 2)
    await stage.restore(source, [])
    clean = draft(hook, body, draft_id="d1", persona_id="night-shift-nora")
    dirty = draft(hook, f"{body} Quite a hustle.", draft_id="d2", persona_id="night-shift-nora")
    foreign = draft(hook, f"{body} Quite a hustle.", draft_id="d3", persona_id="nobody-applied")
    assert await stage.add(rows(source, [clean, dirty, foreign])) == ()
    scored = [record for record in outputs_to(await stage.flush(), "drafts.scored") if isinstance(record, DraftScored)]
    assert [each.quality.passed for each in scored] == [True, False, True]
    assert [each.causation_id for each in scored] == ["d1", "d2", "d3"]
    await stage.add(rows(source, [clean]))
    again = outputs_to(await stage.flush(), "drafts.scored")
    assert again == scored[:1]


async def test_a_partition_that_goes_takes_its_scores_along() -> None:
    stage = DrivenStage(ScoreStage(sample_directory(), threshold=THRESHOLD))
    source = TopicPartition("drafts.generated", 2)
    await stage.restore(source, [])
    await stage.add(rows(source, [draft("A hook.", "A body.")]))
    await stage.drop(source)
    assert (await stage.flush()).outputs == []
