"""How posts began: what they brought in ten minutes, an hour and a day, read from PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from streams.endpoints import require_postgres
from streams.postgres_session import read_rows
from streams.settings import Settings

QUERY = Path(__file__).with_name("posts.sql").read_text(encoding="utf-8")
TIMEOUT_S = 60.0
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PostStart:
    """A post and its views in 10 minutes, an hour and a day, with the engagements of the day."""

    persona_id: str
    post_id: str
    published_at: datetime
    text: str
    simulated: bool
    views_10m: int
    views_1h: int
    views_1d: int
    engagements_1d: int

    def is_finished(self, now: datetime) -> bool:
        """Tell whether its first day is over."""
        return self.published_at + DAY <= now

    def views_at(self, minutes: int) -> int:
        """Return its views up to an age of 10 or 60 minutes."""
        return self.views_10m if minutes == 10 else self.views_1h  # noqa: PLR2004 - one of the two ages


async def read_post_starts(settings: Settings, persona_id: str | None, days: int) -> list[PostStart]:
    """Return the posts of the last days, the oldest first.

    Raises:
        Unavailable: PostgreSQL does not answer.
        SettingsError: there is none, or it has no such tables.
    """
    wanted = {"persona_id": persona_id, "days": days}
    return await read_rows(require_postgres(settings), QUERY, wanted, PostStart, TIMEOUT_S)
