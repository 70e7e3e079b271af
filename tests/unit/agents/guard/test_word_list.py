from __future__ import annotations

import pytest

from agents.guard.moderation import WordListModerator, word_lists

HARMFUL = {
    "violence": [
        "I'm going to kill you, neighbour.",
        "They should be shot.",
        "Te voy a matar.",
        "Ich bringe dich um!",
        "Я тебе вб’ю.",
    ],
    "self-harm": [
        "Just kill yourself.",
        "The easiest way to kill yourself",
        "Suicídate ya.",
        "Bring dich doch um.",
        "Убий себе.",
    ],
    "hate": ["All immigrants are vermin.", "Sudacas everywhere", "Diese Kanaken"],
    "sexual content with minors": [
        "underage nudes for sale",
        "pornografía infantil",
        "Kinderpornografie",
        "дитяче порно",
    ],
}
HARMLESS = [
    "Scunthorpe and Penistone have the best scones, Essex the best mud.",
    "My cocktail shakes, my dickens novel waits, and the shiitake is done.",
    "I killed the weeds, and the weeds killed me.",
    "This bug is killing me. I could kill for a coffee.",
    "Deadlines kill creativity. We will shoot the video on Friday.",
    "I will shoot you a message. He will hang the lamp.",
    "My brother died by suicide in 2019. Talk to someone, please.",
    "I wanted to end it all, and then the dog barked.",
    "Suicide prevention lines are open all night.",
    "Sex education for children starts with plain words.",
    "The gold rush on the river Niger began early. Nigeria won.",
    "A niggling doubt about the bassoon class.",
    "Children drew a naked tree with 3 birds.",
    "Minors pay half on the bus.",
    "Mata, la del quinto, me voy a matar a trabajar, dice.",
    "Voy a matar el tiempo con un libro.",
    "Die Negerküsse meiner Oma hießen schon damals anders.",
    "Ich bringe dich nach Hause, und du bringst mich zum Lachen.",
    "Das bringt mich um den Schlaf.",
    "Я вбила дві години на борщ.",
    "Жидкого нема, є густий. Фортеця Жидичин.",
    "Ця робота мене вб'є.",
    "You deserve to rest. They should die down, these winds.",
]


@pytest.mark.parametrize(("category", "text"), [(name, text) for name, texts in HARMFUL.items() for text in texts])
async def test_the_worst_is_named_by_its_category(category: str, text: str) -> None:
    assert await WordListModerator().reasons([text]) == [(f"moderation: {category}",)]


async def test_talk_about_bad_things_and_words_within_words_pass() -> None:
    found = await WordListModerator().reasons(HARMLESS)
    assert {text: why for text, why in zip(HARMLESS, found, strict=True) if why} == {}


async def test_hidden_characters_hide_nothing() -> None:
    assert await WordListModerator().reasons(["k\u200bill your\u00adself", ""]) == [("moderation: self-harm",), ()]


def test_every_category_has_a_harmful_example() -> None:
    assert set(HARMFUL) == set(word_lists())
