"""Follows of posts, which no platform tells: an allocation of the account's growth, and labelled as one. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def allocated(delta: int, gained: Mapping[str, int]) -> dict[str, int]:
    """Split the growth of followers over posts by the views that each gained in the same time; leave zeros out.

    The rule: `delta` x views of the post / views of all, whole numbers by the largest remainder (Hamilton), of equal
    remainders the post with more views first, then by its name. Nothing is allocated where followers did not grow or
    no post gained views: that growth is the account's alone.
    """
    weights = {post: views for post, views in gained.items() if views > 0}
    whole = sum(weights.values())
    if delta <= 0 or not whole:
        return {}
    parts = {post: divmod(delta * views, whole) for post, views in weights.items()}
    left = delta - sum(quotient for quotient, _ in parts.values())
    by_remainder = sorted(parts, key=lambda post: (-parts[post][1], -weights[post], post))
    more = set(by_remainder[:left])
    split = {post: quotient + (post in more) for post, (quotient, _) in parts.items()}
    return {post: count for post, count in split.items() if count}
