"""Moments as commands take them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHORTEST_MS = len("20261122") + 1  # digits; fewer are a date


class Moment(click.ParamType):
    """ISO 8601 (UTC where it names no zone) or milliseconds since the epoch; gives a datetime in UTC."""

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment, or end the command with a usage error."""
        if isinstance(value, datetime):
            return value
        try:
            if value.isdigit() and len(value) >= SHORTEST_MS:
                return EPOCH + timedelta(milliseconds=int(value))
            moment = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(
                f"expected ISO 8601 such as 2026-03-01T12:00:00Z, or epoch milliseconds; got {value!r}", param, ctx
            )
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


class EpochMs(click.ParamType):
    """The same; gives milliseconds since the epoch, as the broker counts."""

    name = "time"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the milliseconds, or end the command with a usage error."""
        if isinstance(value, int):
            return value
        return round(MOMENT.convert(value, param, ctx).timestamp() * 1000)


MOMENT = Moment()
EPOCH_MS = EpochMs()
