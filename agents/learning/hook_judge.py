"""The hook judge: the predictor over a draft's candidates, in the language that it learned from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agents.learning.calibration import probability
from agents.learning.foretold import Foretold
from agents.learning.model import HookModel
from agents.learning.model_file import SHIPPED, SHIPPED_FAST, BadModel, read_model
from agents.learning.settings import LearningSettings, trained_file
from streams.errors import SettingsError
from streams.settings import Settings

LANGUAGES = frozenset({"en"})
"""What the tests that it learned from are written in."""
KEPT_STRENGTHS = 10_000  # hooks; a draft's are asked for twice


class HookJudge:
    """Judge candidates by a model. It takes about half a millisecond a hook with the fast model."""

    def __init__(self, model: HookModel, version: str) -> None:
        self._model = model
        self.version = version
        self._known: dict[str, float] = {}

    def knows(self, language: str) -> bool:
        """Tell whether hooks in a language (ISO 639-1) can be judged."""
        return language in LANGUAGES

    def strengths(self, hooks: Sequence[str]) -> list[float]:
        """Return the strength of each hook, in log odds of a click: differences count."""
        if len(self._known) > KEPT_STRENGTHS:
            self._known.clear()
        missing = [each for each in dict.fromkeys(hooks) if each not in self._known]
        if missing:
            self._known |= zip(missing, self._model.strengths(missing).tolist(), strict=True)
        return [self._known[each] for each in hooks]

    def foretold(self, hook: str, others: Sequence[str]) -> Foretold:
        """Return the probability that readers take the hook and not the mean of the others, and its strength."""
        strength, *rest = self.strengths([hook, *others])
        if not rest:
            return Foretold(self.version, None, strength)
        difference = np.array([strength - sum(rest) / len(rest)])
        return Foretold(self.version, float(probability(difference, self._model.slope)[0]), strength)


def hook_judge(settings: Settings) -> HookJudge | None:
    """Return the judge of the settings; None where it is off.

    Raises:
        SettingsError: its file can't be used.
    """
    wanted = settings.of(LearningSettings).hook_judge
    if wanted == "off":
        return None
    path = {"fast": SHIPPED_FAST, "shipped": SHIPPED, "trained": trained_file(settings)}[wanted]
    try:
        return HookJudge(read_model(path), f"{wanted}-{version_of(path)}")
    except BadModel as error:
        raise SettingsError(f"THREADS_HOOK_JUDGE={wanted} can't be used: {error}") from error


def version_of(path: Path) -> str:
    """Return what tells a model's file from others: the first 12 hex digits of its SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
