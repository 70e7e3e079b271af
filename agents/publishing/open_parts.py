"""Open parts: what of all publications has not ended, what of it is in trouble, and when it is looked at again.

Pure: it is told states and the time. Who watches is outside of who publishes, and so are these rules.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from schemas.records import PostCommand, PostState, PublicationState
from streams.identity import derived_id

UNDER_WAY: tuple[PublicationState, ...] = ("container_created", "publishing", "unconfirmed")
OPEN_STATES: tuple[PublicationState, ...] = ("proposed", "approved", "scheduled", *UNDER_WAY)
ENDS: frozenset[PublicationState] = frozenset({"published", "failed", "cancelled", "expired", "deleted"})
MOST_ENDED = 50_000  # publications whose last states are remembered, so that one that is told again opens nothing
REQUESTED_BY = "posts-watchdog"

Kind = Literal["overdue", "stuck"]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a part may be late, how long it may be under way, and the longest pause between two heals."""

    overdue_after: timedelta
    stuck_after: timedelta
    longest_pause: timedelta


@dataclass(frozen=True, slots=True)
class Trouble:
    """A part that is late or does not get on, since when, and the number of its heal that is due, from 0."""

    kind: Kind
    state: PostState
    since: datetime
    heal: int

    @property
    def key(self) -> tuple[str, int]:
        """Return what part it is of."""
        return self.state.publication_id, self.state.part

    def reason(self, now: datetime) -> str:
        """Return what is wrong, in words."""
        seconds = (now - self.since).total_seconds()
        if self.kind == "stuck":
            return f"in {self.state.state} for {_spoken(seconds)}: see what has become of it"
        return f"due {self.since:%Y-%m-%d %H:%M:%S} UTC and still {self.state.state}: go on with it"

    def command(self, now: datetime) -> PostCommand:
        """Return the heal; two watchdogs that see the same have one id for it."""
        state = self.state
        return PostCommand(
            event_id=derived_id(
                "heal", state.publication_id, str(state.part), str(state.sequence), self.kind, str(self.heal)
            ),
            occurred_at=now,
            persona_id=state.persona_id,
            causation_id=state.event_id,
            kind="heal",
            publication_id=state.publication_id,
            draft_id=state.draft_id,
            platform=state.platform,
            reason=self.reason(now),
            requested_by=REQUESTED_BY,
        )


def _spoken(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


class OpenParts:
    """The newest state of every part of the publications that have not ended.

    Records may come twice and, after a replay, again: the greatest sequence of a part is its state.
    """

    def __init__(self) -> None:
        self._open: dict[str, dict[int, PostState]] = {}
        self._ended: OrderedDict[str, dict[int, PostState]] = OrderedDict()
        self.last_published_at: datetime | None = None

    def put(self, state: PostState) -> None:
        """Take a state over."""
        if state.state == "published":
            self.last_published_at = max(state.occurred_at, self.last_published_at or state.occurred_at)
        parts = self._open.pop(state.publication_id, None) or self._ended.pop(state.publication_id, {})
        known = parts.get(state.part)
        if known is None or known.sequence < state.sequence:
            parts[state.part] = state
        newest = max(parts.values(), key=lambda each: (each.occurred_at, each.sequence))
        if sum(each.state in ENDS for each in parts.values()) >= newest.parts:
            self._ended[state.publication_id] = parts
            if len(self._ended) > MOST_ENDED:
                self._ended.popitem(last=False)
        else:
            self._open[state.publication_id] = parts

    def by_state(self) -> Mapping[PublicationState, int]:
        """Return how many parts that have not ended are in each state."""
        return Counter(each.state for parts in self._open.values() for each in parts.values() if each.state not in ENDS)

    def troubles(self, now: datetime, patience: Patience) -> Iterator[Trouble]:
        """Yield what is late or does not get on.

        Of a thread that is the first part that is not there yet: the others wait for it, and for good where it failed.
        What is proposed or approved only may be held by its persona's plan, and is not late.
        """
        for parts in self._open.values():
            found = _trouble_of(parts, now, patience)
            if found is not None:
                yield found


def _trouble_of(parts: Mapping[int, PostState], now: datetime, patience: Patience) -> Trouble | None:
    before: PostState | None = None
    for number in sorted(parts):
        part = parts[number]
        if part.state not in ENDS:
            return _trouble(part, before, now, patience)
        if part.state != "published":
            return None
        before = part
    return None


def _trouble(part: PostState, before: PostState | None, now: datetime, patience: Patience) -> Trouble | None:
    """Return what is wrong with a part, of which the one before is published, or which is the first."""
    kind: Kind
    if part.state in UNDER_WAY:
        kind, allowed, since = "stuck", patience.stuck_after, part.occurred_at
        if part.state == "container_created" and part.due_at is not None:  # made ahead of time
            since = max(since, part.due_at)
    elif part.state == "scheduled" and part.due_at is not None:
        kind, allowed, since = "overdue", patience.overdue_after, part.due_at
        if before is not None:
            since = max(since, before.occurred_at)
    else:
        return None
    late = now - since - allowed
    if late < timedelta():
        return None
    return Trouble(kind, part, since, heal_due(late, allowed, patience.longest_pause))


def heal_due(late: timedelta, first_pause: timedelta, longest_pause: timedelta) -> int:
    """Return the number of the heal that is due this late: 0 at once, then after pauses that double up to the longest.

    It follows from the time alone, so that watchdogs that know nothing of each other number them alike.
    """
    number, at, pause = 0, timedelta(), min(first_pause, longest_pause)
    while pause < longest_pause and at + pause <= late:
        at, number = at + pause, number + 1
        pause = min(2 * pause, longest_pause)
    return number + (late - at) // longest_pause if pause >= longest_pause else number
