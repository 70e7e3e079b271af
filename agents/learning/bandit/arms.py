"""Arms: what each hook style of a persona is worth, a Beta distribution of its engagement rate, from posts' rewards.

A post is one observation with correlated views, not as many coin tosses as it has views; it counts by what it brought
at the greatest age known, less while it is young and when it is old, and with bounds where its engagement is out of all
proportion. The arms are a function of the set of rewards: whatever order they come in, the same bits come out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from schemas.records import HookArm, HookReward

_DAY = timedelta(days=1)
_LEAST_RATE, _MOST_RATE = 1e-4, 0.5  # of a prior: no style is taken for hopeless or perfect before it was tried


@dataclass(frozen=True, slots=True)
class BanditPolicy:
    """How arms are made and chosen by.

    `prior_information`: what the prior is worth, as the inverse variance of log odds: 1 / .055 of headlines around what
    the predictor foretells (`bench learning` fits it); at most `most_prior_views` views. `prior_slope`: how much of the
    predictor's log odds the prior believes.
    `dispersion`: correlation of the views of a post (intra-class), where a persona's own posts don't say otherwise;
    `dispersion_posts`: how many posts' worth that belief is. `half_life_days`: age of a post at which it counts half.
    `ripe_hours`: age at which a reward counts half of what it will. `cap`: times the median rate that a post may have.
    `fatigue_posts`: how many last posts tire the audience; `fatigue`: what a style loses that all of them have.
    `floor`: share of choices that is dealt out evenly, so that every style is tried for ever.
    """

    prior_information: float = 18.0
    most_prior_views: float = 1_500.0
    prior_slope: float = 1.0
    dispersion: float = 0.01
    dispersion_posts: int = 20
    half_life_days: float = 90.0
    ripe_hours: float = 2.0
    cap: float = 5.0
    cap_views: int = 20
    cap_posts: int = 5
    fatigue_posts: int = 10
    fatigue: float = 0.5
    floor: float = 0.1


POLICY = BanditPolicy()


@dataclass(frozen=True, slots=True)
class _Post:
    """A post as an observation: `rate` is within the cap, `worth` is how many coin tosses it stands for."""

    reward: HookReward
    rate: float
    worth: float
    is_capped: bool


def newest_of(rewards: Iterable[HookReward]) -> list[HookReward]:
    """Return of each post the reward of the greatest age, of that the greatest revision; by publication and id."""
    found: dict[str, HookReward] = {}
    for each in rewards:
        known = found.get(each.post_id)
        if known is None or (known.age_hours, known.revision) < (each.age_hours, each.revision):
            found[each.post_id] = each
    return sorted(found.values(), key=lambda each: (each.published_at, each.post_id))


def arms_of(rewards: Iterable[HookReward], policy: BanditPolicy = POLICY) -> tuple[HookArm, ...]:
    """Return the arms of one persona's rewards, in alphabetical order of their styles; none without rewards."""
    newest = newest_of(rewards)
    if not newest:
        return ()
    as_of = max(each.occurred_at for each in newest)
    spread = dispersion(newest, policy)
    cap = _cap(newest, policy)
    posts = [_observed(each, as_of, spread, cap, policy) for each in newest]
    priors = _priors(posts, policy)
    recent = [each.reward.choice.style for each in posts[-policy.fatigue_posts :]]
    return tuple(
        _arm(style, [each for each in posts if each.reward.choice.style == style], prior, recent, policy)
        for style, prior in sorted(priors.items())
    )


def _arm(style: str, posts: Sequence[_Post], prior: float, recent: Sequence[str], policy: BanditPolicy) -> HookArm:
    before = prior_views(prior, policy)
    return HookArm(
        style=style,
        posts=len(posts),
        views=sum(each.reward.views for each in posts),
        engagements=sum(each.reward.engagements for each in posts),
        alpha=_told(before * prior, *(each.worth * each.rate for each in posts)),
        beta=_told(before * (1 - prior), *(each.worth * (1 - each.rate) for each in posts)),
        recent_share=recent.count(style) / len(recent),
        capped_posts=sum(each.is_capped for each in posts),
    )


def prior_views(rate: float, policy: BanditPolicy = POLICY) -> float:
    """Return how many views a prior of a rate is worth."""
    return min(policy.prior_information / (rate * (1 - rate)), policy.most_prior_views)


def _told(*parts: float) -> float:
    """Return a sum to nine digits: machines differ in the last bit of a power or a logarithm, and versions must not."""
    return float(f"{math.fsum(parts):.9g}")


def _observed(reward: HookReward, as_of: datetime, spread: float, cap: float, policy: BanditPolicy) -> _Post:
    views = max(reward.views, 0)
    told = reward.engagements / views if views else 0.0
    ripe = reward.age_hours / (reward.age_hours + policy.ripe_hours)
    old_days = max((as_of - reward.published_at) / _DAY, 0.0)
    alike = views / (1 + (views - 1) * spread) if views else 0.0
    return _Post(reward, min(told, cap), ripe * 0.5 ** (old_days / policy.half_life_days) * alike, told > cap)


def _cap(rewards: Sequence[HookReward], policy: BanditPolicy) -> float:
    """Return the greatest rate that a post may have: some times the median, and never over 1."""
    rates = [each.engagements / each.views for each in rewards if each.views >= policy.cap_views]
    return min(policy.cap * median(rates), 1.0) if len(rates) >= policy.cap_posts and any(rates) else _MOST_RATE


def _priors(posts: Sequence[_Post], policy: BanditPolicy) -> Mapping[str, float]:
    """Return the prior rate of each style: the persona's own, moved by what the predictor says of the style's hooks."""
    worth = math.fsum(each.worth for each in posts)
    hits = math.fsum(each.worth * each.rate for each in posts)
    base = _bounded(hits / worth if worth else _LEAST_RATE)
    odds = {style: _mean_log_odds(posts, style) for style in {each.reward.choice.style for each in posts}}
    told = [each for each in odds.values() if each is not None]
    mean = math.fsum(sorted(told)) / len(told) if told else 0.0
    level = math.log(base / (1 - base))
    moved = {style: level + policy.prior_slope * (0.0 if own is None else own - mean) for style, own in odds.items()}
    return {style: _bounded(1 / (1 + math.exp(-each))) for style, each in moved.items()}


def _mean_log_odds(posts: Sequence[_Post], style: str) -> float | None:
    choices = [each.reward.choice for each in posts if each.reward.choice.style == style]
    told = [each.hook_log_odds for each in choices if each.hook_log_odds is not None]
    return math.fsum(told) / len(told) if told else None


def _bounded(rate: float) -> float:
    return min(max(rate, _LEAST_RATE), _MOST_RATE)


def dispersion(rewards: Sequence[HookReward], policy: BanditPolicy = POLICY) -> float:
    """Return the correlation of the views of one post, in [0, 1]: the posts' own, drawn towards the policy's.

    The ANOVA estimator of the intra-class correlation (Ridout, Demetrio and Firth 1999), within styles.
    """
    by_style: dict[str, list[HookReward]] = {}
    for each in rewards:
        if each.views > 0:
            by_style.setdefault(each.choice.style, []).append(each)
    groups = [group for group in by_style.values() if len(group) > 1]
    posts = sum(len(group) for group in groups)
    free = posts - len(groups)
    believed = policy.dispersion
    if not free:
        return believed
    views = sum(each.views for group in groups for each in group)
    between = math.fsum(_between(group) for group in groups) / free
    within = math.fsum(_within(group) for group in groups) / max(views - posts, 1)
    uneven = math.fsum(sum(each.views**2 for each in group) / sum(each.views for each in group) for group in groups)
    typical = (views - uneven) / free
    whole = between + (typical - 1) * within
    own = min(max((between - within) / whole, 0.0), 1.0) if whole > 0 else believed
    return (free * own + policy.dispersion_posts * believed) / (free + policy.dispersion_posts)


def _between(group: Sequence[HookReward]) -> float:
    pooled = sum(map(_hits, group)) / sum(each.views for each in group)
    return math.fsum(each.views * (_hits(each) / each.views - pooled) ** 2 for each in group)


def _within(group: Sequence[HookReward]) -> float:
    return math.fsum(_hits(each) * (1 - _hits(each) / each.views) for each in group)


def _hits(reward: HookReward) -> int:
    return min(max(reward.engagements, 0), reward.views)
