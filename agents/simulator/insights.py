"""Numbers of posts and users: what the audience has come to by now, and what was added or taken by hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from agents.simulator.audience import METRICS, Audience, audience_of
from agents.simulator.graph_errors import parameter
from agents.simulator.truth import Row
from agents.simulator.world import DAY_MS, Params, World, exact_time, graph_time, moment_ms

CLICKS, FOLLOWS = "clicks", "follows"
USER_METRICS = ("views", "likes", "replies", "reposts", "quotes", "clicks", "followers_count")
DEFAULT_RANGE_MS = 2 * DAY_MS
MOST_CLICK_RANGE_MS = 7 * DAY_MS  # of a longer range only the newest week comes back (c)
EARLIEST_MS = 1_712_991_600_000  # 2024-04-13, before which the platform has no numbers
PROFILE_VIEWS_PER_FOLLOWER = 0.05  # a day; a guess
_DESCRIPTIONS = {
    "views": "The number of times your post was viewed.",
    "likes": "The number of likes on your post.",
    "replies": "The number of replies on your post.",
    "reposts": "The number of times your post was reposted.",
    "quotes": "The number of times your post was quoted.",
    "shares": "The number of times your post was shared.",
    "clicks": "The number of times links of your posts were clicked.",
    "followers_count": "Your total number of followers.",
}


class Insights:
    """Totals by post and by user, all as of the clock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._truth = world.truth

    def audience(self, post: Row) -> Audience:
        """Return the audience of a post."""
        settings = self._world.settings
        links = tuple(json.loads(post["links"]))
        return audience_of(post["post_id"], settings.simulator_seed, settings.simulator_median_views, links)

    def age_s(self, post: Row, at_ms: int | None = None) -> float:
        """Return the age of a post as its audience feels it; that of a deleted one stands still."""
        until_ms = min(self._now(at_ms), post["deleted_ms"] or 2**62)
        return float(until_ms - post["published_ms"]) / 1000 * self._world.settings.simulator_audience_speed

    def totals(self, post: Row, at_ms: int | None = None) -> dict[str, int]:
        """Return the lifetime totals of a post by metric."""
        found = Counter(self.audience(post).totals(self.age_s(post, at_ms)))
        for row in self._corrections(post, at_ms):
            if row["metric"] in METRICS:
                found[row["metric"]] += row["amount"]
        found["replies"] += self._answers(post, at_ms)
        return {metric: max(found[metric], 0) for metric in METRICS}

    def readers_replies(self, post: Row, at_ms: int | None = None) -> int:
        """Return how many of the audience replied to a post itself; a reader's own reply has no audience."""
        if post["container_id"] is None:
            return 0
        return self.audience(post).totals(self.age_s(post, at_ms))["replies"]

    def readers_reply_ms(self, post: Row, number: int) -> int:
        """Return when the reply of the audience with a number, from 1, was made."""
        age_s = self.audience(post).age_of("replies", number) / self._world.settings.simulator_audience_speed
        return int(post["published_ms"] + age_s * 1000)

    def clicks(self, post: Row, at_ms: int | None = None) -> dict[str, int]:
        """Return the lifetime clicks of a post by link."""
        found = Counter(self.audience(post).clicks_at(self.age_s(post, at_ms)))
        for row in self._corrections(post, at_ms):
            if row["metric"] == CLICKS:
                found[row["link"]] += row["amount"]
        return {link: max(number, 0) for link, number in found.items()}

    def follows(self, post: Row, at_ms: int | None = None) -> int:
        """Return how many began to follow because of a post: the simulator's own knowledge, which no API tells."""
        found = self.audience(post).follows_at(self.age_s(post, at_ms))
        changes = (row["amount"] for row in self._corrections(post, at_ms) if row["metric"] == FOLLOWS)
        return found + int(sum(changes))

    def followers(self, user: Row) -> int:
        """Return the followers of a user."""
        return int(user["followers"]) + sum(self.follows(post) for post in self._posts(user))

    def impressions(self, user: Row, since_ms: int) -> int:
        """Return the views that a user's posts got since a moment."""
        before = (self.totals(post, since_ms)["views"] for post in self._posts(user) if post["published_ms"] < since_ms)
        return sum(self.totals(post)["views"] for post in self._posts(user)) - sum(before)

    def correct(self, post_id: str, metric: str, amount: int, link: str | None = None) -> None:
        """Add to a total of a post from now on, or take from it."""
        at_ms = self._world.now_ms()
        with self._truth.transaction():
            self._truth.run("add_correction", post_id=post_id, metric=metric, link=link, amount=amount, at_ms=at_ms)
            self._truth.run("note_corrected", post_id=post_id)

    def of_post(self, post: Row, params: Params) -> list[dict[str, Any]]:
        """Return the answer of a post's insights.

        Raises:
            GraphError: a metric is none.
        """
        totals = self.totals(post)
        return [
            {**_head(metric, "lifetime", post["post_id"]), "values": [{"value": totals[metric]}]}
            for metric in _metrics(params, METRICS)
        ]

    def of_user(self, user: Row, params: Params) -> list[dict[str, Any]]:
        """Return the answer of a user's insights; the default range is two days.

        Raises:
            GraphError: a metric or the range is none, or followers are asked for in a range.
        """
        metrics = _metrics(params, USER_METRICS)
        since_ms, until_ms = self._range(params, metrics)
        return [self._of_user(user, metric, since_ms, until_ms) for metric in metrics]

    def _of_user(self, user: Row, metric: str, since_ms: int, until_ms: int) -> dict[str, Any]:
        head = _head(metric, "day", user["user_id"])
        if metric == "followers_count":
            return {**head, "total_value": {"value": self.followers(user)}}
        if metric == "views":
            return {**head, "values": list(self._profile_views(user, since_ms, until_ms))}
        if metric == CLICKS:
            clicks = self._clicks_between(user, max(since_ms, until_ms - MOST_CLICK_RANGE_MS), until_ms)
            return {**head, "link_total_values": [{"value": value, "link_url": link} for link, value in clicks.items()]}
        change = sum(
            self.totals(post, until_ms)[metric] - self._before(post, metric, since_ms) for post in self._posts(user)
        )
        return {**head, "total_value": {"value": max(change, 0)}}

    def _before(self, post: Row, metric: str, at_ms: int) -> int:
        return 0 if post["published_ms"] >= at_ms else self.totals(post, at_ms)[metric]

    def _clicks_between(self, user: Row, since_ms: int, until_ms: int) -> Mapping[str, int]:
        found: Counter[str] = Counter()
        for post in self._posts(user):
            if post["published_ms"] < until_ms and post["links"] != "[]":
                found.update(self.clicks(post, until_ms))
                found.subtract(self.clicks(post, since_ms) if post["published_ms"] < since_ms else {})
        return {link: value for link, value in sorted(found.items()) if value > 0}

    def _profile_views(self, user: Row, since_ms: int, until_ms: int) -> Iterator[dict[str, Any]]:
        first, last = since_ms // DAY_MS, (until_ms - 1) // DAY_MS
        for day in range(first, last + 1):
            luck = 0.5 + self._world.chance("profile views", user["user_id"], str(day))
            full = user["followers"] * PROFILE_VIEWS_PER_FOLLOWER * luck
            passed = min(1.0, max(0.0, (self._now(None) - day * DAY_MS) / DAY_MS))
            yield {"value": int(full * passed), "end_time": graph_time((day + 1) * DAY_MS)}

    def _range(self, params: Params, metrics: list[str]) -> tuple[int, int]:
        since_ms, until_ms, now_ms = moment_ms(params, "since"), moment_ms(params, "until"), self._now(None)
        if "followers_count" in metrics and (since_ms is not None or until_ms is not None):
            raise parameter("Metric followers_count does not support since and until")
        until_ms = now_ms if until_ms is None else until_ms
        since_ms = until_ms - DEFAULT_RANGE_MS if since_ms is None else since_ms
        if since_ms > until_ms:
            raise parameter("Param since must not be after until")
        if since_ms < EARLIEST_MS:
            raise parameter(f"Param since must not be before {exact_time(EARLIEST_MS)}")
        return since_ms, min(until_ms, now_ms)

    def _posts(self, user: Row) -> list[Row]:
        return self._truth.all("posts", user_id=user["user_id"])

    def _corrections(self, post: Row, at_ms: int | None) -> list[Row]:
        if not post["corrected"]:
            return []
        until_ms = self._now(at_ms)
        return [row for row in self._truth.all("corrections", post_id=post["post_id"]) if row["at_ms"] <= until_ms]

    def _answers(self, post: Row, at_ms: int | None) -> int:
        """Return the replies that are posts themselves: of a root all below it, of a reply only those to itself."""
        if not post["answered"]:
            return 0
        until_ms, is_root = self._now(at_ms), post["root"] is None
        below = self._truth.all("conversation", root=post["root"] or post["post_id"])
        rows = [row for row in below if row["published_ms"] <= until_ms]
        if not is_root:
            return sum(row["reply_to"] == post["post_id"] for row in rows)
        return len(rows) + sum(self.readers_replies(row, at_ms) for row in rows)

    def _now(self, at_ms: int | None) -> int:
        return self._world.now_ms() if at_ms is None else at_ms


def _metrics(params: Params, known: tuple[str, ...]) -> list[str]:
    asked = [each.strip() for each in params.get("metric", "").split(",") if each.strip()]
    wrong = [each for each in asked if each not in known]
    if wrong or not asked:
        raise parameter(f"metric must be of: {', '.join(known)}")
    return list(dict.fromkeys(asked))


def _head(metric: str, period: str, of: str) -> dict[str, Any]:
    return {
        "name": metric,
        "period": period,
        "title": metric.replace("_", " ").title(),
        "description": _DESCRIPTIONS[metric],
        "id": f"{of}/insights/{metric}/{period}",
    }
