"""The sample to import where there is no history: simulated engagement, marked as such throughout."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from schemas.engagement import ENGAGING_COUNTERS

SEED = 20261122
POSTS = 600
HOURS_BETWEEN_POSTS = 2.0
FIRST_POST_MS = 1_767_225_600_000

# Real posts of one organisation, 2016-21: median interactions per view .30 %, 99th percentile 1.54 %, hence a lognormal
# with sigma ln(1.54 / .30) / 2.326. Clicks per view are the mean of 4,873 headline tests. Follows per view are a guess.
MEDIAN_INTERACTION_RATE = 0.0030
INTERACTION_SIGMA = 0.703
CLICK_RATE = 0.0152
FOLLOW_RATE = 0.0004
MEDIAN_VIEWS = 2_500.0
VIEWS_SIGMA = 1.1
INTERACTIONS = ENGAGING_COUNTERS
INTERACTION_SHARES = (0.70, 0.12, 0.08, 0.03, 0.07)
HEADER = ("post_id", "persona_id", "occurred_at", "text", "views", *INTERACTIONS, "clicks", "follows")


def interaction_rates(random: np.random.Generator, count: int) -> list[float]:
    """Draw the interactions per view of posts: most are near .3 %, one in a hundred above 1.5 %."""
    rates = MEDIAN_INTERACTION_RATE * np.exp(INTERACTION_SIGMA * random.standard_normal(count))
    return [float(rate) for rate in np.minimum(rates, 1.0)]


def write_sample(path: Path, persona_ids: Sequence[str]) -> None:
    """Write the sample as CSV, the same bytes each time, so that the import knows it again."""
    random = np.random.default_rng(SEED)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for number, rate in enumerate(interaction_rates(random, POSTS)):
            at_ms = FIRST_POST_MS + int(number * HOURS_BETWEEN_POSTS * 3_600_000)
            views = int(MEDIAN_VIEWS * np.exp(VIEWS_SIGMA * random.standard_normal()))
            kinds = random.multinomial(random.binomial(views, rate), INTERACTION_SHARES).tolist()
            clicks, follows = int(random.binomial(views, CLICK_RATE)), int(random.binomial(views, FOLLOW_RATE))
            persona_id = persona_ids[number % len(persona_ids)]
            text = f"Simulated post {number + 1} of {persona_id}"
            writer.writerow([f"simulated-{number + 1}", persona_id, at_ms, text, views, *kinds, clicks, follows])
