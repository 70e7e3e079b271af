"""A post of Bluesky as the record that it is: its key and address, links and tags by byte, and the card of a link.

Source: the lexicons app.bsky.feed.post, app.bsky.richtext.facet and app.bsky.embed.external, and the AT Protocol's
specifications of record keys, TIDs and at:// addresses.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlsplit

import regex

from agents.guard.threads_counts import AFTER_A_LINK, LINK_PATTERN
from agents.platforms.contract import Account, LivePost, NotThere, Outgoing
from agents.platforms.texts import text_length

POSTS = "app.bsky.feed.post"
MAX_TAG_GRAPHEMES = 64
MAX_TAG_BYTES = 640
TID_DIGITS = "234567abcdefghijklmnopqrstuvwxyz"
TID_LENGTH = 13
CLOCK_ID_BITS = 10
MICROS_BITS = 46
"""Bits of the moment in a key: 2.2 years, so that none is in the future, where a TID may be refused."""
FIRST_MICROS = 1_672_531_200_000_000
_LINK = re.compile(LINK_PATTERN, re.IGNORECASE)
_ZERO_WIDTH = r"\u00ad\u2060\u200a-\u200d"
_TAG = regex.compile(rf"(?<=^|\s)[#\uff03](?!\ufe0f)([^\s{_ZERO_WIDTH}]*[^\d\s\p{{P}}{_ZERO_WIDTH}]\S*)")
_AFTER_A_TAG = regex.compile(r"\p{P}+$")
_ADDRESS = re.compile(rf"at://(did:[a-z]+:[\w.:%-]+)/{re.escape(POSTS)}/([\w.:~-]{{1,512}})", re.ASCII)
_KEY = re.compile(r"[\w.:~-]{1,512}", re.ASCII)


def record_key(key: str) -> str:
    """Return the record key that follows from the key of a part: a TID, as posts must have.

    56 bits of it are the key's SHA-256, so that two of a million posts of an account share one once in 10^5 accounts.
    """
    drawn = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> (64 - MICROS_BITS - CLOCK_ID_BITS)
    value = (FIRST_MICROS << CLOCK_ID_BITS) + drawn
    return "".join(TID_DIGITS[(value >> 5 * place) & 31] for place in reversed(range(TID_LENGTH)))


@dataclass(frozen=True, slots=True)
class Address:
    """Where a post is: whose, and under which record key."""

    did: str
    key: str

    @classmethod
    def of(cls, post_id: str, account: Account) -> Self:
        """Return the address that a post's id is, or a record key of the account's.

        Raises:
            NotThere: it is neither.
        """
        whole = _ADDRESS.fullmatch(post_id)
        found = cls(*whole.groups()) if whole else cls(account.user_id, post_id)
        if not _KEY.fullmatch(found.key) or not found.key.strip("."):
            raise NotThere(f"{post_id[:80]!r} is no address of a post on Bluesky: expected at://did:.../{POSTS}/...")
        return found

    def __str__(self) -> str:
        return f"at://{self.did}/{POSTS}/{self.key}"

    @property
    def permalink(self) -> str:
        """Return where people see it."""
        return f"https://bsky.app/profile/{self.did}/post/{self.key}"


def post_record(outgoing: Outgoing, at: datetime, reply: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the record of a part; `reply` has the references to its root and parent."""
    record: dict[str, Any] = {
        "$type": POSTS,
        "text": outgoing.text,
        "createdAt": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    found = facets(outgoing.text)
    if found:
        record["facets"] = found
    if outgoing.topic_tag is not None:
        record["tags"] = [outgoing.topic_tag]
    if reply is not None:
        record["reply"] = dict(reply)
    if outgoing.link is not None:
        title = urlsplit(outgoing.link).netloc
        card = {"uri": outgoing.link, "title": title, "description": ""}
        record["embed"] = {"$type": "app.bsky.embed.external", "external": card}
    return record


def reply_to(parent: Address, cid: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the references of a reply to a post: to it, and to the root of its thread, which may be itself."""
    own = {"uri": str(parent), "cid": cid}
    reply = record.get("reply")
    root = reply.get("root") if isinstance(reply, dict) else None
    is_whole = isinstance(root, dict) and isinstance(root.get("uri"), str) and isinstance(root.get("cid"), str)
    return {"root": {"uri": root["uri"], "cid": root["cid"]} if is_whole and root else own, "parent": own}


def live_post(address: Address, record: Mapping[str, Any], at: datetime | None) -> LivePost:
    """Return a post of its record."""
    text, reply = record.get("text"), record.get("reply")
    parent = reply.get("parent") if isinstance(reply, dict) else None
    replied_to = parent.get("uri") if isinstance(parent, dict) else None
    return LivePost(
        post_id=str(address),
        text=text if isinstance(text, str) else None,
        published_at=at,
        permalink=address.permalink,
        reply_to=replied_to if isinstance(replied_to, str) else None,
    )


def facets(text: str) -> list[dict[str, Any]]:
    """Return the links and tags of a text in order, each with where it stands in the text's UTF-8, in bytes."""
    links = [*_links(text)]
    taken = [(start, end) for start, end, _ in links]
    tags = [each for each in _tags(text) if not any(start < each[1] and each[0] < end for start, end in taken)]
    found = sorted([*links, *tags], key=lambda each: each[0])
    return [
        {"index": {"byteStart": _bytes(text[:start]), "byteEnd": _bytes(text[:end])}, "features": [feature]}
        for start, end, feature in found
    ]


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _links(text: str) -> Iterator[tuple[int, int, dict[str, str]]]:
    for found in _LINK.finditer(text):
        link = found.group(0).rstrip(AFTER_A_LINK)
        address = link if "://" in link else f"https://{link}"
        if not address.lower().startswith("ftp"):
            yield found.start(), found.start() + len(link), {"$type": "app.bsky.richtext.facet#link", "uri": address}


def _tags(text: str) -> Iterator[tuple[int, int, dict[str, str]]]:
    for found in _TAG.finditer(text):
        tag = _AFTER_A_TAG.sub("", found.group(1))
        if tag and text_length(tag, "graphemes") <= MAX_TAG_GRAPHEMES and _bytes(tag) <= MAX_TAG_BYTES:
            yield found.start(), found.start(1) + len(tag), {"$type": "app.bsky.richtext.facet#tag", "tag": tag}
