"""Threads: the client of its Graph API (https://developers.facebook.com/docs/threads)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast, get_args

from agents.platforms.answers import comparable, documented, id_in, object_of, time_of, whole
from agents.platforms.calls import Call, HttpCalls, in_path
from agents.platforms.capabilities import METRICS, Capabilities, capabilities_of
from agents.platforms.contract import (
    Account,
    AccountInsights,
    Container,
    ContainerStatus,
    LivePost,
    NotReady,
    NotThere,
    OutcomeUnknown,
    Outgoing,
    PlatformAway,
    PlatformError,
    PostInsights,
    Profile,
    Quota,
    Refused,
    Unlisted,
)
from agents.platforms.threads_faults import fault_of
from streams.settings import Settings
from streams.wall_clock import utc_now

DAY_S = 86_400.0
WEEK = timedelta(days=7)
INSIGHTS_SINCE = datetime.fromtimestamp(1_712_991_600, UTC)
"""The earliest time that numbers of an account can be asked for (Threads API, insights)."""
PAGE_POSTS = 100
MAX_PAGES = 50
CLOCKS_APART = timedelta(minutes=5)
"""How far the platform's clock may be behind ours for a post that the platform says is published."""
_STATUSES: frozenset[str] = frozenset(get_args(ContainerStatus)) - {"missing"}
_FIELDS = "id,text,timestamp,permalink,media_type"
_NO_POST = "REPOST_FACADE"


class ThreadsPlatform:
    """The `Platform` that is Threads, or what speaks its API at an account's base_url."""

    name: ClassVar[str] = "threads"
    capabilities: ClassVar[Capabilities] = capabilities_of("threads")

    def __init__(self, settings: Settings, now: Callable[[], datetime] = utc_now) -> None:
        self._calls = HttpCalls(settings)
        self._now = now

    async def create_container(self, account: Account, outgoing: Outgoing) -> str:
        """Make a container of text; it ends by itself after 24 h where it is not published."""
        form = {
            "media_type": "TEXT",
            "text": outgoing.text,
            "reply_to_id": outgoing.reply_to,
            "reply_control": outgoing.reply_control,
            "topic_tag": outgoing.topic_tag,
            "link_attachment": outgoing.link,
        }
        given = {name: value for name, value in form.items() if value is not None}
        call = Call("POST", f"/{in_path(account.user_id)}/threads", form=given)
        return id_in(call, await self._answer(account, call, "threads_content_publish"))

    async def container(self, account: Account, container_id: str) -> Container:
        """Return what has become of a container."""
        call = Call("GET", f"/{in_path(container_id)}", {"fields": "status,error_message"})
        try:
            found = await self._answer(account, call, "threads_basic")
        except (NotThere, NotReady):
            return Container(container_id, "missing")
        status = str(found.get("status")).lower()
        if status not in _STATUSES:
            raise call.unclear("the platform told no status of the container")
        reason = found.get("error_message")
        return Container(container_id, cast("ContainerStatus", status), str(reason) if reason else None)

    async def publish(self, account: Account, outgoing: Outgoing, container_id: str) -> str:  # noqa: ARG002 - its text is in the container
        """Publish a container; the same one may be published again, and is one post."""
        call = Call(
            "POST", f"/{in_path(account.user_id)}/threads_publish", form={"creation_id": container_id}, acts=True
        )
        try:
            return id_in(call, await self._answer(account, call, "threads_content_publish"))
        except NotThere as missing:
            raise NotReady(str(missing)) from None
        except Refused:
            if await self._may_be_published(account, container_id):
                raise OutcomeUnknown(
                    f"the container {container_id} seems to be published already: read back which post it is"
                ) from None
            raise

    async def _may_be_published(self, account: Account, container_id: str) -> bool:
        """Tell whether a refusal may be that of a second call: of a container that was published before."""
        try:
            return (await self.container(account, container_id)).status == "published"
        except PlatformError:
            return True

    async def find(
        self,
        account: Account,
        outgoing: Outgoing,
        container_id: str,
        since: datetime,
        known: Collection[str] = frozenset(),
    ) -> LivePost | None:
        """Read back a part by the container's status, then by text and time among own posts or replies."""
        status = (await self.container(account, container_id)).status
        if status == "in_progress":
            raise NotReady(f"the container {container_id} is being made still: look again in a minute")
        is_out = status == "published"
        earliest = _second_of(since) - (CLOCKS_APART if is_out else timedelta())
        alike = [
            each
            async for each in self._listed(account, earliest, replies=outgoing.reply_to is not None)
            if each.post_id not in known and _is_alike(each, outgoing)
        ]
        found = _likeliest(alike, _second_of(since))
        if found is None and is_out:
            raise Unlisted(
                f"the container {container_id} is published, but no post of its text is listed: read back again in a"
                " minute; if it stays so, the post was deleted on the platform"
            )
        return found

    async def post(self, account: Account, post_id: str) -> LivePost:
        """Return a post."""
        call = Call("GET", f"/{in_path(post_id)}", {"fields": f"{_FIELDS},replied_to"})
        try:
            found = await self._answer(account, call, "threads_basic")
        except NotReady as missing:
            raise NotThere(str(missing)) from None
        return _live_post(call, found)

    async def posts(self, account: Account, since: datetime) -> list[LivePost]:
        """Return own posts and replies since a time, the newest first; reposts are no posts."""
        roots = [each async for each in self._listed(account, since, replies=False)]
        replies = [each async for each in self._listed(account, since, replies=True)]
        by_id = {each.post_id: each for each in [*roots, *replies]}
        return sorted(by_id.values(), key=lambda each: (each.published_at or since, each.post_id), reverse=True)

    async def _listed(self, account: Account, since: datetime, *, replies: bool) -> AsyncIterator[LivePost]:
        """Yield own root posts, or replies, made since a time, page by page; those without a time too."""
        path = f"/{in_path(account.user_id)}/{'replies' if replies else 'threads'}"
        query = {
            "fields": f"{_FIELDS},replied_to" if replies else _FIELDS,
            "since": str(int(since.timestamp())),
            "limit": str(PAGE_POSTS),
        }
        for _ in range(MAX_PAGES):
            call = Call("GET", path, query)
            page = await self._answer(account, call, "threads_read_replies" if replies else "threads_basic")
            rows = [(row, _live_post(call, row)) for row in _rows(call, page)]
            new = [(row, post) for row, post in rows if not (post.published_at and post.published_at < since)]
            for row, post in new:
                if row.get("media_type") != _NO_POST:
                    yield post
            after = _next_page(page)
            if not new or after is None or after == query.get("after"):  # the newest come first
                return
            query = {**query, "after": after}
        raise PlatformAway(f"there are more than {MAX_PAGES * PAGE_POSTS:,} posts since {since}: ask for a later time")

    async def delete(self, account: Account, post_id: str) -> None:
        """Delete a post; one that is not there is no error."""
        call = Call("DELETE", f"/{in_path(post_id)}", acts=True)
        try:
            found = await self._answer(account, call, "threads_delete")
        except (NotThere, NotReady):
            return
        if found.get("success") is not True:
            raise call.unclear("the platform did not say that the post is deleted")

    async def quota(self, account: Account) -> Quota:
        """Return how many posts and replies were published in the window, and how many may be."""
        fields = "quota_usage,config,reply_quota_usage,reply_config"
        call = Call("GET", f"/{in_path(account.user_id)}/threads_publishing_limit", {"fields": fields})
        rows = _rows(call, await self._answer(account, call, "threads_content_publish"))
        row = rows[0] if rows else {}
        config, of_replies = object_of(row.get("config")), object_of(row.get("reply_config"))
        return Quota(
            used=whole(row.get("quota_usage")),
            limit=whole(config.get("quota_total")),
            window_s=float(whole(config.get("quota_duration")) or DAY_S),
            replies_used=whole(row.get("reply_quota_usage")),
            replies_limit=whole(of_replies.get("quota_total")),
        )

    async def post_insights(self, account: Account, post_id: str) -> PostInsights:
        """Return the lifetime totals of a post; a repost has none."""
        call = Call("GET", f"/{in_path(post_id)}/insights", {"metric": ",".join(METRICS)})
        try:
            rows = _rows(call, await self._answer(account, call, "threads_manage_insights"))
        except NotReady as missing:
            raise NotThere(str(missing)) from None
        totals = {str(row.get("name")): _total(row) for row in rows}
        return PostInsights(**{metric: totals.get(metric) for metric in METRICS})

    async def account_insights(self, account: Account, since: datetime, until: datetime) -> AccountInsights:
        """Return the followers as of now, and the clicks on each address between two times.

        Clicks are asked for week by week, because long ranges came back truncated.
        """
        followers = None
        for row in await self._account_rows(account, {"metric": "followers_count"}):
            if row.get("name") == "followers_count":
                followers = _total(row)
        clicks: dict[str, int] = {}
        start = max(since, INSIGHTS_SINCE)
        while start < until:
            end = min(start + WEEK, until)
            between = {"since": str(int(start.timestamp())), "until": str(int(end.timestamp()))}
            for row in await self._account_rows(account, {"metric": "clicks", **between}):
                _add_clicks(clicks, row)
            start = end
        return AccountInsights(followers=followers, clicks=clicks)

    async def _account_rows(self, account: Account, query: Mapping[str, str]) -> list[Mapping[str, Any]]:
        call = Call("GET", f"/{in_path(account.user_id)}/threads_insights", query)
        return _rows(call, await self._answer(account, call, "threads_manage_insights"))

    async def profile(self, account: Account) -> Profile:
        """Return who the token belongs to."""
        call = Call("GET", "/me", {"fields": "id,username"})
        found = await self._answer(account, call, "threads_basic")
        return Profile(id_in(call, found), str(found.get("username") or ""))

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()

    async def _answer(self, account: Account, call: Call, permission: str) -> Mapping[str, Any]:
        """Make a call and return the object that it was answered with; `permission` is what it takes."""
        answer = await self._calls.make(account, call)
        fault = fault_of(account, call, answer, permission, self._now())
        if fault is not None:
            raise fault
        return documented(call, answer)


def _rows(call: Call, found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = found.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise call.unclear("the answer has no list of data")
    return rows


def _total(row: Mapping[str, Any]) -> int | None:
    """Return the total of a metric, from either of the forms that it has; None where there is none."""
    values = row.get("values")
    first = values[0] if isinstance(values, list) and values else None
    total = whole(object_of(first).get("value"))
    return whole(object_of(row.get("total_value")).get("value")) if total is None else total


def _add_clicks(clicks: dict[str, int], row: Mapping[str, Any]) -> None:
    links = row.get("link_total_values") if row.get("name") == "clicks" else None
    for each in map(object_of, links if isinstance(links, list) else []):
        url, count = each.get("link_url"), whole(each.get("value"))
        if isinstance(url, str) and count is not None:
            clicks[url] = clicks.get(url, 0) + count


def _next_page(page: Mapping[str, Any]) -> str | None:
    """Return the cursor of the next page; its whole address is not used, because it has the token in it."""
    after = object_of(object_of(page.get("paging")).get("cursors")).get("after")
    return after if isinstance(after, str) and after else None


def _live_post(call: Call, row: Mapping[str, Any]) -> LivePost:
    text, permalink = row.get("text"), row.get("permalink")
    replied_to = object_of(row.get("replied_to")).get("id")
    return LivePost(
        post_id=id_in(call, row),
        text=text if isinstance(text, str) else None,
        published_at=time_of(row.get("timestamp")),
        permalink=permalink if isinstance(permalink, str) else None,
        reply_to=None if replied_to is None else str(replied_to),
    )


def _second_of(at: datetime) -> datetime:
    """Return a time as the platform tells it: without the part of the second."""
    return at.replace(microsecond=0)


def _is_alike(post: LivePost, outgoing: Outgoing) -> bool:
    if post.reply_to is not None and post.reply_to != outgoing.reply_to:
        return False
    return comparable(post.text or "") == comparable(outgoing.text)


def _likeliest(alike: list[LivePost], since: datetime) -> LivePost | None:
    """Return the first that was made since a time, else the last before it, else one whose time is not told."""
    timed = sorted((each.published_at, each.post_id, each) for each in alike if each.published_at is not None)
    later = [post for at, _, post in timed if at >= since]
    if later:
        return later[0]
    if timed:
        return timed[-1][2]
    return alike[0] if alike else None
