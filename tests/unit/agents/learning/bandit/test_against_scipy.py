"""Our small maths against SciPy's: the probability of being best, likely rates, uneven shares, the boundary."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from agents.learning.bandit.arms import POLICY, dispersion
from agents.learning.bandit.choosing import Arms, likely_rates, propensities
from agents.learning.experiments.sequential import boundary, probability_of_shares
from schemas.records import HookArm
from tests.support.rewards import reward


def arm(style: str, alpha: float, beta: float) -> HookArm:
    return HookArm(
        style=style, posts=1, views=1, engagements=0, alpha=alpha, beta=beta, recent_share=0.0, capped_posts=0
    )


@pytest.mark.parametrize(
    "parameters",
    [((3.0, 90.0), (5.0, 80.0)), ((30.0, 900.0), (28.0, 700.0), (5.0, 300.0)), ((0.6, 9.0), (0.4, 9.0), (1.0, 9.0))],
)
def test_the_probability_of_being_best_is_the_integral(parameters: tuple[tuple[float, float], ...]) -> None:
    """P(i best) is the integral of its density times the others' distribution functions."""
    styles = tuple(f"s{number}" for number in range(len(parameters)))
    found = propensities(Arms("v", tuple(arm(s, *p) for s, p in zip(styles, parameters, strict=True))), styles)
    for number, style in enumerate(styles):
        at = np.linspace(0, 1, 200_001)
        others = [stats.beta(*each).cdf(at) for place, each in enumerate(parameters) if place != number]
        distribution = stats.beta(*parameters[number]).cdf(at)
        exact = integrate.trapezoid(np.prod(others, axis=0), distribution)
        told = (found[style] - POLICY.floor / len(styles)) / (1 - POLICY.floor)
        assert told == pytest.approx(exact, abs=0.012)


@pytest.mark.parametrize("parameters", [(3.0, 90.0), (300.0, 4_000.0)])
def test_likely_rates_are_the_quantiles_of_the_distribution(parameters: tuple[float, float]) -> None:
    exact = stats.beta(*parameters).interval(0.8)
    assert likely_rates(arm("s", *parameters)) == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize("posts", [(60, 40), (14, 6), (50, 52)])
def test_shares_of_two_styles_are_as_probable_as_the_binomial_says(posts: tuple[int, int]) -> None:
    assert probability_of_shares(posts) == pytest.approx(stats.binomtest(posts[0], sum(posts)).pvalue, abs=0.012)


@pytest.mark.parametrize("posts", [(120, 100, 80), (200, 205, 210, 190)])
def test_shares_of_many_styles_are_as_probable_as_chi_square_says(posts: tuple[int, ...]) -> None:
    assert probability_of_shares(posts) == pytest.approx(stats.chisquare(posts).pvalue, abs=0.02)


def test_the_boundary_is_that_of_the_normal_mixture() -> None:
    """At it, the likelihood ratio of a normal mixture of means against none is 1 / error."""
    error, posts = 0.05, 57
    tuned = (-2 * math.log(error) + math.log(-2 * math.log(error) + 1)) / 80
    mean = boundary(posts, error) / math.sqrt(posts)  # of observations with variance 1
    nothing = stats.norm(0, 1 / math.sqrt(posts)).pdf(mean)
    mixed = stats.norm(0, math.sqrt(1 / posts + tuned)).pdf(mean)
    assert mixed / nothing == pytest.approx(1 / error, rel=1e-6)


def test_dispersion_is_that_of_a_beta_binomial() -> None:
    rate, rho, views = 0.08, 0.03, 700
    size = (1 - rho) / rho
    hits = stats.betabinom(views, rate * size, (1 - rate) * size).rvs(800, random_state=np.random.default_rng(4))
    assert dispersion([reward("q", n, views=views, engagements=int(h)) for n, h in enumerate(hits)]) == pytest.approx(
        rho, rel=0.12
    )
