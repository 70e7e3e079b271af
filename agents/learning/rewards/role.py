"""The role `learning`: from drafts, posts and engagement to rewards, and from these to the arms of hook styles.

Start here, then observe.py, learn.py, persona_rewards.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.learning.rewards.learn import LearnStage
from agents.learning.rewards.observe import ObserveStage
from streams.engine.stage import AnyStage
from streams.role import Role
from streams.settings import Settings


def build(settings: Settings) -> Sequence[AnyStage]:
    return [ObserveStage(settings.partitions), LearnStage()]


ROLE = Role("learning", build)
