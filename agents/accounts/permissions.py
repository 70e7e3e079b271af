"""Permissions of tokens: which ones this stack uses, and what is blocked without each, by name.

Sources: the platforms' own documentation of permissions (Threads API, Mastodon OAuth scopes), as of 2026-11. An app
password of Bluesky has no permissions: it may do all that is done here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

BLOCKED_WITHOUT: Mapping[str, Mapping[str, str]] = {
    "threads": {
        "threads_basic": "everything: no call is answered, and the token can't be refreshed",
        "threads_content_publish": "publishing",
        "threads_manage_insights": "insights: views, likes, followers and clicks stay unknown",
        "threads_read_replies": "reading replies, by which an unconfirmed reply is looked up",
        "threads_manage_replies": "reply control, and the further parts of posts in several parts",
        "threads_delete": "deleting posts (`posts delete`)",
    },
    "mastodon": {
        "read:accounts": "telling whose token it is, and followers",
        "read:statuses": "insights, and looking up an unconfirmed post",
        "write:statuses": "publishing and deleting posts",
    },
    "bluesky": {},
}

NEEDED: Mapping[str, str] = {"threads": "threads_content_publish", "mastodon": "write:statuses"}
"""The permission without which nothing is published."""


def missing_permissions(platform: str, scopes: Collection[str]) -> dict[str, str]:
    """Return the permissions that are missing, each with what it blocks; empty where the platform told none.

    A scope of Mastodon covers those beneath it: `write` is `write:statuses` too.
    """
    if not scopes:
        return {}
    return {
        name: blocked
        for name, blocked in BLOCKED_WITHOUT.get(platform, {}).items()
        if name not in scopes and name.partition(":")[0] not in scopes
    }
