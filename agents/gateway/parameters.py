"""Parameters that routes share, and pages: lists by cursor."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from agents.gateway.auth.caller import ALL_TENANTS, Caller
from agents.gateway.problems import FieldProblem, Refused
from agents.gateway.state import Gateway

MOST_ITEMS = 500
USUAL_ITEMS = 50
MOST_CURSOR_LENGTH = 1_000

Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="How many items at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=MOST_CURSOR_LENGTH, description="`next_cursor` of the page before; none: the first page."),
]
Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A part of a list; `next_cursor` is null on the last page."""

    items: list[Item]
    next_cursor: str | None = Field(None, description="Give it as `cursor` for the next page.")


def page_of(found: Sequence[dict[str, Any]], limit: int, place: Callable[[dict[str, Any]], Sequence[Any]]) -> Any:  # noqa: ANN401 - goes out as JSON
    """Return the first `limit` of what was found, which is one more where there is a next page.

    `place` tells where an item stands in the order of the list, in JSON values: the statement goes on behind it.
    """
    items = list(found[:limit])
    more = len(found) > limit
    return {"items": items, "next_cursor": cursor_of(place(items[-1])) if more else None}


def cursor_of(place: Sequence[Any]) -> str:
    """Return the cursor of a place in a list."""
    text = json.dumps(list(place), separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """Return the place that a cursor names, None for the first page.

    Raises:
        Refused: it is none of ours, or one of another list.
    """
    if cursor is None:
        return None
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        place = None
    if isinstance(place, list) and [type(each) for each in place] == list(kinds):
        return tuple(place)
    raise bad_cursor()


MOST_ID_LENGTH = 1_000
WITHOUT_NUL = r"^[^\x00]*$"  # PostgreSQL's text holds none
Found = dict[str, Any]
Number = int | float


def without_nul(text: str) -> str:
    """Refuse a text that a topic would take and PostgreSQL would not."""
    if "\x00" in text:
        raise ValueError("holds a NUL character: leave it out")
    return text


PathId = Annotated[str, Path(min_length=1, max_length=MOST_ID_LENGTH, pattern=WITHOUT_NUL)]
PersonaParam = Annotated[
    str | None,
    Query(alias="persona", max_length=MOST_ID_LENGTH, pattern=WITHOUT_NUL, description="Only this persona."),
]
TextParam = Annotated[str | None, Query(max_length=MOST_ID_LENGTH, pattern=WITHOUT_NUL)]
Storable = Annotated[str, AfterValidator(without_nul)]
"""A text of a body that can be stored everywhere."""

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-22T09:30:15.250+00:00"])]
WindowName = Literal["1h", "24h", "7d", "30d", "lifetime"]


def _moment(given: object) -> object:
    """Take ISO 8601 alone, as the time of UTC where no offset is said; pydantic takes numbers of several units, too."""
    if not isinstance(given, str):
        raise ValueError("expected an ISO 8601 moment such as 2026-11-22T09:30:15Z, as text")  # noqa: TRY004
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise ValueError("expected an ISO 8601 moment such as 2026-11-22T09:30:15Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


GivenMoment = Annotated[datetime, BeforeValidator(_moment)]
SinceParam = Annotated[GivenMoment | None, Query(description="Only what is of this moment and later; ISO 8601.")]


class Ratio(BaseModel):
    """A ratio with what it is made of; the value is null where the denominator allows none."""

    value: Number | None
    numerator: Number | None
    denominator: Number | None


def example(status: int, value: object) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of what a route answers, by example."""
    return {status: {"content": {"application/json": {"example": value}}}}


def personas_shown(gateway: Gateway, caller: Caller, persona: str | None) -> list[str] | None:
    """Return the personas that a list is of, None for all there ever were: what a caller does not see is not in it."""
    if persona is not None:
        return [persona] if gateway.personas.visible(caller, persona) else []
    if caller.tenant == ALL_TENANTS:
        return None
    return [each.persona.persona_id for each in gateway.personas.seen_by(caller)]


def time_place(cursor: str | None) -> dict[str, object]:
    """Return where a page of a list by time, the newest first, begins: parameters `before_at` and `before_id`.

    Raises:
        Refused: the cursor is none of such a list.
    """
    place = place_of(cursor, str, str)
    if place is None:
        return {"before_at": None, "before_id": None}
    try:
        return {"before_at": datetime.fromisoformat(place[0]).astimezone(UTC), "before_id": storable(place[1])}
    except (ValueError, OverflowError) as error:
        raise bad_cursor() from error


def day_place(cursor: str | None) -> dict[str, object]:
    """Return where a page of a list of days begins: parameters `after_day` and `after_persona`; raises `Refused`."""
    place = place_of(cursor, str, str)
    if place is None:
        return {"after_day": None, "after_persona": None}
    try:
        return {"after_day": date.fromisoformat(place[0]), "after_persona": storable(place[1])}
    except ValueError as error:
        raise bad_cursor() from error


def storable(text: str) -> str:
    """Return a text of a cursor.

    Raises:
        ValueError: no cursor of ours has such a text: PostgreSQL would not take it.
    """
    text.encode()
    return without_nul(text)


def bad_cursor() -> Refused:
    """Return the refusal of a cursor that is none of a list."""
    problem = FieldProblem(pointer="?cursor", detail="expected `next_cursor` of this list, or no cursor")
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"{problem.pointer}: {problem.detail}", errors=[problem])


def iso(moment: datetime | None) -> str | None:
    """Return a moment as answers have it."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds")
