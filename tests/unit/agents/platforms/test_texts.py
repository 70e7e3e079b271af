"""Texts are counted as each platform counts them, and what it would refuse is said before it is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.platforms.capabilities import all_capabilities, capabilities_of
from agents.platforms.contract import Outgoing
from agents.platforms.texts import MASTODON_LINK, links_of, problems, text_length

THREADS, BLUESKY, MASTODON = (capabilities_of(name) for name in ("threads", "bluesky", "mastodon"))
UNITS = ("utf8_emoji", "graphemes", "characters")
FAMILY = "👨‍👩‍👧‍👦"
WALES = "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"
URLS = st.from_regex(r"https?://[a-z]{1,12}\.(com|org)(/[a-z0-9_-]{0,40}){0,3}", fullmatch=True)
WORDS = st.text("abc é", max_size=20)


def outgoing(text: str = "Tea.", **changes: str | None) -> Outgoing:
    return Outgoing(key="k", text=text, **changes)


@pytest.mark.parametrize(
    ("text", "threads", "bluesky"),
    [
        ("", 0, 0),
        ("abc", 3, 3),
        ("кава", 4, 4),
        ("日本語", 3, 3),
        ("e\u0301", 2, 1),
        ("🙂", 4, 1),
        ("❤️", 6, 1),
        ("©", 2, 1),
        ("1", 1, 1),
        ("1️⃣", 7, 1),
        ("🇺🇦🇩🇪", 16, 2),
        ("👍🏽", 8, 1),
        (FAMILY, 25, 1),
        (WALES, 28, 1),
        ("a\r\nb", 4, 3),
        ("می\u200cخواهم", 8, 7),
        ("क्\u200dष", 4, 1),
    ],
)
def test_an_emoji_is_its_utf_8_bytes_on_threads_and_one_grapheme_elsewhere(
    text: str, threads: int, bluesky: int
) -> None:
    assert text_length(text, "utf8_emoji") == threads
    assert text_length(text, "graphemes") == bluesky


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("https://example.com/" + "a" * 300, 23),
        ("see https://example.com, and HTTP://EXAMPLE.ORG/x!", 4 + 23 + 6 + 23 + 1),
        ("www.example.com", 15),  # without a scheme it is no link there
        ("hi @ada@social.example.org.", 3 + 4 + 1),
        ("mail ada@example.org", 20),
        ("@ada", 4),
    ],
)
def test_mastodon_counts_a_link_as_23_and_a_mention_without_its_server(text: str, length: int) -> None:
    assert text_length(text, "characters") == length


@given(st.text())
def test_graphemes_are_never_more_than_code_points_nor_these_more_than_bytes(text: str) -> None:
    assert text_length(text, "graphemes") <= len(text) <= text_length(text, "utf8_emoji") <= len(text.encode())


@given(st.text(st.characters(blacklist_categories=[])))
def test_any_text_is_counted_and_judged_half_surrogates_too(text: str) -> None:
    for unit in UNITS:
        assert text_length(text, unit) >= 0
    for capabilities in all_capabilities().values():
        assert all(": " in each for each in problems(outgoing(text), capabilities))


@given(st.text("ab ☕🙂é\u0301", max_size=60), st.integers(0, 5))
def test_a_text_n_times_with_breaks_between_is_n_times_as_long(text: str, times: int) -> None:
    for unit in ("utf8_emoji", "graphemes"):
        one = text_length(text + "\n", unit)
        assert text_length((text + "\n") * times, unit) == times * one


@given(WORDS, URLS, WORDS)
def test_a_links_own_length_does_not_count_on_mastodon(before: str, url: str, after: str) -> None:
    text = f"{before} {url} {after}"
    assert text_length(text, "characters") == text_length(f"{before} {MASTODON_LINK} {after}", "graphemes")


def test_a_unit_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="expected utf8_emoji, graphemes or characters"):
        text_length("a", "bytes")


def test_links_are_unique_and_in_order_and_end_before_the_sentence_does() -> None:
    text = "See www.b.example.com/x, then https://a.example/1. Again: https://a.example/1! And shop.example.com?"
    assert links_of(text) == ["www.b.example.com/x", "https://a.example/1", "shop.example.com"]


@given(st.lists(URLS, max_size=8))
def test_every_different_link_is_found_once(urls: list[str]) -> None:
    found = links_of(" and ".join(urls))
    assert found == list(dict.fromkeys(urls))


@pytest.mark.parametrize(("name", "limit"), [("threads", 500), ("bluesky", 300), ("mastodon", 500)])
@given(over=st.integers(-3, 30))
def test_a_text_over_the_limit_is_told_by_how_many(name: str, limit: int, over: int) -> None:
    found = problems(outgoing("a" * (limit + over)), capabilities_of(name))
    expected = [f"the text has {limit + over} of {limit} characters: shorten it by {over}"] if over > 0 else []
    assert found == expected


def test_a_disclosure_in_emoji_can_make_a_text_too_long_for_threads_alone() -> None:
    text = "a" * 250 + "🌙" * 63
    assert problems(outgoing(text), THREADS) == ["the text has 502 of 500 characters: shorten it by 2"]
    assert problems(outgoing(text), MASTODON) == []
    assert problems(outgoing(text[:200]), BLUESKY) == []


def test_bluesky_limits_the_bytes_besides() -> None:
    assert problems(outgoing(FAMILY * 130), BLUESKY) == [
        "the text has 3,250 of 3,000 bytes in UTF-8: shorten it by 250"
    ]


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_a_text_that_is_empty_is_told(text: str) -> None:
    assert problems(outgoing(text), THREADS) == ["the text is empty: write one"]


def test_half_a_surrogate_pair_is_told() -> None:
    (found,) = problems(outgoing("a\ud83d"), THREADS)
    assert "half a surrogate pair" in found


def test_links_are_counted_once_each_with_the_attached_one() -> None:
    five = " ".join(f"https://example.com/{n}" for n in range(5))
    assert problems(outgoing(f"{five} {five}"), THREADS) == []
    assert problems(outgoing(five, link="https://example.com/0"), THREADS) == []
    assert problems(outgoing(five, link="https://example.com/5"), THREADS) == [
        "there are 6 different links of 5: leave out 1"
    ]
    assert problems(outgoing(five, link="https://example.com/5"), BLUESKY) == []


@pytest.mark.parametrize("link", ["example.com", "ftp://example.com/a", "https://", "javascript:alert(1)", "a b"])
def test_an_attached_link_that_is_no_address_is_told(link: str) -> None:
    (found,) = problems(outgoing(link=link), THREADS)
    assert "no http(s) address" in found


@pytest.mark.parametrize(
    ("tag", "told"),
    [
        ("tea", []),
        ("a" * 50, []),
        ("чай і кава", []),
        ("a" * 51, ["the topic tag has 51 of 50 characters: shorten it by 1"]),
        ("", ["the topic tag is empty: write one, or leave topic_tag out"]),
        ("a.b", ["the topic tag may not have .: write it without"]),
        ("R&D.", ["the topic tag may not have . or &: write it without"]),
    ],
)
def test_a_topic_tag_has_1_to_50_characters_without_dot_and_ampersand(tag: str, told: list[str]) -> None:
    assert problems(outgoing(topic_tag=tag), THREADS) == told


@pytest.mark.parametrize(
    "control", ["everyone", "accounts_you_follow", "mentioned_only", "parent_post_author_only", "followers_only"]
)
def test_who_may_reply_is_one_of_five_on_threads_and_nothing_elsewhere(control: str) -> None:
    assert problems(outgoing(reply_control=control), THREADS) == []
    (found,) = problems(outgoing(reply_control=control), MASTODON)
    assert found.endswith("leave reply_control out")


def test_another_value_of_reply_control_is_told_with_those_that_there_are() -> None:
    (found,) = problems(outgoing(reply_control="nobody"), THREADS)
    assert found.startswith("reply_control is 'nobody': choose everyone, ")


def test_a_topic_tag_where_there_are_none_is_told() -> None:
    assert problems(outgoing(topic_tag="tea"), MASTODON) == ["the platform has no topic tags: leave topic_tag out"]
