"""Containers and posts: what is refused, when text is ready, and that a container becomes one post."""

from __future__ import annotations

import json
import re
from typing import Any

from agents.guard.threads_counts import MAX_LENGTH, MAX_LINKS, threads_length
from agents.platforms.texts import links_of
from agents.simulator.graph_errors import (
    GraphError,
    media_not_found,
    not_there,
    parameter,
    quota_reached,
    restricted,
    restricted_activity,
)
from agents.simulator.tokens import Caller
from agents.simulator.truth import Row
from agents.simulator.world import DAY_MS, Params, World, flag

REPLY_CONTROLS = (
    "everyone",
    "accounts_you_follow",
    "mentioned_only",
    "parent_post_author_only",
    "followers_only",
)
MAX_TAG = 50
RESTRICTED_ACTIVITY = "2207051"
QUOTA_S = DAY_MS // 1000
FATE_LOST = "lost"  # of a container that never appears
_URL = re.compile(r"https?://\S+")


class Publishing:
    """Containers and posts of all users."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._truth = world.truth

    def create(self, caller: Caller, params: Params, fate: str | None = None) -> str:
        """Make a container and return its id, or with `auto_publish_text` the post's; `fate` comes of a fault.

        Raises:
            GraphError: the account is restricted, or the post is none that the platform takes.
        """
        check_unrestricted(caller)
        if params.get("media_type") != "TEXT":
            raise parameter("Param media_type must be one of {TEXT}: the simulator publishes text")
        text = params.get("text", "")
        link = params.get("link_attachment") or None
        check_text(text, link)
        check_tag(params.get("topic_tag"))
        control = params.get("reply_control") or None
        if control is not None and control not in REPLY_CONTROLS:
            raise parameter(f"Param reply_control must be one of {{{', '.join(REPLY_CONTROLS)}}}")
        reply_to = params.get("reply_to_id") or None
        if reply_to is not None:
            self._live(reply_to)
        with self._truth.transaction():
            container_id = self._truth.new_id()
            self._truth.run(
                "add_container",
                container_id=container_id,
                user_id=caller.user_id,
                text=text,
                reply_to=reply_to,
                reply_control=control,
                link=link,
                topic_tag=params.get("topic_tag") or None,
                made_ms=self._world.now_ms(),
                ready_ms=None if fate == FATE_LOST else self._ready_ms(container_id, fate),
                error="The media could not be processed" if fate == "error" else None,
            )
            if not flag(params, "auto_publish_text"):
                return container_id
            container = self._truth.one("container", container_id=container_id)
            assert container is not None
            return self._publish(container)

    def publish(self, caller: Caller, container_id: str) -> str:
        """Publish a container and return the post's id.

        Raises:
            GraphError: 4279009 where it is not ready, expired or unknown; it was published or failed before; the
                account is restricted; the quota is used up.
        """
        check_unrestricted(caller)
        if not container_id:
            raise parameter("Param creation_id is required")
        with self._truth.transaction():
            container = self._truth.one("container", container_id=container_id)
            if container is None or container["user_id"] != caller.user_id:
                raise media_not_found(container_id)
            status = self.status(container)
            if status == "PUBLISHED":
                raise parameter("The container has already been published", told=f"{container_id} was published.")
            if status == "ERROR":
                raise parameter(container["error"], told=f"{container_id} can't be published.")
            if status != "FINISHED":
                raise media_not_found(container_id)
            return self._publish(container)

    def container(self, caller: Caller, container_id: str) -> Row | None:
        """Return a container of the caller's that is to be seen."""
        found = self._truth.one("container", container_id=container_id)
        if found is None or found["user_id"] != caller.user_id or self.status(found) == "LOST":
            return None
        return found

    def status(self, container: Row) -> str:
        """Return the state of a container: IN_PROGRESS, FINISHED, PUBLISHED, ERROR or EXPIRED; LOST is told to none."""
        now_ms = self._world.now_ms()
        if container["post_id"] is not None:
            return "PUBLISHED"
        if container["ready_ms"] is None:
            return "LOST"
        if container["made_ms"] + DAY_MS <= now_ms:
            return "EXPIRED"
        if container["error"] is not None:
            return "ERROR"
        return "FINISHED" if container["ready_ms"] <= now_ms else "IN_PROGRESS"

    def delete(self, caller: Caller, post_id: str) -> None:
        """Delete a post of the caller's.

        Raises:
            GraphError: there is none, or the quota of deletions is used up.
        """
        post = self._truth.one("post", post_id=post_id)
        if post is None or post["user_id"] != caller.user_id or post["deleted_ms"] is not None:
            raise not_there(post_id, "delete")
        used = self.usage(caller.user_id)["deletions"]
        if used >= self._world.settings.simulator_delete_quota:
            raise quota_reached("deletions", self._world.settings.simulator_delete_quota)
        self.remove(post_id, "api")

    def remove(self, post_id: str, by: str) -> bool:
        """Take a post from the platform; tell whether it was there."""
        return self._truth.run("delete_post", post_id=post_id, deleted_ms=self._world.now_ms(), deleted_by=by) > 0

    def usage(self, user_id: str) -> dict[str, int]:
        """Return the posts, replies and deletions of a user in the rolling day."""
        since_ms = self._world.now_ms() - DAY_MS
        made = self._truth.all("published_since", user_id=user_id, since_ms=since_ms)[0]
        deleted = self._truth.all("deleted_since", user_id=user_id, since_ms=since_ms)[0]
        return {"posts": made["posts"], "replies": made["replies"], "deletions": deleted["deletions"]}

    def limits(self, caller: Caller) -> dict[str, Any]:
        """Return the quotas and what of them is used, as `threads_publishing_limit` has them."""
        used, settings = self.usage(caller.user_id), self._world.settings
        return {
            "quota_usage": used["posts"],
            "config": {"quota_total": settings.simulator_post_quota, "quota_duration": QUOTA_S},
            "reply_quota_usage": used["replies"],
            "reply_config": {"quota_total": settings.simulator_reply_quota, "quota_duration": QUOTA_S},
            "delete_quota_usage": used["deletions"],
            "delete_config": {"quota_total": settings.simulator_delete_quota, "quota_duration": QUOTA_S},
        }

    def answer(self, user_id: str, post_id: str, text: str) -> str:
        """Make a reply of another user, which no quota counts, and return its id.

        Raises:
            GraphError: there is no such post.
        """
        with self._truth.transaction():
            return self._add_post(user_id, self._live(post_id), text=text, reply_to=post_id)

    def _publish(self, container: Row) -> str:
        is_reply = container["reply_to"] is not None
        used, settings = self.usage(container["user_id"]), self._world.settings
        if is_reply and used["replies"] >= settings.simulator_reply_quota:
            raise quota_reached("replies", settings.simulator_reply_quota)
        if not is_reply and used["posts"] >= settings.simulator_post_quota:
            raise quota_reached("posts", settings.simulator_post_quota)
        parent = self._live(container["reply_to"]) if is_reply else None
        fields = {name: container[name] for name in ("text", "reply_to", "reply_control", "link", "topic_tag")}
        post_id = self._add_post(container["user_id"], parent, container_id=container["container_id"], **fields)
        self._truth.run("publish_container", container_id=container["container_id"], post_id=post_id)
        return post_id

    def _add_post(self, user_id: str, parent: Row | None, **fields: str | None) -> str:
        post_id = self._truth.new_id()
        known = {
            "container_id": None,
            "reply_to": None,
            "reply_control": None,
            "link": None,
            "topic_tag": None,
            **fields,
        }
        links = unique_links(known["text"] or "", known["link"])
        self._truth.run(
            "add_post",
            post_id=post_id,
            user_id=user_id,
            root=None if parent is None else parent["root"] or parent["post_id"],
            links=json.dumps(links),
            published_ms=self._world.now_ms(),
            **known,
        )
        if parent is not None:
            root = parent["root"] or parent["post_id"]
            self._truth.run("note_answered", post_id=parent["post_id"], root=root)
        return post_id

    def _live(self, post_id: str) -> Row:
        post = self._truth.one("post", post_id=post_id)
        if post is None or post["deleted_ms"] is not None:
            raise not_there(post_id, "post")
        return post

    def _ready_ms(self, container_id: str, fate: str | None) -> int:
        settings = self._world.settings
        is_slow = fate == "slow" or self._world.chance("ready", container_id) < settings.simulator_slow_share
        wait_s = settings.simulator_slow_ready_s if is_slow else settings.simulator_ready_s
        return self._world.now_ms() + int(wait_s * 1000)


def check_unrestricted(caller: Caller) -> None:
    """Check that the account may publish.

    Raises:
        GraphError: it is restricted (4279013, or 2207051).
    """
    if caller.restricted is not None:
        raise restricted_activity() if caller.restricted == RESTRICTED_ACTIVITY else restricted()


def unique_links(text: str, attachment: str | None) -> list[str]:
    """Return the links of a post, each once, in order."""
    return list(dict.fromkeys([*links_of(text), *([attachment] if attachment else [])]))


def check_text(text: str, link: str | None = None) -> None:
    """Check a text and the link attached to it.

    Raises:
        GraphError: there is no text, it is too long, or there are too many links.
    """
    if not text.strip() and link is None:
        raise parameter("Param text is required for media_type TEXT")
    length = threads_length(text)
    if length > MAX_LENGTH:
        raise parameter(f"Param text must be at most {MAX_LENGTH} characters long.", told=f"The text has {length}.")
    if link is not None and not _URL.fullmatch(link):
        raise parameter("Param link_attachment must be a valid URL")
    if len(unique_links(text, link)) > MAX_LINKS:
        raise GraphError("THREADS_API__LINK_LIMIT_EXCEEDED", 100, told=f"At most {MAX_LINKS} unique links are allowed.")


def check_tag(tag: str | None) -> None:
    """Check a topic tag.

    Raises:
        GraphError: it is none.
    """
    if tag is not None and (not 1 <= len(tag) <= MAX_TAG or "." in tag or "&" in tag):
        raise parameter(f"Param topic_tag must have 1 to {MAX_TAG} characters, without . and &")
