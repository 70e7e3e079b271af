"""Positions in the logs of topics as text: the id of an event, by which a reader resumes.

`topic~log~offset~offset` for each topic, `~~` between topics: characters that names of topics, headers and query
strings have no other use for. The log is the beginning of its topic's id, which a topic that is made again does not
keep; the offsets are the next ones of partitions 0, 1, 2 and so on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streams.errors import ThreadsError

LOG_ID_CHARACTERS = 12  # 48 bits: that two topics of one name agree in them by chance, nobody will see
MAX_TEXT = 16_384
_OFFSETS = r"(?:~\d{1,19})*"
_UNKNOWN = "-"
_TOPIC = re.compile(rf"([A-Za-z0-9._-]{{1,249}})~([0-9a-f]{{1,{LOG_ID_CHARACTERS}}}|{_UNKNOWN})({_OFFSETS})", re.ASCII)
_ADVICE = "send the id of the last event as it came, or none to begin at what comes next"


class PositionFault(ThreadsError):
    """A text holds no positions: it was not made here, or was cut off."""


@dataclass(frozen=True, slots=True)
class LogPosition:
    """Which log of a topic, "" where the broker does not tell, and the next offset of each of its partitions."""

    log_id: str
    offsets: tuple[int, ...]

    def is_of(self, log_id: str) -> bool:
        """Tell whether it counts in this log, as far as both are known."""
        return not (self.log_id and log_id) or self.log_id == log_id


def log_id_of(topic_id: str | None) -> str:
    """Return how positions name a log."""
    return (topic_id or "")[:LOG_ID_CHARACTERS]


def topic_text(topic: str, log_id: str, offsets: Iterable[int]) -> str:
    """Return the position in one topic as text."""
    return "~".join((topic, log_id or _UNKNOWN, *map(str, offsets)))


def positions_text(positions: Mapping[str, LogPosition]) -> str:
    """Return positions as text that `positions_of` reads back."""
    return "~~".join(topic_text(topic, each.log_id, each.offsets) for topic, each in positions.items())


def positions_of(text: str) -> dict[str, LogPosition]:
    """Read positions.

    Raises:
        PositionFault: the text is none that `positions_text` wrote.
    """
    if len(text) > MAX_TEXT:
        raise PositionFault(f"expected positions of up to {MAX_TEXT} characters, got {len(text)}; {_ADVICE}")
    found: dict[str, LogPosition] = {}
    for part in text.split("~~") if text else ():
        match = _TOPIC.fullmatch(part)
        if match is None or match[1] in found:
            raise PositionFault(f"expected positions like kpi.updates~3fa4c1d29b01~12~40, got {part[:80]!r}; {_ADVICE}")
        log_id = "" if match[2] == _UNKNOWN else match[2]
        found[match[1]] = LogPosition(log_id, tuple(map(int, match[3].split("~")[1:])))
    return found
