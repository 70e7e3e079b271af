"""The role `generation`: persona.requests -> generate -> score -> deduplicate -> drafts.accepted or drafts.rejected."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from agents.costs.budget import BudgetLimits, BudgetPolicy
from agents.costs.prices import read_prices
from agents.costs.settings import CostSettings
from agents.deduplication.stage import DeduplicateStage
from agents.deduplication.verdict import limits_of
from agents.embedding.embedders import embedder_of
from agents.generation.past_posts import AcceptedPosts, BestPosts, RecordedPast
from agents.generation.stage import GenerateStage
from agents.learning.hook_judge import hook_judge
from agents.learning.quality.quality_models import quality_models
from agents.learning.style_choices import style_choices
from agents.personas.persona_topic import persona_directory
from agents.scoring.settings import ScoringSettings
from agents.scoring.stage import ScoreStage
from agents.spend.budgets import Budgets
from agents.spend.spend_topics import spend_directory
from streams.embedded.offline_models import offline_model_of
from streams.endpoints import resolve
from streams.engine.stage import AnyStage
from streams.kafka.cluster import Cluster
from streams.role import Role
from streams.settings import Settings


def build(settings: Settings) -> Sequence[AnyStage]:
    """Make the three stages; generate and score share one directory of personas."""
    cluster, prices = Cluster.of(settings), read_prices(settings.of(CostSettings).price_file)
    offline = offline_model_of(settings.offline_model)
    registry = cluster.open_registry()
    directory = persona_directory(cluster, registry)
    past = RecordedPast(AcceptedPosts(cluster, registry), BestPosts(resolve(settings).postgres))
    budgets = Budgets(spend_directory(cluster, registry), BudgetPolicy.of(settings), BudgetLimits.of(settings))
    return (
        GenerateStage(
            settings,
            directory,
            prices.with_free(offline.served_as),
            past,
            budgets,
            styles=style_choices(cluster, registry),
            judge=hook_judge(settings),
        ),
        ScoreStage(
            directory,
            threshold=settings.of(ScoringSettings).quality_threshold,
            models=quality_models(cluster, registry),
        ),
        DeduplicateStage(
            limits=limits_of(settings),
            load_embedder=partial(embedder_of, settings),
            prices=prices,
        ),
    )


ROLE = Role("generation", build)
