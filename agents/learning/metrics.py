"""What a worker tells of what it learns."""

from __future__ import annotations

from streams.metrics import Metric

LEARNING_REWARDS = Metric(
    "learning_rewards_total", "counter", ("age_hours",), "Rewards of posts told, by age of the post, revisions too."
)
LEARNING_POSTS = Metric("learning_posts", "gauge", (), "Posts of chosen hook styles whose rewards are followed.")
LEARNING_ARMS = Metric("learning_arms", "gauge", (), "Personas whose hook styles were told anew by this worker.")
LEARNING_CAPPED = Metric(
    "learning_capped_posts", "gauge", (), "Posts whose influence is capped: engagement out of all proportion."
)

METRICS = (LEARNING_REWARDS, LEARNING_POSTS, LEARNING_ARMS, LEARNING_CAPPED)
