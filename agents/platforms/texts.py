"""Texts as platforms count them, their links, and what a platform would refuse of a post."""

from __future__ import annotations

import re

import regex

from agents.guard.threads_counts import AFTER_A_LINK, LINK_PATTERN, threads_length
from agents.platforms.capabilities import Capabilities
from agents.platforms.contract import Outgoing

_GRAPHEME = regex.compile(r"\X")
_LINK = re.compile(LINK_PATTERN, re.IGNORECASE)
_WITH_SCHEME = re.compile(r"\bhttps?://[^\s<>\"')\]]+", re.IGNORECASE)
_MENTION = re.compile(r"(?<![\w/@.])(@[a-z0-9_]+(?:[a-z0-9_.-]*[a-z0-9_])?)@[a-z0-9.-]*[a-z0-9]", re.IGNORECASE)
MASTODON_LINK = "x" * 23
MAX_TOPIC_TAG = 50
NOT_IN_A_TOPIC_TAG = ".&"


def text_length(text: str, counted_as: str) -> int:
    """Return the length of a text in the unit that a platform counts in, as `Capabilities` explains them.

    Raises:
        ValueError: there is no such unit.
    """
    if counted_as == "utf8_emoji":
        return threads_length(text)
    if counted_as == "graphemes":
        return _graphemes(text)
    if counted_as == "characters":
        return _graphemes(_MENTION.sub(r"\1", _WITH_SCHEME.sub(_placeholder, text)))
    raise ValueError(f"expected utf8_emoji, graphemes or characters, got {counted_as!r}")


def _graphemes(text: str) -> int:
    return sum(1 for _ in _GRAPHEME.finditer(text))


def _utf8_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _placeholder(found: re.Match[str]) -> str:
    link = found.group(0)
    return MASTODON_LINK + link[len(link.rstrip(AFTER_A_LINK)) :]


def links_of(text: str) -> list[str]:
    """Return the links of a text in order, each once."""
    return list(dict.fromkeys(each.group(0).rstrip(AFTER_A_LINK) for each in _LINK.finditer(text)))


def problems(outgoing: Outgoing, capabilities: Capabilities) -> list[str]:
    """Return what the platform would refuse of a post, each in words that say what to do; none: nothing is known."""
    return [
        *_text_problems(outgoing.text, whole_text(outgoing, capabilities), capabilities),
        *_link_problems(outgoing, capabilities),
        *_tag_problems(outgoing.topic_tag, capabilities),
        *_reply_problems(outgoing, capabilities),
    ]


def whole_text(outgoing: Outgoing, capabilities: Capabilities) -> str:
    """Return the text as it is posted: where links are no cards, with the link at its end unless it is in it."""
    text, link = outgoing.text, outgoing.link
    if link is None or capabilities.has_link_cards or link in links_of(text):
        return text
    return f"{text.rstrip()}\n\n{link}"


def _text_problems(own: str, text: str, capabilities: Capabilities) -> list[str]:
    if not own.strip():
        return ["the text is empty: write one"]
    found = []
    if any("\ud800" <= each <= "\udfff" for each in text):
        found.append("the text holds half a surrogate pair, which no platform takes: write that character again")
    length, limit = text_length(text, capabilities.counted_as), capabilities.text_limit
    if length > limit:
        found.append(f"the text has {length:,} of {limit:,} characters: shorten it by {length - limit:,}")
    size, most = _utf8_bytes(text), capabilities.max_bytes
    if most is not None and size > most:
        found.append(f"the text has {size:,} of {most:,} bytes in UTF-8: shorten it by {size - most:,}")
    return found


def _link_problems(outgoing: Outgoing, capabilities: Capabilities) -> list[str]:
    found = []
    links = links_of(outgoing.text)
    if outgoing.link is not None:
        links = list(dict.fromkeys([*links, outgoing.link]))
        if not re.fullmatch(r"https?://[^\s/]\S*", outgoing.link, re.IGNORECASE):
            found.append(f"the link {outgoing.link[:80]!r} is no http(s) address: write it whole, or leave it out")
    most = capabilities.max_links
    if most is not None and len(links) > most:
        found.append(f"there are {len(links)} different links of {most}: leave out {len(links) - most}")
    return found


def _tag_problems(tag: str | None, capabilities: Capabilities) -> list[str]:
    if tag is None:
        return []
    if not capabilities.has_topic_tags:
        return ["the platform has no topic tags: leave topic_tag out"]
    found = []
    if not tag.strip():
        found.append("the topic tag is empty: write one, or leave topic_tag out")
    if len(tag) > MAX_TOPIC_TAG:
        over = len(tag) - MAX_TOPIC_TAG
        found.append(f"the topic tag has {len(tag)} of {MAX_TOPIC_TAG} characters: shorten it by {over}")
    wrong = [each for each in NOT_IN_A_TOPIC_TAG if each in tag]
    if wrong:
        found.append(f"the topic tag may not have {' or '.join(wrong)}: write it without")
    return found


def _reply_problems(outgoing: Outgoing, capabilities: Capabilities) -> list[str]:
    found = []
    if outgoing.reply_to is not None and not capabilities.has_threads:
        found.append("the platform has no threads: make it one part")
    control = outgoing.reply_control
    if control is not None and not capabilities.has_reply_control:
        found.append("the platform does not let choose who may reply: leave reply_control out")
    elif control is not None and control not in capabilities.reply_controls:
        found.append(f"reply_control is {control[:80]!r}: choose {', '.join(capabilities.reply_controls)}")
    return found
