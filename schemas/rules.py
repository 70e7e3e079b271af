"""Rules that a field's value must keep, each as a test of one record and as a Polars expression over a column."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from typing import Protocol

import polars as pl

from schemas.records import Record

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last moment a datetime can hold
SHOWN_LENGTH = 80
# Unicode's white space, which Polars strips; str.strip takes four control characters more, and both have to agree.
WHITE_SPACE = "".join(each for each in map(chr, range(0x3001)) if each.isspace() and each not in "\x1c\x1d\x1e\x1f")


class Rule(Protocol):
    """A promise about records. A null breaks no rule: the schema says where nulls are allowed."""

    @property
    def field(self) -> str:
        """Name the field whose value is shown when the rule is broken."""

    def breaks(self, record: Record) -> bool:
        """Tell whether the record breaks the rule."""

    def broken(self) -> pl.Expr:
        """Return the expression that is true in the rows that break it."""

    def wanted(self) -> str:
        """Complete "<field> must ..."."""


@dataclass(frozen=True, slots=True)
class NotBlank:
    """The text has something besides white space."""

    field: str

    def breaks(self, record: Record) -> bool:
        value = getattr(record, self.field)
        return value is not None and not value.strip(WHITE_SPACE)

    def broken(self) -> pl.Expr:
        return pl.col(self.field).str.strip_chars().str.len_bytes() == 0

    def wanted(self) -> str:
        return "not be blank"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The number is not below `least`, except in rows where one of `unless` (a field and its value each) holds.

    The message names the first exemption only: it is the one that producers in general need.
    """

    field: str
    least: int
    unless: tuple[tuple[str, str], ...] = ()

    def breaks(self, record: Record) -> bool:
        value = getattr(record, self.field)
        exempt = any(getattr(record, field) == exempted for field, exempted in self.unless)
        return value is not None and not exempt and value < self.least

    def broken(self) -> pl.Expr:
        below = pl.col(self.field) < self.least
        return reduce(lambda broken, pair: broken & (pl.col(pair[0]) != pair[1]), self.unless, below)

    def wanted(self) -> str:
        exemption = f" unless {self.unless[0][0]} is {self.unless[0][1]}" if self.unless else ""
        return f"be at least {self.least}{exemption}"


@dataclass(frozen=True, slots=True)
class AtMost:
    """The number is not above `most`."""

    field: str
    most: int

    def breaks(self, record: Record) -> bool:
        value = getattr(record, self.field)
        return value is not None and value > self.most

    def broken(self) -> pl.Expr:
        return pl.col(self.field) > self.most

    def wanted(self) -> str:
        return f"be at most {self.most:,}"


@dataclass(frozen=True, slots=True)
class PartOf:
    """The number is not above another field of the record, of which it is a part."""

    field: str
    whole: str

    def breaks(self, record: Record) -> bool:
        return bool(getattr(record, self.field) > getattr(record, self.whole))

    def broken(self) -> pl.Expr:
        return pl.col(self.field) > pl.col(self.whole)

    def wanted(self) -> str:
        return f"not be above {self.whole}, of which it is a part"


@dataclass(frozen=True, slots=True)
class SinceEpoch:
    """The moment lies between 1970 and 9999; in columns it is Int64 milliseconds."""

    field: str

    def breaks(self, record: Record) -> bool:
        value = getattr(record, self.field)
        return value is not None and value < EPOCH

    def broken(self) -> pl.Expr:
        return ~pl.col(self.field).is_between(0, LATEST_MS)

    def wanted(self) -> str:
        return "lie between 1970-01-01 and 9999-12-31, in milliseconds since 1970"


def shown(value: object) -> str:
    """Return a value for a message: short, moments as ISO 8601."""
    text = value.isoformat() if isinstance(value, datetime) else repr(value)
    return text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "..."
