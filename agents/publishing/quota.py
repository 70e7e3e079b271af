"""Quotas: what an account may publish still, by the platform's own numbers and what is reserved. Pure, but for time.

The reservations stand in the state: they are the parts whose intent is written and whose outcome is not known. They
count on top of what the platform said last, until it is asked again after them.
"""

from __future__ import annotations

from dataclasses import dataclass

from agents.platforms.contract import Quota

WINDOW_LOOKS = 96
"""A used-up quota is looked at again as often in a window as this: each quarter of an hour of a day."""


@dataclass(slots=True)
class _Read:
    quota: Quota
    at_s: float
    posts_since: int = 0
    replies_since: int = 0


class QuotaBook:
    """What each account may publish still; times are seconds of a steady clock."""

    def __init__(self, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self._read: dict[str, _Read] = {}

    def is_known(self, account_id: str, now_s: float) -> bool:
        """Tell whether what the platform said is young enough."""
        read = self._read.get(account_id)
        return read is not None and now_s - read.at_s <= self._max_age_s

    def read(self, account_id: str, quota: Quota, now_s: float, reserved: int) -> None:
        """Take over what the platform says; of what is `reserved`, without an outcome, it may not know yet."""
        self._read[account_id] = _Read(quota, now_s, reserved, 0)

    def forget(self, account_id: str) -> None:
        """Ask anew before the next post: the platform said that there is nothing left."""
        self._read.pop(account_id, None)

    def reserve(self, account_id: str, *, is_reply: bool) -> None:
        """Count a post, or a reply, whose intent is about to be written."""
        read = self._read.get(account_id)
        if read is None:
            return
        if is_reply:
            read.replies_since += 1
        else:
            read.posts_since += 1

    def release(self, account_id: str, *, is_reply: bool) -> None:
        """Take a reservation back: it surely came to nothing."""
        read = self._read.get(account_id)
        if read is not None and is_reply:
            read.replies_since = max(read.replies_since - 1, 0)
        elif read is not None:
            read.posts_since = max(read.posts_since - 1, 0)

    def used_up(self, account_id: str, *, is_reply: bool) -> str | None:
        """Return why no post, or reply, may be published now; None where one may."""
        read = self._read.get(account_id)
        if read is None:
            return None
        quota = read.quota
        limit: int | None
        if is_reply and quota.replies_limit is not None:
            used, limit, since, what = quota.replies_used or 0, quota.replies_limit, read.replies_since, "replies"
        else:
            used, limit, since, what = quota.used or 0, quota.limit, read.posts_since, "posts"
        if limit is None or used + since < limit:
            return None
        hours = quota.window_s / 3600
        return (
            f"the platform's quota of {limit} {what} in {hours:g} h is used up; "
            "it goes on by itself when the first of them are older"
        )

    def look_again_s(self, account_id: str) -> float:
        """Return the wait before a used-up quota is asked for again."""
        read = self._read.get(account_id)
        return self._max_age_s if read is None else max(read.quota.window_s / WINDOW_LOOKS, 1.0)
