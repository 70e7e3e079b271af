"""Engagement: its kinds, the counter of each, which of them are engagements, and when a post is viral.

The one list of them: counters have these names as fields of KpiUpdate, as columns in PostgreSQL, as label `kind` of
engagements_total and as columns of an import. SQL that can't be made from it (migrations) is compared with it by tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.records import EngagementKind


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of engagement event and the counter that its counts add up in.

    `of_post` counts for a post too, `engages` is part of the numerator of engagement_rate.
    """

    name: EngagementKind
    counter: str
    of_post: bool = True
    engages: bool = False


KINDS = (
    Kind("view", "views"),
    Kind("like", "likes", engages=True),
    Kind("reply", "replies", engages=True),
    Kind("repost", "reposts", engages=True),
    Kind("quote", "quotes", engages=True),
    Kind("share", "shares", engages=True),
    Kind("click", "clicks"),
    Kind("follow", "follows"),
    Kind("follower_change", "account_growth", of_post=False),
)

COUNTER_OF: Mapping[EngagementKind, str] = {kind.name: kind.counter for kind in KINDS}
POST_COUNTER_OF: Mapping[EngagementKind, str] = {kind.name: kind.counter for kind in KINDS if kind.of_post}
POST_COUNTERS = tuple(POST_COUNTER_OF.values())
ENGAGING_KINDS = tuple(kind.name for kind in KINDS if kind.engages)
ENGAGING_COUNTERS = tuple(kind.counter for kind in KINDS if kind.engages)
"""What engagement_rate counts: its numerator is their sum, `engagements`; its denominator is views."""

VIRAL_VIEWS_BY_ENGAGEMENT = 10
"""A viral post has more than one engagement in so many views: a rate of over 10 %."""
VIRAL_LEAST_VIEWS = 100
"""A viral post has at least so many views."""
