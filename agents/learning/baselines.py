"""Baselines: what other ways of choosing a hook score on the same pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from agents.learning.blocks import BALANCED, Scales
from agents.learning.evaluation import Share, share_right
from agents.learning.evidence.headline_tests import Floats, HeadlineTests
from agents.learning.evidence.pairs import Pairs, pairs_of
from agents.learning.features.hook_features import HookFeatures, features_of
from agents.learning.training import Step, cross_validated, silent
from agents.scoring.hook_strength import hook_strength

_ALONE = {
    "words alone": Scales(characters=0, style=0, vectors=0),
    "characters alone": Scales(words=0, style=0, vectors=0),
    "style alone": Scales(words=0, characters=0, vectors=0),
    "vectors alone": Scales(words=0, characters=0, style=0),
}


def baselines(tests: HeadlineTests, layers: int, step: Step = silent) -> Iterator[Share]:
    """Yield what each baseline scores on clear pairs of unseen tests: rules without training, and each block alone."""
    pairs = pairs_of(tests)
    lengths = np.array([len(headline) for headline in tests.headlines], dtype=np.float64)
    scores = np.array([hook_strength(headline, "en")[0] for headline in tests.headlines])
    for name, values in {"the longer one": lengths, "hook_strength": scores}.items():
        differences = values[tests.text[pairs.first]] - values[tests.text[pairs.second]]
        yield share_right(name, pairs, _as_probability(differences), pairs.significant)
    for chosen in dict.fromkeys((0, layers)):
        features = features_of(tests.headlines, chosen)
        yield from _of_blocks(tests, pairs, features, chosen, step)


def _of_blocks(tests: HeadlineTests, pairs: Pairs, features: HookFeatures, layers: int, step: Step) -> Iterator[Share]:
    for name, scales in _ALONE.items():
        if name == "vectors alone":
            called = f"vectors alone, {layers} layers"
        elif layers == 0:
            called = name
        else:
            continue
        step(called)
        unseen = cross_validated(tests, pairs, features, scales)
        yield share_right(called, pairs, unseen.first_wins, pairs.significant)
    step(f"all blocks, {layers} layers")
    unseen = cross_validated(tests, pairs, features, BALANCED)
    yield share_right(f"all blocks, {layers} layers", pairs, unseen.first_wins, pairs.significant)


def _as_probability(differences: Floats) -> Floats:
    return 0.5 + 0.4 * np.sign(differences)
