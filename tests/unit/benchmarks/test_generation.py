"""The job and the sums of `bench generation`; that it runs is in benchmarks/."""

from __future__ import annotations

import json

import pytest

from agents.generation.asking.answers import answers_in, answers_schema
from agents.generation.asking.prompts import body_prompt, hook_prompt, instructions
from agents.generation.asking.writer import BodyTask, HookTask, Past
from agents.generation.drafting.cleaning import cleaned_body, cleaned_hook
from agents.llm.client import JsonSchema, Sampling, chat_body
from streams.errors import ThreadsError
from tests.benchmarks.choice import choose
from tests.benchmarks.generation.decisions import Decision
from tests.benchmarks.generation.instant_answers import InstantAnswers
from tests.benchmarks.generation.latency import steady_latency
from tests.benchmarks.generation.offline import read_topics, reasons_counted, topical_requests, topics_in
from tests.benchmarks.generation.posts import HOOKS, sample_posts
from tests.benchmarks.generation.roster import ROSTER, blocking_requests
from tests.benchmarks.generation.stack_run import Load
from tests.benchmarks.generation.standing import Run, Standing, span

POSTS = sample_posts()


def run(rate: float, cpu_seconds: float) -> Run:
    return Run(200, 100, 100 / rate, 50, cpu_seconds, 0.1, 300.0, accepted=150)


def asked(field: str, user: str, number: int, texts: int) -> bytes:
    persona = POSTS.post(number).persona
    system = instructions(persona, persona.languages[0], 700)
    schema = JsonSchema(field, answers_schema(field, 1, texts))
    body = chat_body(
        model="gpt-6-luna", system=system.text, user=user, answer=schema, sampling=Sampling(100, 0.7, seed=1)
    )
    return json.dumps(body).encode()


def said(raw: bytes, field: str) -> tuple[str, ...]:
    completion = json.loads(InstantAnswers(POSTS).answer(raw))
    assert completion["model"] == "gpt-6-luna"
    (texts,) = answers_in(completion["choices"][0]["message"]["content"], field, 1)
    return texts


def test_every_persona_has_its_turn_and_a_post_is_the_same_for_the_same_number() -> None:
    ids = {POSTS.post(number).persona.persona_id for number in range(len(POSTS.personas))}
    assert ids == {persona.persona_id for persona in POSTS.personas}
    assert POSTS.post(1234) == sample_posts().post(1234)
    assert len({POSTS.post(number).brief for number in range(300)}) == 300


def test_the_posts_come_through_the_cleaning_whole() -> None:
    for number in range(200):
        post = POSTS.post(number)
        emoji = post.persona.emoji_policy
        hooks = [cleaned_hook(hook, cut_off=False, emoji=emoji) for hook in post.hooks]
        assert tuple(hooks) == post.hooks
        body = cleaned_body(post.body, hook=hooks[0], room=400, cut_off=False, emoji=emoji)
        assert len(body.split()) > 0.8 * len(post.body.split())


@pytest.mark.parametrize("number", [0, 7, 318])
def test_the_instant_model_answers_the_platforms_prompts_with_the_posts_that_are_meant(number: int) -> None:
    post = POSTS.post(number)
    hooks = asked("hooks", hook_prompt([HookTask(post.assignment(), Past())], HOOKS), number, HOOKS)
    assert said(hooks, "hooks") == post.hooks
    body = asked("body", body_prompt([BodyTask(post.assignment(), post.hooks[0])]), number, 1)
    assert said(body, "body") == (post.body,)


def test_a_request_that_is_not_of_the_platform_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a chat request"):
        InstantAnswers(POSTS).answer(b'{"model": "gpt-6-luna", "messages": []}')


def test_what_was_finished_in_the_first_moment_does_not_count_for_the_rate() -> None:
    assert span([10.0, 10.0, 11.0, 12.0]) == (2, 2.0)
    with pytest.raises(ThreadsError, match="take more requests"):
        span([10.0, 10.0])


def test_a_standing_is_the_median_of_its_runs() -> None:
    standing = Standing("x", "y", (run(50.0, 1.0), run(100.0, 2.0), run(80.0, 0.5)))
    found = standing.summary()
    assert (found["drafts_per_second"], found["min"], found["max"]) == (80.0, 50.0, 100.0)
    assert found["cpu_s_per_thousand"] == 20.0
    assert Standing("x", "y", (), "broken").summary() == {"name": "x", "error": "broken"}


def test_latency_beyond_the_model_leaves_out_its_time_for_each_call() -> None:
    decisions = [Decision("a", 3_250, is_accepted=True, calls=2), Decision("b", 9_000, is_accepted=True, calls=2)]
    found = steady_latency({"a": 2.0}, decisions, model_latency_s=0.5)
    assert found.in_all.p50_ms == 1_250
    assert (found.beyond_model.events, found.beyond_model.p50_ms) == (1, 250)


def test_a_contestant_that_waits_for_the_model_gets_what_it_can_do_in_a_minute() -> None:
    assert blocking_requests(Load(2_000, 64, 0.0, 1)) == 2_000
    assert blocking_requests(Load(2_000, 64, 0.5, 2)) == 120
    assert blocking_requests(Load(50, 64, 0.5, 2)) == 50


def test_an_unknown_contestant_is_named_with_those_there_are() -> None:
    assert [one.name for one in choose(ROSTER, "bare-graph")] == ["bare-graph"]
    with pytest.raises(ThreadsError, match="'nobody'; there are: threads-agent-stack"):
        choose(ROSTER, "nobody")


def test_the_offline_models_briefs_are_about_pairs_of_topics() -> None:
    requests = topical_requests({"a": ["x", "y", "z"], "b": ["x", "y", "z"]}, 7)
    assert [(each.persona_id, each.brief) for each in requests[:5]] == [
        ("a", "x and y"),
        ("b", "x and y"),
        ("a", "x and z"),
        ("b", "x and z"),
        ("a", "y and z"),
    ]
    assert requests[6].brief == "x and y", "all pairs were used"


def test_the_offline_models_personas_are_eight_samples_with_examples_in_english() -> None:
    personas = {each.persona_id: each for each in POSTS.personas}
    topics = read_topics()
    assert len(topics) == 8
    assert all("en" in personas[persona_id].languages for persona_id in topics)
    requests = topical_requests(topics, 200)
    assert len({(each.persona_id, each.brief) for each in requests}) == 200


@pytest.mark.parametrize(("language", "brief"), [("de", "Fahrrad und Regen"), ("es", "lentejas y arroz")])
def test_in_another_language_the_personas_that_write_it_first_are_asked_in_it(language: str, brief: str) -> None:
    topics = topics_in(language)
    personas = {each.persona_id: each for each in POSTS.personas}
    assert len(topics) == 2
    assert all(personas[persona_id].languages[0] == language for persona_id in topics)
    requests = topical_requests(topics, 4, language)
    assert {each.language for each in requests} == {language}
    assert brief in {each.brief for each in requests}


def test_reasons_are_counted_by_their_class() -> None:
    decisions = [
        Decision("a", 1, is_accepted=True, calls=2),
        Decision("b", 2, is_accepted=False, calls=2, reasons=("quality: score 0.71 is under 0.78",)),
        Decision("c", 3, is_accepted=False, calls=2, reasons=("quality: score 0.55 is under 0.78", "more")),
        Decision("d", 4, is_accepted=False, calls=2, reasons=("duplicate: nearly the draft 9 of persona x",)),
    ]
    refusals = ["1 of 1 drafts could not be: draft 1: hook: no usable answer in 3 attempts (blank)"]
    assert reasons_counted(decisions, refusals) == {
        "rejected: quality score": 2,
        "rejected: duplicate nearly the draft": 1,
        "refused: hook no usable answer in": 1,
    }
