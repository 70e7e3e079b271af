"""Posts, users and containers as the API shows them: fields that were asked for, lists in pages with cursors."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlencode

from agents.simulator.graph_errors import GraphError, parameter
from agents.simulator.insights import Insights
from agents.simulator.truth import Row
from agents.simulator.world import FAR_MS, Params, World, graph_time, moment_ms

LIMIT, MOST = 25, 100
LEAST_ID = 10**16
READERS_ID = str(LEAST_ID)
READERS = 1_000
TIES = 10**6
Shown: TypeAlias = Row | dict[str, Any]
BIOGRAPHY = "Simulated: this account exists only in the simulator of threads-agent-stack."
_MEDIA_FIELDS: Mapping[str, Callable[[Shown, str], Any]] = {
    "id": lambda post, _: post["post_id"],
    "media_product_type": lambda *_: "THREADS",
    "media_type": lambda *_: "TEXT_POST",
    "permalink": lambda post, _: permalink(post),
    "owner": lambda post, _: {"id": post["user_id"]},
    "username": lambda post, _: post["username"],
    "text": lambda post, _: post["text"],
    "timestamp": lambda post, _: graph_time(post["published_ms"]),
    "shortcode": lambda post, _: shortcode(post["post_id"]),
    "is_quote_post": lambda *_: False,
    "has_replies": lambda post, _: bool(post["answered"]),
    "is_reply": lambda post, _: post["reply_to"] is not None,
    "is_reply_owned_by_me": lambda post, viewer: post["reply_to"] is not None and post["user_id"] == viewer,
    "root_post": lambda post, _: {"id": post["root"]} if post["root"] else None,
    "replied_to": lambda post, _: {"id": post["reply_to"]} if post["reply_to"] else None,
    "reply_audience": lambda post, _: (post["reply_control"] or "everyone").upper(),
    "hide_status": lambda *_: "NOT_HUSHED",
    "topic_tag": lambda post, _: post["topic_tag"],
    "link_attachment_url": lambda post, _: post["link"],
}


class Asked(Protocol):
    """What a list is asked for with, and at which address."""

    @property
    def params(self) -> Params: ...

    @property
    def url(self) -> str: ...


class Media:
    """What is read of posts, users and conversations."""

    def __init__(self, world: World, insights: Insights) -> None:
        self._world = world
        self._truth = world.truth
        self._insights = insights

    def post(self, post_id: str) -> Row | None:
        """Return a post that is there."""
        found = self._truth.one("post", post_id=post_id)
        return None if found is None or found["deleted_ms"] is not None else found

    def page(self, user_id: str, call: Asked, *, replies: bool) -> dict[str, Any]:
        """Return a page of a user's posts, or replies, the newest first."""
        below, most = _cursor(call.params), _limit(call.params)
        params = call.params
        since_ms, until_ms = moment_ms(params, "since"), moment_ms(params, "until")
        rows = self._truth.all(
            "posts_page",
            user_id=user_id,
            replies=int(replies),
            since_ms=0 if since_ms is None else since_ms,
            until_ms=FAR_MS if until_ms is None else until_ms,
            below=below,
            most=most + 1,
        )
        return _page(call, user_id, [(row["place"], row) for row in rows], most)

    def conversation(self, post: Row, call: Asked, viewer: str, *, nested: bool) -> dict[str, Any]:
        """Return a page of the replies to a post, the newest first; nested ones where they are asked for."""
        below = self._truth.all("conversation", root=post["root"] or post["post_id"])
        under = {post["post_id"]}
        found: list[Shown] = list(self._readers_replies(post))
        for row in below:  # in order, so that a parent comes before its replies
            if row["reply_to"] in under:
                if nested or row["reply_to"] == post["post_id"]:
                    found.append(row)
                    found += self._readers_replies(row) if nested else []
                under.add(row["post_id"])
        cursor, most = _cursor(call.params), _limit(call.params)
        keyed = sorted(((_newness(row), row) for row in found), key=lambda each: each[0], reverse=True)
        return _page(call, viewer, [each for each in keyed if each[0] < cursor][: most + 1], most)

    def _readers_replies(self, post: Row) -> Iterator[dict[str, Any]]:
        """Yield the replies of the audience, which are in no table: they follow from the post's id and age."""
        for number in range(1, self._insights.readers_replies(post) + 1):
            digest = hashlib.sha256(f"{post['post_id']} reply {number}".encode()).digest()
            yield {
                **dict.fromkeys(post.keys()),
                "post_id": str(LEAST_ID + int.from_bytes(digest[:8]) % (9 * LEAST_ID)),
                "user_id": READERS_ID,
                "username": f"simulated-reader-{int.from_bytes(digest[8:10]) % READERS}",
                "text": f"Simulated reply {number}",
                "reply_to": post["post_id"],
                "root": post["root"] or post["post_id"],
                "published_ms": self._insights.readers_reply_ms(post, number),
            }

    def profile(self, user: Row, params: Params) -> dict[str, Any]:
        """Return a user, who says of itself that it is simulated."""
        known = {
            "id": user["user_id"],
            "username": user["username"],
            "name": f"{user['username']} (simulated)",
            "threads_profile_picture_url": None,
            "threads_biography": BIOGRAPHY,
            "is_verified": False,
        }
        return _chosen(known, params)


def shown_post(post: Shown, params: Params, viewer: str) -> dict[str, Any]:
    """Return the fields of a post that a call asks for; those without a value are left out."""
    asked = _fields(params)
    unknown = [each for each in asked if each not in _MEDIA_FIELDS]
    if unknown:
        raise parameter(f"(#100) Tried accessing nonexisting field ({unknown[0]})")
    values = {name: _MEDIA_FIELDS[name](post, viewer) for name in asked}
    return {name: value for name, value in values.items() if value is not None}


def shown_container(container: Row, status: str, params: Params) -> dict[str, Any]:
    """Return the fields of a container that a call asks for."""
    known: dict[str, Any] = {"id": container["container_id"], "status": status}
    known["error_message"] = (container["error"] or "UNKNOWN") if status == "ERROR" else None
    return _chosen(known, params)


def permalink(post: Shown) -> str:
    """Return the address of a post, which leads nowhere."""
    return f"https://www.threads.com/@{post['username']}/post/{shortcode(post['post_id'])}"


def shortcode(post_id: str) -> str:
    """Return the short form of an id."""
    number = int(post_id)
    return base64.urlsafe_b64encode(number.to_bytes(8, "big")).decode().rstrip("=").lstrip("A")


def chosen_quota(limits: Mapping[str, Any], params: Params) -> dict[str, Any]:
    """Return the fields of the publishing limit that a call asks for."""
    asked = _fields(params)
    return {name: value for name, value in limits.items() if name in asked} or {"quota_usage": limits["quota_usage"]}


def _fields(params: Params) -> list[str]:
    asked = [each.strip() for each in params.get("fields", "").split(",") if each.strip()]
    return list(dict.fromkeys(["id", *asked]))


def _chosen(known: Mapping[str, Any], params: Params) -> dict[str, Any]:
    asked = _fields(params)
    unknown = [each for each in asked if each not in known]
    if unknown:
        raise parameter(f"(#100) Tried accessing nonexisting field ({unknown[0]})")
    return {name: known[name] for name in asked if known[name] is not None}


def _page(call: Asked, viewer: str, rows: Sequence[tuple[int, Shown]], most: int) -> dict[str, Any]:
    """Return a page of rows by their keys; there is another where they are more than `most`."""
    if not rows:
        return {"data": []}
    here = rows[:most]
    before, after = _cursor_of(here[0][0]), _cursor_of(here[-1][0])
    paging: dict[str, Any] = {"cursors": {"before": before, "after": after}}
    if len(rows) > most:
        asked = {name: value for name, value in call.params.items() if name != "access_token"}
        paging["next"] = f"{call.url}?{urlencode({**asked, 'after': after})}"
    return {"data": [shown_post(row, call.params, viewer) for _, row in here], "paging": paging}


def _newness(post: Shown) -> int:
    return int(post["published_ms"]) * TIES + int(post["post_id"]) % TIES


def _cursor_of(place: int) -> str:
    return base64.urlsafe_b64encode(f"p{place}".encode()).decode()


def _cursor(params: Params) -> int:
    text = params.get("after")
    if not text:
        return FAR_MS
    try:
        return min(FAR_MS, int(base64.urlsafe_b64decode(text.encode()).decode().removeprefix("p")))
    except (ValueError, binascii.Error) as error:
        raise GraphError("(#100) Invalid cursors values: after", 100) from error


def _limit(params: Params) -> int:
    text = params.get("limit", "")
    if not text:
        return LIMIT
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MOST)) or not 1 <= int(text) <= MOST:
        raise parameter(f"(#100) Param limit must be a number from 1 to {MOST}")
    return int(text)
