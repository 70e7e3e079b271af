"""The kpis role: fold by source partition, merge by persona."""

from __future__ import annotations

from collections.abc import Sequence

from agents.kpis.fold import FoldStage
from agents.kpis.merge import MergeStage
from streams.engine.stage import AnyStage
from streams.role import Role
from streams.settings import Settings


def build(settings: Settings) -> Sequence[AnyStage]:
    return [FoldStage(settings.partitions), MergeStage()]


ROLE = Role("kpis", build)
