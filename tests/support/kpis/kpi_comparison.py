"""The comparison of what a group has told last with the reference, once everything is processed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from schemas.records import KpiUpdate
from tests.support.kpis import kpi_reference as reference
from tests.support.kpis.kpi_group import KpiGroup
from tests.support.kpis.kpi_reference import EPOCH, HOUR_MS, WINDOWS, Logged

FLOAT_TOLERANCE = 1e-12  # of ratios, which may be rounded in another order


def differences(group: KpiGroup) -> list[str]:
    """Return all that is not as the log demands: what was told, what was refused, and what is committed."""
    return [*_of_updates(group), *_of_letters(group), *_of_commits(group)]


def _of_updates(group: KpiGroup) -> Iterator[str]:
    counting: dict[str, list[Logged]] = defaultdict(list)
    for each in reference.once(group.log, group.horizon):
        counting[each.event.persona_id].append(each)
    told = {(update.persona_id, update.window): update for update in group.told()}
    demanded = {(persona, window) for persona in counting for window in WINDOWS}
    for persona, window in sorted(demanded ^ told.keys()):
        yield f"{window} of {persona} was {'not ' * ((persona, window) in demanded)}told"
    for persona, window in sorted(demanded & told.keys()):
        for found in _of_update(told[persona, window], counting[persona], group.now_ms):
            yield f"{window} of {persona}: {found}"


def _of_update(update: KpiUpdate, log: Sequence[Logged], now_ms: int) -> Iterator[str]:
    expected = {**reference.figures(log, update.window, now_ms), "revenue_projection_monthly_micros": None}
    told_ms = (update.window_end - EPOCH) // timedelta(milliseconds=1)
    if update.window == reference.LONGEST:
        projection = expected["revenue_projection_monthly_micros"] = reference.projection(log, told_ms, now_ms)
        if projection != reference.projection(log, now_ms, now_ms) and now_ms - told_ms >= HOUR_MS:
            yield f"the projection moves with the clock, but was told {(now_ms - told_ms) / HOUR_MS:.2f} h ago"
    for name, figure in expected.items():
        if not _same(getattr(update, name), figure):
            yield f"{name} is {getattr(update, name)}, expected {figure}"
    least, greatest = reference.late_events(log) if update.window == "lifetime" else (0, 0)
    if not least <= update.late_events <= greatest:
        yield f"late_events is {update.late_events}, expected {least} to {greatest}"
    bounds = (update.window_start, update.window_end, update.occurred_at)
    if told_ms > now_ms or bounds != (_start(update.window, told_ms), update.window_end, update.window_end):
        yield f"start, end and moment of the update are {bounds} at {now_ms}"


def _start(window: str, told_ms: int) -> datetime | None:
    if window == "lifetime":
        return None
    return EPOCH + timedelta(milliseconds=reference.bounds(window, told_ms)[0])


def _same(figure: float | None, expected: float | None) -> bool:
    if isinstance(figure, float) and isinstance(expected, float):
        return math.isclose(figure, expected, rel_tol=FLOAT_TOLERANCE)
    return figure == expected


def _of_letters(group: KpiGroup) -> Iterator[str]:
    for source, offset in sorted(group.letters() ^ group.refused):
        yield f"{source.topic}/{source.partition}@{offset} is a dead letter or a refused record, and not both"


def _of_commits(group: KpiGroup) -> Iterator[str]:
    for surroundings in (group.fold, group.merge):
        ends = {source: log[-1].offset + 1 for source, log in surroundings.log.items() if log}
        if surroundings.committed != ends:
            yield f"committed is {surroundings.committed}, expected {ends}"
