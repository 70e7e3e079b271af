"""The mark in a partition's state: which log of its source topic the offsets in the state count in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self

MARK = b"\xfflog"  # stages have keys that begin with text, which no UTF-8 does so


@dataclass(frozen=True, slots=True)
class LogMark:
    """The id of a log, and its number among those that the state has seen: `life` 0 is the first."""

    log_id: str
    life: int = 0

    def followed_by(self, log_id: str) -> LogMark:
        """Return the mark of the log there is now: this one, or that of the next life."""
        return self if log_id == self.log_id else LogMark(log_id, self.life + 1)

    def encoded(self) -> bytes:
        return json.dumps({"log": self.log_id, "life": self.life}).encode()

    @classmethod
    def decoded(cls, value: bytes) -> Self:
        found = json.loads(value)
        return cls(str(found["log"]), int(found["life"]))
