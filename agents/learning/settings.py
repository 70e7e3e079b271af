"""Which models predict."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from streams.settings import Settings, SettingsGroup


class LearningSettings(SettingsGroup):
    """Which model predicts, and which chooses among a draft's hooks."""

    hook_predictor: Path | None = Field(
        None,
        description="File of the hook predictor; empty: learning/hook_model.bin in the home, else the shipped one.",
    )
    hook_judge: Literal["fast", "shipped", "trained", "off"] = Field(
        "fast",
        description="Model that chooses among a draft's hooks in English: fast, shipped (better, ten times as slow), "
        "trained (what `learning train` wrote), off (hook_strength, as in other languages).",
    )


def trained_file(settings: Settings) -> Path:
    """Return where `learning train` writes."""
    return settings.of(LearningSettings).hook_predictor or settings.home / "learning" / "hook_model.bin"
