"""Pictures of what was measured: lost clicks by horizon, and how often what was told with a probability came true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from agents.learning.evaluation import Evaluation
from streams.errors import SettingsError
from tests.benchmarks.learning.regret import EQUAL, HORIZONS, Regret

BINS = 10
_LIGHT, _DARK, _ACCENT = "#8a8f98", "#1f2328", "#0a6ebd"
_SIZE = (7.2, 4.4)
_LINE = 4.6  # of the scale, between two names


def write_plots(folder: Path, found: Sequence[Regret], evaluation: Evaluation) -> list[Path]:
    """Write lost_clicks.png and calibration.png into a folder; return their paths.

    Raises:
        SettingsError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load, and only drawing needs it
    except ImportError:
        raise SettingsError("--plots needs matplotlib: pip install 'threads-agent-stack[dev]'") from None
    folder.mkdir(parents=True, exist_ok=True)
    lost, calibration = Figure(figsize=_SIZE, layout="constrained"), Figure(figsize=_SIZE, layout="constrained")
    axes = lost.subplots()
    equal = next(each for each in found if each.policy == EQUAL)
    curves = {each.policy: [100 * (1 - saving.share) for saving in each.saved_against(equal)] for each in found}
    places = _apart({name: values[-1] for name, values in curves.items()})
    for name, values in curves.items():
        is_ours = name == "Thompson + predictor"
        color = _ACCENT if is_ours else _LIGHT
        axes.plot(HORIZONS, values, marker="o", markersize=4, color=color, linewidth=2.4 if is_ours else 1.2)
        axes.text(HORIZONS[-1] * 1.12, places[name], name, va="center", color=_ACCENT if is_ours else _DARK, fontsize=9)
    axes.set_xscale("log")
    axes.set_xticks(HORIZONS, [f"{each:,}" for each in HORIZONS])
    axes.minorticks_off()
    axes.set_xlim(HORIZONS[0] * 0.9, HORIZONS[-1] * 4)
    axes.set_ylim(0, 105)
    axes.set_xlabel("views an arm")
    axes.set_ylabel("lost clicks, equal split = 100")
    axes.set_title("Clicks lost against the best arm", loc="left", color=_DARK)
    told, true, count = calibration_bins(evaluation)
    axes = calibration.subplots()
    axes.plot([0.5, 1], [0.5, 1], color=_LIGHT, linewidth=1.2)
    error = 1.96 * np.sqrt(true * (1 - true) / np.maximum(count, 1))
    axes.errorbar(told, true, yerr=error, fmt="o-", color=_ACCENT, capsize=3, linewidth=2)
    for x, y, pairs in zip(told, true, count, strict=True):
        axes.annotate(f"{int(pairs):,}", (x, y), xytext=(6, -12), textcoords="offset points", color=_DARK, fontsize=8)
    axes.set_xlabel("probability told that the winner wins")
    axes.set_ylabel("share that came true")
    axes.set_title("Calibration on significant pairs of unseen tests (pairs, 95 % intervals)", loc="left", color=_DARK)
    paths = [folder / "lost_clicks.png", folder / "calibration.png"]
    for path, figure in zip(paths, (lost, calibration), strict=True):
        for drawn in figure.axes:
            drawn.spines[["top", "right"]].set_visible(False)
            drawn.grid(axis="y", color="#e6e8eb", linewidth=0.8)
            drawn.set_axisbelow(True)
        figure.savefig(path, dpi=150)
    return paths


def _apart(values: Mapping[str, float]) -> dict[str, float]:
    """Return where names stand beside their values, none on another."""
    places: dict[str, float] = {}
    for name in sorted(values, key=values.__getitem__):
        below = max(places.values(), default=-np.inf)
        places[name] = max(values[name] - _LINE, below + _LINE)
    return places


def calibration_bins(
    evaluation: Evaluation,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """Return probability told, share that came true, and pairs, of bins of the winner's probability that have pairs."""
    clear = evaluation.compared.significant
    first_wins, z = evaluation.first_wins[clear], evaluation.compared.z[clear]
    sure, right = np.maximum(first_wins, 1 - first_wins), (first_wins > 0.5) == (z > 0)
    bins = np.minimum(((sure - 0.5) * 2 * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    there = count > 0
    told, true = (np.bincount(bins, each, BINS)[there] / count[there] for each in (sure, right.astype(np.float64)))
    return told, true, count[there].astype(np.float64)
