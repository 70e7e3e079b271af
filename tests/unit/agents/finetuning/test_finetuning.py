"""Examples for fine-tuning: which posts did well, what is left out and why, and the form that the provider takes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.finetuning.choosing import PublishedPost, Wanted, chosen
from agents.finetuning.examples import example_of, files_of, is_for_validation
from tests.support.drafting import samples

NORA = next(each for each in samples() if each.persona_id == "night-shift-nora")
ALL = Wanted(top=1.0)


def words(chance: Random, count: int) -> str:
    """Return words that nobody else has."""
    return " ".join("".join(chance.choices("abcdefghijklmnoprstuvw", k=chance.randint(4, 8))) for _ in range(count))


def post(number: int, *, views: int = 1_000, engagements: int = 50, **changes: Any) -> PublishedPost:
    chance = Random(number)
    made = PublishedPost(
        draft_id=f"draft-{number}",
        persona_id=NORA.persona_id,
        language="en",
        brief=f"the {words(chance, 1)} at work",
        hook=f"{words(chance, 8).capitalize()}.",
        body=f"{words(chance, 20).capitalize()}.",
        post_id=f"post-{number}",
        published_at=datetime(2026, 3, 1 + number % 20, tzinfo=UTC),
        views=views,
        engagements=engagements,
        simulated=False,
        definition=NORA.definition(),
    )
    return replace(made, **changes)


def ids(posts: tuple[PublishedPost, ...]) -> set[str]:
    return {each.post_id for each in posts}


def test_of_a_persona_the_best_share_is_taken_the_best_first() -> None:
    found = chosen([post(n, engagements=10 + n) for n in range(40)], Wanted(top=0.25))
    assert ids(found.posts) == {f"post-{n}" for n in range(30, 40)}
    assert found.left_out == {"did not do well enough": 30}


def test_one_like_of_few_views_is_no_good_post() -> None:
    lucky = post(99, views=100, engagements=12)
    solid = [post(n, views=20_000, engagements=2_000) for n in range(3)]
    usual = [post(10 + n, views=5_000, engagements=200) for n in range(8)]
    assert lucky.post_id not in ids(chosen([lucky, *solid, *usual], Wanted(top=0.25)).posts)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"views": 99}, "under 100 views"),
        ({"simulated": True}, "simulated"),
        ({"body": "Write to nora.nurse@example.org, she answers."}, "personal data: e-mail address"),
        ({"brief": "call +49 30 901820 at night"}, "personal data: phone number"),
        ({"hook": "Ask @nora.nurse about naps."}, "personal data: mention of an account"),
    ],
)
def test_what_is_left_out_is_counted_by_its_reason(changes: dict[str, Any], reason: str) -> None:
    found = chosen([post(1), post(2, **changes)], ALL)
    assert ids(found.posts) == {"post-1"}
    assert found.left_out == {reason: 1}


def test_of_texts_that_say_the_same_the_better_one_stays() -> None:
    first = post(1, engagements=80)
    copy = replace(post(2, engagements=90), hook=first.hook, body=first.body + "!")
    found = chosen([first, copy, post(3, engagements=70), post(4, engagements=9), post(5, engagements=9)], ALL)
    assert ids(found.posts) == {"post-2", "post-3"}
    assert found.left_out == {"says the same as a better one": 1, "did not do well enough": 2}


def test_nobody_did_well_where_nobody_engaged() -> None:
    found = chosen([post(n, engagements=0) for n in range(5)], ALL)
    assert found.posts == ()
    assert found.left_out == {"did not do well enough": 5}
    assert chosen([], ALL).posts == ()


@given(st.randoms(use_true_random=False))
def test_the_same_posts_make_the_same_bytes_in_any_order(random: Random) -> None:
    posts = [post(n, engagements=20 + 7 * n % 50) for n in range(12)]
    files = files_of(chosen(posts, Wanted(top=0.5)), Wanted(top=0.5), 0.2, "command")
    random.shuffle(posts)
    assert files_of(chosen(posts, Wanted(top=0.5)), Wanted(top=0.5), 0.2, "command") == files


def test_an_example_is_the_conversation_that_the_platform_itself_has() -> None:
    odd = post(1, hook='She said "no" \N{SLICE OF PIZZA} שלום', body="Two\u2028lines, “quotes” and \\ signs.")
    messages = json.loads(example_of(odd))["messages"]
    assert [each["role"] for each in messages] == ["system", "user", "assistant"]
    assert NORA.voice in messages[0]["content"]
    assert json.loads(messages[1]["content"])["briefs"] == [{"brief": odd.brief}]
    assert json.loads(messages[2]["content"]) == {"answers": [{"hook": odd.hook, "body": odd.body}]}
    assert "\n" not in example_of(odd)


def test_a_draft_stays_in_its_part_however_many_there_are() -> None:
    parts = [is_for_validation(post(n), 0.2) for n in range(400)]
    assert 50 < sum(parts) < 110
    assert all(is_for_validation(post(n), 0.3) for n, held in enumerate(parts) if held)


def test_the_card_tells_what_is_in_the_files() -> None:
    posts = [post(n) for n in range(20)] + [post(30, views=5)]
    found = chosen(posts, ALL)
    files = files_of(found, ALL, 0.1, "threads-agent export finetune")
    kept = files.training.count("\n") + files.validation.count("\n")
    assert kept == len(found.posts)
    assert f"| examples to train on | {files.training.count(chr(10))} (about " in files.card
    assert "| under 100 views | 1 |" in files.card
    assert f"| {NORA.persona_id} | {kept} |" in files.card
    assert "2026-03-01 to 2026-03-20" in files.card
