from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.guard.findings import (
    MAX_CHECKED_LENGTH,
    GuardPolicy,
    PostParts,
    findings,
    open_slots,
    prompt_echo,
    text_findings,
)
from agents.guard.threads_counts import MAX_LENGTH, links_in, threads_length
from agents.personas.persona_file import SAMPLES, read_personas

POLICY = GuardPolicy(banned_phrases=("side hustle",))
CLEAN = PostParts(
    "I slept 8 hours after a night shift.",
    "Blackout curtains cost me 40 dollars. My phone stays in the kitchen.",
    "What do you do?",
    "Thank you, I will try that.",
    "Contains an affiliate link.",
)
EVILS = {
    "unfilled slot": "{name} sleeps well.",
    "banned phrase": "A Side  Hustle for you.",
    "prompt echo": "As an AI language model I never sleep.",
    "personal data": "Write to me at nora@example.com.",
    "hidden text": "Sleep\u202e well.",
}
SLOTS = [
    "{name}",
    "{{ persona.name }}",
    "${price}",
    "[topic]",
    "[Dein Name]",
    "<product>",
    "<ваш продукт>",
    "%s",
    "%(city)s",
    "INSERT HOOK",
    "XXX",
    "____",
    "Lorem ipsum",
    "@username",
]
NO_SLOTS = [
    "I <3 rye bread.",
    "It rose 40% since May.",
    "50 % so far.",
    "Note [1] says so.",
    "See [my notes](https://example.com/notes).",
    "He said 'I seen it' [sic].",
    "5 < 6 and 7 > 3",
    "100%sure",
    "I paid $40 (not $50).",
    "Size XXL, sold out.",
]
ECHOES = [
    "Sure! Here is a post about sleep:",
    "Here are 3 hooks for your post:",
    "Here's a draft about naps. Sleep well.",
    "Certainly, here's the body:",
    "Topic: sleep",
    "Hook: I slept.",
    "¡Claro! Aquí tienes el gancho:",
    "Aquí tienes una publicación sobre dormir:",
    "Natürlich, hier ist dein Beitrag:",
    "I'm just an AI, I never sleep.",
    "I can't help with that.",
    "Als KI-Sprachmodell schlafe ich nicht.",
    "Como modelo de lenguaje no duermo.",
    "Як мовна модель, я не сплю.",
    "Звісно! Ось ваш допис:",
    "<|im_start|>assistant",
    "Let me know if you want another version.",
]
NO_ECHOES = [
    "Sure, I slept. But not at night.",
    "Of course I forgot my keys in the post office.",
    "Here is what 12 night shifts taught me.",
    "Here are the three lamps I regret.",
    "Here's the thread of my grandmother's coat.",
    "Rest days are for planning: three soups, one bread.",
    "User manuals lie. Mine said 8 minutes: it took 40.",
    "My body keeps the score: two naps, one run.",
    "Claro que lo intenté otra vez.",
    "Klar habe ich das Brot verbrannt.",
    "Hier ist es um 4 Uhr noch still.",
    "Ось чому я не варю борщ у неділю.",
    "An AI wrote my shopping list, and I bought 12 leeks.",
]


def test_a_clean_post_has_no_findings() -> None:
    assert findings(CLEAN, POLICY) == ()


@pytest.mark.parametrize("part", ["hook", "body", "call_to_action", "reply", "disclosure"])
@pytest.mark.parametrize("rule", EVILS)
def test_every_part_is_checked_by_every_rule(part: str, rule: str) -> None:
    fields = {name: getattr(CLEAN, name) for name in ("hook", "body", "call_to_action", "reply", "disclosure")}
    (found,) = findings(PostParts(**{**fields, part: EVILS[rule]}), POLICY)
    assert (found.part, found.rule) == (part, rule)
    assert str(found).startswith(f"{part}: {rule} ")


def test_reasons_never_repeat_personal_data() -> None:
    assert all("nora" not in str(each) for each in findings(PostParts("Ask nora@example.com", "Now."), POLICY))


def test_lengths_are_counted_as_threads_does_over_the_whole_post_and_apart_for_the_reply() -> None:
    emoji = "🌙" * 125  # four bytes each
    assert threads_length(emoji) == MAX_LENGTH
    assert findings(PostParts(emoji, ""), POLICY) == ()
    (post,) = findings(PostParts(emoji, "", "Go."), POLICY)
    assert (post.part, post.rule, post.detail) == ("post", "length", "505 characters of 500")
    (reply,) = findings(PostParts("Hi.", "", reply="a" * 281), POLICY)
    assert (reply.part, reply.detail) == ("reply", "281 characters of 280")


def test_links_are_counted_over_the_whole_post() -> None:
    links = "https://example.com/a www.example.com [b](https://example.org/b)"
    parts = PostParts(links, "Also example.net/c, and example.de!", "[more](/more)")
    (found,) = findings(parts, POLICY)
    assert (found.part, found.rule, found.detail) == ("post", "links", "6 of 5")
    assert findings(parts, GuardPolicy(max_links=6)) == ()
    assert findings(parts, GuardPolicy(max_links=6, links_allowed=False))[0].detail == "6 of 0"
    assert findings(PostParts("No link.", "None."), GuardPolicy(links_allowed=False)) == ()


@pytest.mark.parametrize("text", ["e.g. this", "i.e. that", "U.S. law", "z.B. Brot", "3.5 km", "Wait...what?", "a.m."])
def test_abbreviations_and_numbers_are_no_links(text: str) -> None:
    assert links_in(text) == []


@pytest.mark.parametrize("slot", SLOTS)
def test_a_slot_that_nobody_filled_is_found(slot: str) -> None:
    assert len(open_slots(f"I asked {slot} about it.")) == 1


@pytest.mark.parametrize("text", NO_SLOTS)
def test_what_only_looks_like_a_slot_is_none(text: str) -> None:
    assert open_slots(text) == []


@pytest.mark.parametrize("text", ECHOES)
def test_the_prompt_again_and_small_talk_are_found(text: str) -> None:
    assert prompt_echo(text)


@pytest.mark.parametrize("text", NO_ECHOES)
def test_a_person_who_talks_is_no_model(text: str) -> None:
    assert prompt_echo(text) is None


def test_characters_that_hide_a_phrase_do_not_hide_it_from_the_guard() -> None:
    rules = {each.rule for each in findings(PostParts("My side hu\u200bstle.", "Now you know it."), POLICY)}
    assert rules == {"hidden text", "banned phrase"}
    assert findings(PostParts("My family 👨‍👩‍👧 and I ❤️ it.", "Still."), POLICY) == ()


def test_what_can_not_be_checked_is_refused() -> None:
    assert [each.rule for each in findings(PostParts("", ""), POLICY)] == ["empty"]
    assert [each.rule for each in findings(PostParts("a" * (MAX_CHECKED_LENGTH + 1), "b"), POLICY)] == ["length"]
    assert [each.rule for each in text_findings("{name} " * 2_000, POLICY)] == ["length"]


@pytest.mark.parametrize(
    "unit",
    ["a", "A", "1", "1 ", "{", "[", "+1", "a.", "a@", "A ", "Calle A", "-", "<a", "0 0", "ґ ", "$%", "\n", "\t", "\r"],
)
def test_the_longest_text_that_is_checked_takes_less_than_a_second(unit: str) -> None:
    text = (unit * MAX_CHECKED_LENGTH)[:MAX_CHECKED_LENGTH]
    started = time.process_time()
    findings(PostParts(text, text, text), POLICY)
    assert time.process_time() - started < 1.0


@given(st.text(max_size=700), st.text(max_size=700), st.none() | st.text(max_size=300))
def test_any_parts_are_judged_and_a_whole_text_at_least_as_strictly_on_length(
    hook: str, body: str, reply: str | None
) -> None:
    found = findings(PostParts(hook, body, reply=reply), POLICY)
    assert len({str(each) for each in found}) <= len(found)
    too_long = threads_length(PostParts(hook, body).text) > MAX_LENGTH
    assert too_long == any((each.part, each.rule) == ("post", "length") for each in found)


def test_the_posts_of_the_sample_personas_go_out() -> None:
    for persona in read_personas(SAMPLES):
        policy = GuardPolicy(banned_phrases=persona.banned_phrases)
        for example in persona.examples:
            call = persona.calls_to_action[0] if persona.calls_to_action else None
            parts = PostParts(example.hook, example.body, call, disclosure=persona.disclosure)
            assert findings(parts, policy) == ()
