"""The posting plan: the local times of day at which a persona posts, and which of them comes next."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator

_DAYS_AROUND = range(-1, 3)
"""Local days looked at: a slot moved by a gap can fall on the next day, one of tomorrow can be over in a fold."""

Slot = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class PostingPlan(BaseModel):
    """Times of day in a time zone of the IANA database; without slots a persona has no plan of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str = "UTC"
    slots: tuple[Slot, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of zones, such as "Europe"
            near = difflib.get_close_matches(value, sorted(available_timezones()), n=1)
            example = f"did you mean {near[0]}?" if near else "write one such as Europe/Berlin or UTC"
            raise ValueError(f"is no time zone of the IANA database; {example}") from None
        return value

    @field_validator("slots")
    @classmethod
    def _in_order(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for earlier, later in pairwise(value):
            if earlier == later:
                raise ValueError(f"names {later} twice; name each time once")
            if earlier > later:
                raise ValueError(f"{later} stands behind {earlier}; list the times in order")
        return value

    def next_slot(self, after: datetime) -> datetime | None:
        """Return the first slot later than `after`, in UTC; None where the plan has no slots.

        A time that a change of the clocks leaves out comes as much later as the clocks jump (02:30 becomes 03:30), one
        that comes twice is the first of the two (RFC 5545, section 3.3.5): each slot is one instant a day.

        Raises:
            ValueError: `after` has no time zone.
        """
        if after.tzinfo is None:
            raise ValueError(f"expected a time with a zone, got {after.isoformat()}; give it in UTC")
        zone = ZoneInfo(self.timezone)
        today = after.astimezone(zone).date()
        instants = [
            datetime.combine(today + timedelta(days=days), time.fromisoformat(slot), zone).astimezone(UTC)
            for days in _DAYS_AROUND
            for slot in self.slots
        ]
        return min((each for each in instants if each > after), default=None)
