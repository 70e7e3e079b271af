"""The states of an experiment and who may go where: each change is a new record with the next sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from schemas.records import Experiment, ExperimentState
from streams.errors import ThreadsError
from streams.identity import derived_id

TOPIC: Final = "experiments"
LEAST_STYLES = 2
MOVES: Mapping[ExperimentState, tuple[ExperimentState, ...]] = {
    "draft": ("active", "cancelled"),
    "active": ("paused", "completed", "cancelled"),
    "paused": ("active", "completed", "cancelled"),
    "completed": (),
    "cancelled": (),
}
"""Where an experiment may go from each state."""


class NotPossible(ThreadsError):
    """An experiment can't be what it is asked to be; says what to do."""


def new_experiment(
    persona_id: str,
    styles: Sequence[str],
    known: Sequence[str],
    now: datetime,
    *,
    by: str,
    name: str | None = None,
    error: float = 0.05,
    age_hours: int = 24,
) -> Experiment:
    """Return the draft of an experiment; `known` are the persona's hook styles.

    Raises:
        NotPossible: there are fewer than two different styles, or one is none of the persona's.
    """
    different = tuple(dict.fromkeys(styles))
    if len(different) < LEAST_STYLES:
        raise NotPossible(f"an experiment compares two styles or more, got {len(different)}: give --style twice")
    strange = [each for each in different if each not in known]
    if strange:
        raise NotPossible(f"persona {persona_id} has no hook style {strange[0]!r}; it has: {', '.join(known)}")
    experiment_id = derived_id(persona_id, "experiment", now.isoformat(), *different)[:8]
    return Experiment(
        event_id=derived_id(experiment_id, "1"),
        occurred_at=now,
        persona_id=persona_id,
        causation_id=None,
        experiment_id=experiment_id,
        sequence=1,
        name=name or " or ".join(different),
        state="draft",
        styles=different,
        stopped_styles=(),
        error=error,
        age_hours=age_hours,
        started_at=None,
        ended_at=None,
        winner=None,
        requested_by=by,
        reason=None,
    )


def moved(
    before: Experiment,
    to: ExperimentState,
    now: datetime,
    *,
    by: str,
    reason: str | None = None,
    winner: str | None = None,
) -> Experiment:
    """Return an experiment in another state.

    Raises:
        NotPossible: it can't go there from where it is, or the winner is none of its styles.
    """
    if to not in MOVES[before.state]:
        ways = ", ".join(MOVES[before.state]) or "nowhere, it is over: start another"
        raise NotPossible(f"experiment {before.experiment_id} is {before.state} and can go to: {ways}")
    if winner is not None and winner not in before.styles:
        raise NotPossible(f"{winner!r} is no style of experiment {before.experiment_id}: {', '.join(before.styles)}")
    is_over = to in {"completed", "cancelled"}
    return replace(
        _next(before, now, by, reason),
        state=to,
        started_at=before.started_at or (now if to == "active" else None),
        ended_at=now if is_over else None,
        winner=winner,
    )


def without(before: Experiment, losers: Sequence[str], now: datetime, *, by: str, reason: str) -> Experiment:
    """Return an active experiment without styles that lost; completed with a winner where one style is left.

    Raises:
        NotPossible: it is not active, or no style would be left.
    """
    if before.state != "active":
        raise NotPossible(f"experiment {before.experiment_id} is {before.state}: only an active one stops styles")
    stopped = tuple(each for each in before.styles if each in {*before.stopped_styles, *losers})
    left = [each for each in before.styles if each not in stopped]
    if not left:
        raise NotPossible(f"experiment {before.experiment_id} would have no style left")
    if len(left) > 1:
        return replace(_next(before, now, by, reason), stopped_styles=stopped)
    after = _next(before, now, by, reason)
    return replace(after, stopped_styles=stopped, state="completed", ended_at=now, winner=left[0])


def _next(before: Experiment, now: datetime, by: str, reason: str | None) -> Experiment:
    sequence = before.sequence + 1
    identity = derived_id(before.experiment_id, str(sequence), by, now.isoformat())
    return replace(before, event_id=identity, occurred_at=now, sequence=sequence, requested_by=by, reason=reason)
