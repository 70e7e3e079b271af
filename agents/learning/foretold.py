"""What is foretold of a hook before anybody has read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Foretold:
    """What the predictor says of a chosen hook; `win_probability` is None where it was the only candidate.

    `hook_log_odds` are those of a click over a hook of mean strength.
    """

    model_version: str
    win_probability: float | None
    hook_log_odds: float
