"""Mastodon: the client of its REST API (https://docs.joinmastodon.org), by the account's own server.

A call to publish has an idempotency key, under which a server makes one post within an hour. After that only reading
back keeps a part from being there twice: own posts since its first call, compared by the text that they were made of.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

from agents.platforms.answers import comparable, documented, documented_list, id_in, object_of, text_of, time_of, whole
from agents.platforms.calls import Answer, Call, HttpCalls, in_path
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
    Refused,
)
from agents.platforms.mastodon_content import text_of_content
from agents.platforms.mastodon_faults import fault_of
from agents.platforms.texts import text_length, whole_text
from streams.identity import derived_id
from streams.settings import Settings
from streams.wall_clock import utc_now

STATUSES = "/api/v1/statuses"
ACCOUNTS = "/api/v1/accounts"
READ, READ_ACCOUNT, WRITE = "read:statuses", "read:accounts", "write:statuses"
CALLS_WINDOW_S = 300.0
PAGE_POSTS = 40
MAX_PAGES = 100
LIMIT_KEPT_S = 3_600.0


class MastodonPlatform:
    """The `Platform` that is a server of Mastodon, or what speaks its API at an account's base_url."""

    name: ClassVar[str] = "mastodon"
    capabilities: ClassVar[Capabilities] = capabilities_of("mastodon")

    def __init__(
        self,
        settings: Settings,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = HttpCalls(settings)
        self._now = now
        self._monotonic = monotonic
        self._limits: dict[str, tuple[int | None, float]] = {}  # by server, each with when it was asked for

    async def create_container(self, account: Account, outgoing: Outgoing) -> str:
        """Return the idempotency key of a part.

        Raises:
            Refused: the text is longer than this server takes.
        """
        limit = await self._limit(account)
        text = whole_text(outgoing, self.capabilities)
        length = text_length(text, self.capabilities.counted_as)
        if limit is not None and length > limit:
            raise Refused(
                f"the text has {length:,} of {limit:,} characters that {account.base_url} takes: shorten it by"
                f" {length - limit:,}"
            )
        return derived_id("mastodon", outgoing.key)

    async def _limit(self, account: Account) -> int | None:
        """Return the greatest length that the account's server takes; None where it does not say."""
        limit, asked_s = self._limits.get(account.base_url, (None, float("-inf")))
        if self._monotonic() - asked_s < LIMIT_KEPT_S:
            return limit
        call = Call("GET", "/api/v2/instance")
        try:
            told = documented(call, await self._asked(account, call, READ))
        except NotThere:  # a server before 4.0, or another software
            told = {}
        of_statuses = object_of(object_of(told.get("configuration")).get("statuses"))
        limit = whole(of_statuses.get("max_characters"))
        self._limits[account.base_url] = (limit, self._monotonic())
        return limit

    async def container(self, account: Account, container_id: str) -> Container:  # noqa: ARG002
        """Tell that nothing is known of it: a call may be under way still, and its key is forgotten after an hour."""
        return Container(container_id, "missing", "the server does not tell what became of a call")

    async def publish(self, account: Account, outgoing: Outgoing, container_id: str) -> str:
        """Post a part; within an hour the same key is the same post."""
        asked = {"status": whole_text(outgoing, self.capabilities)}
        if outgoing.reply_to is not None:
            asked["in_reply_to_id"] = outgoing.reply_to
        call = Call("POST", STATUSES, json=asked, headers={"idempotency-key": container_id}, acts=True)
        return id_in(call, documented(call, await self._asked(account, call, WRITE)))

    async def find(
        self,
        account: Account,
        outgoing: Outgoing,
        container_id: str,  # noqa: ARG002 - no post tells its key
        since: datetime,
        known: Collection[str] = frozenset(),
    ) -> LivePost | None:
        """Read back a part among own posts since a time: the first that was made of its text, in its place."""
        sent = comparable(whole_text(outgoing, self.capabilities))
        listed = [
            post
            async for post in self._listed(account, since)
            if post.post_id not in known and post.reply_to == outgoing.reply_to
        ]
        listed.reverse()
        for post in sorted(listed, key=lambda each: comparable(each.text or "") != sent):
            if comparable(await self._source(account, post)) == sent:
                return post
        return None

    async def _source(self, account: Account, post: LivePost) -> str:
        """Return the text that a post was made of, which its content does not always show."""
        call = Call("GET", f"{STATUSES}/{in_path(post.post_id)}/source")
        try:
            found = documented(call, await self._asked(account, call, READ))
        except NotThere:  # deleted just now, or a server before 3.5
            return post.text or ""
        text = found.get("text")
        if not isinstance(text, str):
            raise call.unclear("the answer has no text")
        return text

    async def post(self, account: Account, post_id: str) -> LivePost:
        """Return a post."""
        call, found = await self._status(account, post_id)
        return _live_post(call, found)

    async def _status(self, account: Account, post_id: str) -> tuple[Call, Mapping[str, Any]]:
        call = Call("GET", f"{STATUSES}/{in_path(post_id)}")
        return call, documented(call, await self._asked(account, call, READ))

    async def posts(self, account: Account, since: datetime) -> list[LivePost]:
        """Return own posts and replies since a time, the newest first; boosts are no posts."""
        return [each async for each in self._listed(account, since)]

    async def _listed(self, account: Account, since: datetime) -> AsyncIterator[LivePost]:
        """Yield own posts made since a time, the newest first, page by page; those without a time too."""
        path = f"{ACCOUNTS}/{in_path(account.user_id)}/statuses"
        query = {"limit": str(PAGE_POSTS), "exclude_reblogs": "true"}
        earliest = since.replace(microsecond=since.microsecond // 1_000 * 1_000)  # as the server tells times
        for _ in range(MAX_PAGES):
            call = Call("GET", path, query)
            page = documented_list(call, await self._asked(account, call, READ))
            posts = [_live_post(call, row) for row in page if row.get("reblog") is None]
            new = [each for each in posts if not (each.published_at and each.published_at < earliest)]
            for each in new:
                yield each
            if not page or (posts and not new):
                return
            query = {**query, "max_id": id_in(call, page[-1])}
        raise PlatformAway(f"there are more than {MAX_PAGES * PAGE_POSTS:,} posts since {since}: ask for a later time")

    async def delete(self, account: Account, post_id: str) -> None:
        """Delete a post; one that is not there is no error."""
        call = Call("DELETE", f"{STATUSES}/{in_path(post_id)}", acts=True)
        try:
            id_in(call, documented(call, await self._asked(account, call, WRITE)))
        except NotThere:
            return

    async def quota(self, account: Account) -> Quota:  # noqa: ARG002 - the server tells none
        """Return what is known of a quota: nothing; what is too much comes back as `Throttled`."""
        return Quota(used=None, limit=None, window_s=CALLS_WINDOW_S)

    async def post_insights(self, account: Account, post_id: str) -> PostInsights:
        """Return the totals of a post, as far as its server knows of them."""
        call, found = await self._status(account, post_id)
        id_in(call, found)
        return PostInsights(
            likes=whole(found.get("favourites_count")),
            replies=whole(found.get("replies_count")),
            reposts=whole(found.get("reblogs_count")),
        )

    async def account_insights(self, account: Account, since: datetime, until: datetime) -> AccountInsights:  # noqa: ARG002
        """Return the followers as of now; clicks are not counted there."""
        _, found = await self._own(account)
        return AccountInsights(followers=whole(found.get("followers_count")))

    async def profile(self, account: Account) -> Profile:
        """Return who the token belongs to."""
        call, found = await self._own(account)
        return Profile(id_in(call, found), text_of(found.get("acct")) or "")

    async def _own(self, account: Account) -> tuple[Call, Mapping[str, Any]]:
        call = Call("GET", f"{ACCOUNTS}/verify_credentials")
        found = documented(call, await self._asked(account, call, READ_ACCOUNT))
        id_in(call, found)
        return call, found

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()

    async def _asked(self, account: Account, call: Call, permission: str) -> Answer:
        """Make a call and return its answer where that tells no fault; `permission` is what it takes."""
        answer = await self._calls.make(account, call)
        fault = fault_of(account, call, answer, permission, self._now())
        if fault is not None:
            raise fault
        return answer


def _live_post(call: Call, row: Mapping[str, Any]) -> LivePost:
    content, replied_to = row.get("content"), row.get("in_reply_to_id")
    return LivePost(
        post_id=id_in(call, row),
        text=text_of_content(content) if isinstance(content, str) else None,
        published_at=time_of(row.get("created_at")),
        permalink=text_of(row.get("url")),
        reply_to=None if replied_to is None else str(replied_to),
    )
