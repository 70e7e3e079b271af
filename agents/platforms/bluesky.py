"""Bluesky: the client of its XRPC (https://docs.bsky.app), by the account's own server.

A post is a record under a key that follows from the part: written where there is none only, it is there once, however
often and by however many it is published. So there is nothing to reconcile by text and time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from agents.platforms.answers import documented, object_of, text_of, time_of, whole
from agents.platforms.bluesky_faults import STALE, Taken, error_name, fault_of
from agents.platforms.bluesky_records import POSTS, Address, live_post, post_record, record_key, reply_to
from agents.platforms.bluesky_sessions import SERVER, Sessions
from agents.platforms.calls import Answer, Call, HttpCalls
from agents.platforms.capabilities import Capabilities, capabilities_of
from agents.platforms.contract import (
    Account,
    AccountInsights,
    Container,
    LivePost,
    NotThere,
    Outgoing,
    PlatformAway,
    PostInsights,
    Profile,
    Quota,
)
from streams.settings import Settings
from streams.wall_clock import utc_now

REPO = "/xrpc/com.atproto.repo"
FEED = "/xrpc/app.bsky.feed"
DAY_S = 86_400.0
PAGE_POSTS = 100
MAX_PAGES = 50


class BlueskyPlatform:
    """The `Platform` that is Bluesky, or what speaks its XRPC at an account's base_url."""

    name: ClassVar[str] = "bluesky"
    capabilities: ClassVar[Capabilities] = capabilities_of("bluesky")

    def __init__(self, settings: Settings, now: Callable[[], datetime] = utc_now) -> None:
        self._calls = HttpCalls(settings)
        self._sessions = Sessions(self._calls, now)
        self._now = now

    async def create_container(self, account: Account, outgoing: Outgoing) -> str:  # noqa: ARG002 - nothing is made
        """Return the record key of a part: a second record under it is never written."""
        return record_key(outgoing.key)

    async def container(self, account: Account, container_id: str) -> Container:  # noqa: ARG002
        """Tell that it can be published, and again, which does no harm."""
        return Container(container_id, "finished")

    async def publish(self, account: Account, outgoing: Outgoing, container_id: str) -> str:
        """Write the record of a post where there is none under its key, and return its address."""
        own = Address(account.user_id, container_id)
        reply = None if outgoing.reply_to is None else await self._reply(account, outgoing.reply_to)
        asked = {
            "repo": own.did,
            "collection": POSTS,
            "rkey": own.key,
            "record": post_record(outgoing, self._now(), reply),
            "swapRecord": None,
        }
        call = Call("POST", f"{REPO}.putRecord", json=asked, acts=True)
        try:
            found = await self._answer(account, call)
        except Taken:
            return str(own)  # an earlier call wrote it, or another worker
        if found.get("uri") != str(own) or text_of(found.get("cid")) is None:
            raise call.unclear("the answer does not name the post")
        return str(own)

    async def _reply(self, account: Account, parent_id: str) -> Mapping[str, Any]:
        """Return the references of a reply, which take the parent's content id."""
        parent = Address.of(parent_id, account)
        call, found = await self._record(account, parent)
        cid = text_of(found.get("cid"))
        if cid is None:
            raise call.unclear("the answer has no cid")
        return reply_to(parent, cid, object_of(found.get("value")))

    async def find(
        self,
        account: Account,
        outgoing: Outgoing,  # noqa: ARG002 - the key tells
        container_id: str,
        since: datetime,  # noqa: ARG002
        known: Collection[str] = frozenset(),  # noqa: ARG002
    ) -> LivePost | None:
        """Read back a part by its key, from the account's own server, which knows it at once."""
        try:
            return await self.post(account, container_id)
        except NotThere:
            return None

    async def post(self, account: Account, post_id: str) -> LivePost:
        """Return a post, by its address or its record key, from the account's own server."""
        address = Address.of(post_id, account)
        call, found = await self._record(account, address)
        record = object_of(found.get("value"))
        if not record:
            raise call.unclear("the answer has no record")
        return live_post(address, record, time_of(record.get("createdAt")))

    async def _record(self, account: Account, address: Address) -> tuple[Call, Mapping[str, Any]]:
        query = {"repo": address.did, "collection": POSTS, "rkey": address.key}
        call = Call("GET", f"{REPO}.getRecord", query)
        return call, await self._answer(account, call)

    async def posts(self, account: Account, since: datetime) -> list[LivePost]:
        """Return own posts and replies since a time, the newest first; new ones are listed after some seconds only."""
        query = {"actor": account.user_id, "filter": "posts_with_replies", "limit": str(PAGE_POSTS)}
        found: dict[str, LivePost] = {}
        for _ in range(MAX_PAGES):
            call = Call("GET", f"{FEED}.getAuthorFeed", query)
            page = await self._answer(account, call)
            listed = [post for row in _rows(call, page, "feed") if (post := _own(account, row)) is not None]
            new = {each.post_id: each for each in listed if not (each.published_at and each.published_at < since)}
            found |= new
            cursor = text_of(page.get("cursor"))
            if cursor is None or cursor == query.get("cursor") or (listed and not new):  # the newest come first
                return sorted(found.values(), key=lambda each: (each.published_at or since, each.post_id), reverse=True)
            query = {**query, "cursor": cursor}
        raise PlatformAway(f"there are more than {MAX_PAGES * PAGE_POSTS:,} posts since {since}: ask for a later time")

    async def delete(self, account: Account, post_id: str) -> None:
        """Delete a post of the account's; one that is not there is no error."""
        address = Address.of(post_id, account)
        if address.did != account.user_id:
            raise NotThere(f"{address} is another account's post: nothing was deleted")
        asked = {"repo": address.did, "collection": POSTS, "rkey": address.key}
        call = Call("POST", f"{REPO}.deleteRecord", json=asked, acts=True)
        try:
            await self._answer(account, call)
        except NotThere:
            return

    async def quota(self, account: Account) -> Quota:  # noqa: ARG002 - the platform tells none
        """Return what is known of a quota: nothing; what is too much comes back as `Throttled`."""
        return Quota(used=None, limit=None, window_s=DAY_S)

    async def post_insights(self, account: Account, post_id: str) -> PostInsights:
        """Return the totals of a post; none of them where what counts does not show it, yet or at all."""
        address = Address.of(post_id, account)
        call = Call("GET", f"{FEED}.getPosts", {"uris": str(address)})
        listed = _rows(call, await self._answer(account, call), "posts")
        row = next((row for row in listed if row.get("uri") == str(address)), None)
        if row is None:
            await self.post(account, post_id)  # the account's own server knows whether it was deleted
            return PostInsights()
        return PostInsights(
            likes=whole(row.get("likeCount")),
            replies=whole(row.get("replyCount")),
            reposts=whole(row.get("repostCount")),
            quotes=whole(row.get("quoteCount")),
        )

    async def account_insights(self, account: Account, since: datetime, until: datetime) -> AccountInsights:  # noqa: ARG002
        """Return the followers as of now; clicks are not counted there."""
        call = Call("GET", "/xrpc/app.bsky.actor.getProfile", {"actor": account.user_id})
        found = await self._answer(account, call)
        if found.get("did") != account.user_id:
            raise call.unclear("the answer is not the account's profile")
        return AccountInsights(followers=whole(found.get("followersCount")))

    async def profile(self, account: Account) -> Profile:
        """Return who the app password belongs to."""
        call = Call("GET", f"{SERVER}.getSession")
        found = await self._answer(account, call)
        did = text_of(found.get("did"))
        if did is None:
            raise call.unclear("the answer does not say whose session it is")
        return Profile(did, text_of(found.get("handle")) or "")

    async def close(self) -> None:
        """Close the connections."""
        await self._sessions.close()
        await self._calls.close()

    async def _answer(self, account: Account, call: Call) -> Mapping[str, Any]:
        """Make a call with a session, and once more with another where it had ended: then nothing was done."""
        session = await self._sessions.of(account)
        answer = await self._calls.make(account, call, token=session.access)
        if _has_ended(answer):
            session = await self._sessions.of(account, session)
            answer = await self._calls.make(account, call, token=session.access)
        fault = fault_of(account, call, answer, self._now())
        if fault is not None:
            raise fault
        return documented(call, answer)


def _has_ended(answer: Answer) -> bool:
    return answer.status in {400, 401} and error_name(answer) in STALE


def _rows(call: Call, found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = found.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise call.unclear(f"the answer has no list of {name}")
    return rows


def _own(account: Account, row: Mapping[str, Any]) -> LivePost | None:
    """Return the account's own post of a row of a feed; None where it is a repost, or pinned to the top."""
    post = object_of(row.get("post"))
    uri = text_of(post.get("uri"))
    if uri is None or row.get("reason") is not None:
        return None
    try:
        address = Address.of(uri, account)
    except NotThere:
        return None
    record = object_of(post.get("record"))
    at = time_of(record.get("createdAt")) or time_of(post.get("indexedAt"))
    return live_post(address, record, at) if address.did == account.user_id else None
