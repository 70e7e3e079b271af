"""The sample personas that come with the project: one file each, in the order in which they are applied."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name("samples")
SAMPLES = tuple(
    FOLDER / f"{persona_id}.yaml"
    for persona_id in (
        "night-shift-nora",
        "ledger-lou",
        "balcony-bea",
        "cocina-carla",
        "pendler-jonas",
        "repair-rosa",
        "barrio-mateo",
        "werkbank-wiebke",
        "hrushka-olena",
        "potiah-taras",
    )
)
