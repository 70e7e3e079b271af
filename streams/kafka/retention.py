"""Retention: how long topics keep their records, by the catalogue and by the setting THREADS_RETENTION."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from schemas.catalogue import CATALOGUE, DAY_MS, FOREVER, Topic
from streams.settings import Settings

_SPAN = re.compile(r"(\d+)([dh])")
_UNIT_MS = {"d": DAY_MS, "h": DAY_MS // 24}
_FORM = "expected 90d, 720h or forever, for all topics or for one as TOPIC=90d, with commas between"
OFFERED = ("30d", "90d", "365d")


@dataclass(frozen=True, slots=True)
class Retentions:
    """What the setting says: `everywhere` of topics that the catalogue keeps for ever, `by_topic` of those named."""

    everywhere_ms: int = FOREVER
    by_topic: Mapping[str, int] = field(default_factory=dict)

    def of(self, topic: Topic) -> int:
        """Return how long a topic keeps its records, milliseconds or FOREVER."""
        if topic.why_fixed:
            return topic.retention_ms
        default = self.everywhere_ms if topic.retention_ms == FOREVER else topic.retention_ms
        return self.by_topic.get(topic.name, default)


def retention_of(topic: Topic, settings: Settings) -> int:
    """Return how long a topic keeps its records with these settings, milliseconds or FOREVER."""
    return parse_retention(settings.retention).of(topic)


@lru_cache(maxsize=16)
def parse_retention(text: str) -> Retentions:
    """Read the setting.

    Raises:
        ValueError: it is misspelt, or names a topic that does not exist or whose retention is fixed.
    """
    topics = {topic.name: topic for topic in CATALOGUE}
    everywhere: int | None = None
    by_topic: dict[str, int] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, equals, span = (each.strip() for each in part.rpartition("="))
        if not equals:
            if everywhere is not None:
                raise ValueError(f"{part!r} is the second for all topics; {_FORM}")
            everywhere = _span_ms(span)
        elif name not in topics:
            near = difflib.get_close_matches(name, topics, n=1)
            raise ValueError(f"there is no topic {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
        elif topics[name].why_fixed:
            raise ValueError(f"the retention of {name} is fixed: {topics[name].why_fixed}")
        elif name in by_topic:
            raise ValueError(f"{name} comes twice")
        else:
            by_topic[name] = _span_ms(span)
    return Retentions(FOREVER if everywhere is None else everywhere, by_topic)


def _span_ms(text: str) -> int:
    if text == "forever":
        return FOREVER
    match = _SPAN.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{text!r} is no time; {_FORM}")
    return int(match[1]) * _UNIT_MS[match[2]]


def span_text(retention_ms: int) -> str:
    """Return a retention as the setting has it."""
    if retention_ms == FOREVER:
        return "forever"
    days, rest = divmod(retention_ms, DAY_MS)
    return f"{days}d" if not rest else f"{retention_ms / _UNIT_MS['h']:g}h"
