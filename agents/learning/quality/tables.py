"""What `learning quality` prints: for people, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from agents.learning.quality.promotion import Written
from agents.learning.quality.quality_models import QualityModels
from agents.learning.quality.training import Training
from agents.scoring.weights import BUILT_IN, GATES, QualityWeights
from schemas.records import QualityModel
from streams.cli.table import Column, Table, count
from streams.json_records import render_record

MOST_POINTS = 0.05
"""A training warns where the share of drafts that pass changes by more."""

_MODELS = (
    Column("version", "id"),
    Column("state"),
    Column("posts", "number"),
    Column("right", "number"),
    Column("then", "number"),
    Column("at (UTC)"),
    Column("by", "id", minor=1),
    Column("why", "text"),
)
_WEIGHTS = (Column("feature"), Column("built-in", "number"), Column("in force", "number"))


def state_of(models: QualityModels, record: QualityModel) -> str:
    """Return the state of a model in words."""
    if record.version == models.now().version:
        return "in force"
    if models.find(record.version) is None:
        return "not in force"
    if models.problem(record.version) is not None:
        return "unusable"
    return record.state.replace("_", " ")


def models_table(models: QualityModels) -> Table:
    """Return the table that `list` prints: the model that changed last first, the built-in weights at the end."""
    rows = [
        (
            each.version,
            state_of(models, each),
            count(each.trained_posts),
            _share(each.holdout_score),
            _share(each.incumbent_score),
            f"{each.occurred_at:%Y-%m-%d %H:%M}",
            each.requested_by,
            models.problem(each.version) or each.reason or "",
        )
        for each in models.known()
    ]
    if models.find(BUILT_IN.version) is None:
        state = "in force" if models.now().version == BUILT_IN.version else "-"
        rows.append((BUILT_IN.version, state, count(0), "-", "-", "-", "-", ""))
    note = "right: share of pairs of later posts put in the order of what they brought; then: by what was in force then"
    return Table(_MODELS, rows, note=note)


def weights_table(in_force: QualityWeights, name: str, weights: dict[str, float]) -> Table:
    """Return the weights by feature: built-in, in force, and others."""
    names = sorted({*BUILT_IN.weights, *weights}, key=lambda each: (-weights.get(each, 0.0), each))
    rows = [
        (each, _weight(BUILT_IN.weights.get(each)), _weight(in_force.weights.get(each)), _weight(weights.get(each)))
        for each in names
    ]
    note = f"{', '.join(sorted(GATES))} have gates and keep their weights"
    return Table((*_WEIGHTS, Column(name, "number")), rows, note=note)


def training_lines(found: Training) -> Iterator[str]:
    """Yield the figures of a training, a line each."""
    judgement, learned, rates = found.judgement, found.learned, found.rates
    if learned is not None:
        simulated = f", {learned.simulated_posts:,} of all posts simulated" * bool(learned.simulated_posts)
        yield f"learned from   {learned.trained_posts:,} posts in {found.trained_pairs:,} pairs{simulated}"
        yield f"judged on      {learned.holdout_posts:,} later posts in {judgement.pairs:,} pairs"
    if judgement.gain is not None and judgement.interval is not None:
        low, high = judgement.interval
        yield f"in order       {_share(judgement.score)}, by the weights in force {_share(judgement.incumbent_score)}"
        yield f"gain           {_points(judgement.gain)} points, 95 % interval {_points(low)} to {_points(high)}"
    if found.capped_posts:
        yield f"capped         {found.capped_posts:,} posts brought more than 8 times their persona's median rate"
    if learned is not None and rates.drafts:
        yield f"pass           {_share(rates.learned)} of {rates.drafts:,} drafts, now {_share(rates.in_force)}"
        yield f"threshold      {learned.threshold_shift:+.4f}; without that {_share(rates.unshifted)} would pass"
    for reason, left_out in found.left_out.items():
        yield f"left out       {left_out:,} x {reason}"
    yield from (f"warning        {each}" for each in warnings(found))


def warnings(found: Training) -> list[str]:
    """Return what somebody should look at before drafts are judged by the new weights."""
    rates = found.rates
    if found.outcome != "promoted" or rates.in_force is None or rates.learned is None:
        return []
    if abs(rates.learned - rates.in_force) <= MOST_POINTS:
        return []
    change = f"{_share(rates.learned)} of drafts pass in place of {_share(rates.in_force)}"
    return [f"{change}: look at THREADS_QUALITY_THRESHOLD, or roll back"]


def written_line(written: Written) -> str:
    """Return what is in force after a command, and who was there meanwhile."""
    others = "; ".join(
        f"{each.version} was {each.state.replace('_', ' ')} by {each.requested_by} meanwhile"
        for each in written.meanwhile
    )
    said = written.in_force if written.has_won else f"{written.in_force}, not {written.wanted}"
    return f"in force       {said}{f'; {others}' * bool(others)}"


def written_object(written: Written) -> dict[str, object]:
    """Return what `rollback --json` and `promote --json` print."""
    return {
        "wanted": written.wanted,
        "in_force": written.in_force,
        "meanwhile": [render_record(each) for each in written.meanwhile],
    }


def training_object(found: Training, in_force: str) -> dict[str, object]:
    """Return what `train --json` prints."""
    learned, judgement, rates = found.learned, found.judgement, found.rates
    return {
        "outcome": found.outcome,
        "reason": found.reason,
        "version": None if learned is None else learned.version,
        "checksum": None if learned is None else learned.checksum,
        "weights": None if learned is None else {each.name: each.weight for each in learned.weights},
        "threshold_shift": None if learned is None else learned.threshold_shift,
        "trained_posts": 0 if learned is None else learned.trained_posts,
        "simulated_posts": 0 if learned is None else learned.simulated_posts,
        "trained_pairs": found.trained_pairs,
        "holdout_posts": 0 if learned is None else learned.holdout_posts,
        "holdout_pairs": judgement.pairs,
        "holdout_score": judgement.score,
        "incumbent_score": judgement.incumbent_score,
        "gain": judgement.gain,
        "gain_interval": judgement.interval,
        "capped_posts": found.capped_posts,
        "pass_share": {
            "drafts": rates.drafts,
            "in_force": rates.in_force,
            "learned": rates.learned,
            "without_shift": rates.unshifted,
        },
        "left_out": found.left_out,
        "warnings": warnings(found),
        "in_force": in_force,
    }


def model_object(models: QualityModels, record: QualityModel) -> dict[str, object]:
    """Return what `list --json` prints of a model."""
    return {
        **render_record(record),
        "in_force": record.version == models.now().version,
        "problem": models.problem(record.version),
    }


def model_lines(models: QualityModels, record: QualityModel) -> Iterator[str]:
    """Yield what there is to say of a model, a line each."""
    yield f"version        {record.version}, {state_of(models, record)}"
    if problem := models.problem(record.version):
        yield f"problem        {problem}"
    if record.trained_posts:
        simulated = f"; {record.simulated_posts:,} of all are simulated" * bool(record.simulated_posts)
        yield f"learned from   {record.trained_posts:,} posts, judged on {record.holdout_posts:,} later ones{simulated}"
        before = f"{record.incumbent_version} {_share(record.incumbent_score)}"
        yield f"in order       {_share(record.holdout_score)} of the later pairs, {before}"
        yield f"threshold      {record.threshold_shift:+.4f} beside THREADS_QUALITY_THRESHOLD"
        yield f"changed        {record.occurred_at:%Y-%m-%d %H:%M} UTC by {record.requested_by}"
    if record.reason:
        yield f"why            {record.reason}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _weight(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
