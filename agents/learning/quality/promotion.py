"""What comes into force: a training's model where it is not worse, and by hand a rollback or a promotion.

Who writes reads the topic again: of two who write at once the later record counts, and both are told so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agents.learning.quality.log import read_material
from agents.learning.quality.model_record import BUILT_IN_LEARNED, Learned, learned_in, usable_weights
from agents.learning.quality.quality_models import TOPIC, QualityModels, quality_models
from agents.learning.quality.training import Training, trained
from agents.scoring.settings import ScoringSettings
from agents.scoring.weights import BUILT_IN
from schemas.records import ModelState, QualityModel
from schemas.rules import EPOCH
from streams.engine.stage import Output
from streams.errors import ThreadsError
from streams.identity import derived_id
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.settings import Settings


class ModelRefused(ThreadsError):
    """A model can't be promoted or rolled back as asked; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a command wrote, and what is in force now; `meanwhile` are the records of others since it had looked."""

    wanted: str
    in_force: str
    meanwhile: Sequence[QualityModel] = ()

    @property
    def has_won(self) -> bool:
        """Tell whether what was wanted is in force."""
        return self.wanted == self.in_force


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes what is in force, when, and why."""

    requested_by: str
    at: datetime
    reason: str | None = None


async def read_models(settings: Settings) -> QualityModels:
    """Return the models as they are now.

    Raises:
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    cluster = Cluster.of(settings)
    return await quality_models(cluster, cluster.open_registry()).read_once()


def find_model(models: QualityModels, version: str) -> QualityModel:
    """Return the record of a version; one of the built-in weights is made where the topic has none.

    Raises:
        ModelRefused: there is no such version.
    """
    found = models.find(version)
    if found is not None:
        return found
    if version != BUILT_IN.version:
        raise ModelRefused(f"There is no model {version!r}; see `threads-agent learning quality list`")
    return record_of(BUILT_IN_LEARNED, "promoted", Change("nobody", EPOCH), incumbent=BUILT_IN.version)


async def train(
    settings: Settings, change: Change, *, with_simulated: bool, dry_run: bool
) -> tuple[Training, Written | None]:
    """Learn from the log; a model that is not worse on the holdout comes into force, another one is told as refused.

    Raises:
        ModelRefused: another model came into force meanwhile, which this one was not judged against.
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    models = await read_models(settings)
    in_force = models.now()
    material = await read_material(Cluster.of(settings), with_simulated=with_simulated)
    threshold = settings.of(ScoringSettings).quality_threshold
    found = trained(material, in_force, models.known(), threshold=threshold)
    if dry_run or found.learned is None or found.outcome not in ("promoted", "refused"):
        return found, None
    models = await read_models(settings)
    check_unchanged(models, in_force.version)
    state: ModelState = "promoted" if found.outcome == "promoted" else "refused"
    record = record_of(found.learned, state, replace(change, reason=found.reason), incumbent=in_force.version)
    record = replace(record, incumbent_score=found.judgement.incumbent_score)
    wanted = record.version if state == "promoted" else in_force.version
    return found, await _write(settings, models, [record], wanted)


async def roll_back(settings: Settings, change: Change, *, of: str | None = None, to: str | None = None) -> Written:
    """Take the model in force out for good; the one before it, or the version `to`, is in force then.

    `of` names the model that is meant: where somebody has rolled it back already nothing is written.

    Raises:
        ModelRefused: no model is in force, or another one than `of`, or `to` can't be.
        BadModel: `to` is damaged or made for other features.
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    models = await read_models(settings)
    now = models.now().version
    if of is not None and of != now:
        if find_model(models, of).state != "rolled_back":
            raise ModelRefused(f"{of} is not in force, {now} is: nothing was rolled back")
        return Written(to or now, now)
    current = models.find(now)
    if current is None or current.version == BUILT_IN.version:
        raise ModelRefused("The built-in weights are in force: there is no model to roll back")
    out = changed(current, "rolled_back", change)
    before = models.before().version
    if to is None or to == before:
        return await _write(settings, models, [out], before)
    return await _write(settings, models, [out, _promoted(models, to, change, anyway=False)], to)


async def promote(settings: Settings, version: str, change: Change, *, anyway: bool) -> Written:
    """Put a version that was in force before into force again; with `anyway` one that was refused or rolled back too.

    Raises:
        ModelRefused: there is no such version, it is in force, or it may not be without `anyway`.
        BadModel: it is damaged or made for other features.
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    models = await read_models(settings)
    if models.now().version == version:
        raise ModelRefused(f"{version} is in force already")
    return await _write(settings, models, [_promoted(models, version, change, anyway=anyway)], version)


def check_unchanged(models: QualityModels, judged_against: str) -> None:
    """Check that what a model was judged against is in force.

    Raises:
        ModelRefused: another one is by now.
    """
    if models.now().version != judged_against:
        raise ModelRefused(
            f"{models.now().version} came into force meanwhile, and this one was judged against {judged_against}; "
            "train again"
        )


def record_of(learned: Learned, state: ModelState, change: Change, *, incumbent: str) -> QualityModel:
    """Return the record of what was learned."""
    version = BUILT_IN.version if learned == BUILT_IN_LEARNED else learned.version
    return QualityModel(
        event_id=derived_id("quality model", version, state, change.at.isoformat(), change.requested_by),
        occurred_at=change.at,
        version=version,
        state=state,
        weights=learned.weights,
        threshold_shift=learned.threshold_shift,
        trained_posts=learned.trained_posts,
        simulated_posts=learned.simulated_posts,
        holdout_posts=learned.holdout_posts,
        holdout_score=learned.holdout_score,
        incumbent_version=incumbent,
        incumbent_score=None,
        requested_by=change.requested_by,
        reason=change.reason,
        checksum=learned.checksum,
    )


def changed(record: QualityModel, state: ModelState, change: Change) -> QualityModel:
    """Return a model in another state; what it was judged against stays."""
    other = record_of(learned_in(record), state, change, incumbent=record.incumbent_version or BUILT_IN.version)
    return replace(other, version=record.version, incumbent_score=record.incumbent_score, checksum=record.checksum)


def _promoted(models: QualityModels, version: str, change: Change, *, anyway: bool) -> QualityModel:
    if version == BUILT_IN.version:
        return record_of(BUILT_IN_LEARNED, "promoted", replace(change, reason=None), incumbent=models.now().version)
    record = find_model(models, version)
    usable_weights(record)
    if record.state != "promoted" and not anyway:
        done = "rolled back" if record.state == "rolled_back" else "refused"
        raise ModelRefused(
            f"{version} was {done} by {record.requested_by}: {record.reason or 'no reason given'}. To have it all the "
            f"same: `threads-agent learning quality promote {version} --anyway`"
        )
    return changed(record, "promoted", replace(change, reason=None))


async def _write(settings: Settings, looked_at: QualityModels, records: Sequence[QualityModel], wanted: str) -> Written:
    cluster = Cluster.of(settings)
    async with EventProducer(cluster, cluster.open_registry()) as producer:
        await producer.append_all([Output(TOPIC.name, each) for each in records])
    after = await read_models(settings)
    seen = {each.event_id for each in (*looked_at.known(), *records)}
    meanwhile = [each for each in after.known() if each.event_id not in seen]
    return Written(wanted, after.now().version, meanwhile)
