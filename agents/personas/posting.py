"""The posting plan of a persona: when it posts, what has to be approved, and how it is told to the platform."""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from agents.personas.later import LATER

_DAYS_AROUND = range(-1, 3)
"""Local days looked at: a slot moved by a gap can fall on the next day, one of tomorrow can be over in a fold."""

MINUTES_OF_A_DAY = 24 * 60
MAX_MINUTES = 7 * MINUTES_OF_A_DAY
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_FORBIDDEN_IN_TAGS = ".&"
_MAX_TAG_LENGTH = 50

Slot = Annotated[str, StringConstraints(pattern=rf"^{_TIME}$")]


def _shaped(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(f"{_TIME}-{_TIME}", value):
        raise ValueError("is no span of the day; write it as HH:MM-HH:MM, such as 22:00-06:30")
    return value


Quiet = Annotated[str, StringConstraints(pattern=rf"^{_TIME}-{_TIME}$"), BeforeValidator(_shaped)]
Approval = Literal["auto", "approve", "hold"]
Missed = Literal["publish", "next_slot", "expire"]
ReplyControl = Literal["everyone", "accounts_you_follow", "mentioned_only", "parent_post_author_only", "followers_only"]
"""Who may reply, in the words of the Threads API."""


class PostingPlan(BaseModel):
    """When and how a persona posts; times of day are those of the clock in its time zone of the IANA database.

    Without slots it has no times of its own: a post is due when it is approved.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str = "UTC"
    slots: tuple[Slot, ...] = ()
    approval: Annotated[Approval, LATER] = Field(
        "auto",
        description="auto publishes what the pipeline accepts, approve only what somebody approved, hold nothing.",
    )
    spacing_min: Annotated[int, LATER] = Field(
        0, ge=0, le=MAX_MINUTES, description="Least number of minutes between two posts that are due."
    )
    quiet: Annotated[tuple[Quiet, ...], LATER] = Field(
        (), description="Hours in which nothing is published, such as 22:00-06:30; they may cross midnight."
    )
    missed: Annotated[Missed, LATER] = Field(
        "publish",
        description="What becomes of a post that is late, as no worker ran: it is published, waits for the next slot, "
        "or expires.",
    )
    missed_after_min: Annotated[int, LATER] = Field(
        60, ge=1, le=MAX_MINUTES, description="Minutes after which a post that was due is late."
    )
    reply_control: Annotated[ReplyControl | None, LATER] = Field(
        None, description="Who may reply; null leaves it to the platform."
    )
    topic_tag: Annotated[str | None, LATER] = Field(
        None, description="Topic tag of the posts, without #; null for none."
    )

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

    @field_validator("quiet")
    @classmethod
    def _leaves_time(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for text in value:
            start, end = text.split("-")
            if start == end:
                raise ValueError(f"{text} ends where it begins; to publish nothing at all say approval: hold")
        if all(_is_within(minute, value) for minute in range(MINUTES_OF_A_DAY)):
            raise ValueError("leave no minute of the day; shorten them, or say approval: hold to publish nothing")
        silent = [slot for slot in info.data.get("slots", ()) if _is_within(_minute(slot), value)]
        if silent:
            raise ValueError(f"hold the slot(s) {', '.join(silent)}; move these slots, or shorten the quiet hours")
        return value

    @field_validator("topic_tag")
    @classmethod
    def _is_a_tag(cls, value: str | None) -> str | None:
        return None if value is None else checked_topic_tag(value)

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

    def quiet_for(self, at: datetime) -> timedelta | None:
        """Return how far the clock, which shows `at` in any zone, is from the end of the quiet hours; None outside."""
        shown = at.astimezone(ZoneInfo(self.timezone))
        minute, past = shown.hour * 60 + shown.minute, timedelta(seconds=shown.second, microseconds=shown.microsecond)
        left = [_left(minute, text) for text in self.quiet]
        longest = max((each for each in left if each is not None), default=None)
        return None if longest is None else timedelta(minutes=longest) - past


def checked_topic_tag(value: str) -> str:
    """Return a topic tag as it is.

    Raises:
        ValueError: Threads would refuse it (its documentation: 1 to 50 characters without period and ampersand).
    """
    if value.startswith("#"):
        raise ValueError(f"{value!r} begins with #; leave it out, it is added by the platform")
    if not 1 <= len(value) <= _MAX_TAG_LENGTH or value != value.strip() or not value.isprintable():
        raise ValueError(f"{value!r} is no topic tag; write 1 to 50 characters on one line, no blank around them")
    found = sorted({each for each in value if each in _FORBIDDEN_IN_TAGS})
    if found:
        raise ValueError(f"{value!r} holds {' and '.join(found)}, which no topic tag may; leave it out")
    return value


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _left(minute: int, quiet: str) -> int | None:
    """Return the minutes from a minute of the day to the end of quiet hours; None where it is not within."""
    start, end = (_minute(each) for each in quiet.split("-"))
    length, into = (end - start) % MINUTES_OF_A_DAY, (minute - start) % MINUTES_OF_A_DAY
    return length - into if into < length else None


def _is_within(minute: int, quiet: tuple[str, ...]) -> bool:
    return any(_left(minute, text) is not None for text in quiet)
