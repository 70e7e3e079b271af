"""Boards: what a dashboard is before it becomes JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

Panel = Builder[dashboard.Panel]
Variable = Builder[dashboard.VariableModel]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard: `uid` is its address in Grafana and the name of its files, `rows` are its panels under their titles.

    `variables` are those that its queries name, beside that of the live page, which all have.
    """

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: Mapping[str, Callable[[], Iterable[Panel]]]
    since: str = "now-24h"
    refresh: str = "30s"
