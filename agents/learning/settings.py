"""Which model predicts."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from streams.settings import Settings, SettingsGroup


class LearningSettings(SettingsGroup):
    """Which model predicts."""

    hook_predictor: Path | None = Field(
        None,
        description="File of the hook predictor; empty: learning/hook_model.bin in the home, else the shipped one.",
    )


def trained_file(settings: Settings) -> Path:
    """Return where `learning train` writes."""
    return settings.of(LearningSettings).hook_predictor or settings.home / "learning" / "hook_model.bin"
