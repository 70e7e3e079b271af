"""The book of publications: what posts.states and posts.commands tell of each, for people who look and ask."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, Self, get_args

from agents.publishing.approval import Reviews, content_digest
from agents.publishing.asking.refusals import refusal, state_of_all
from agents.publishing.identity import publication_of_draft
from schemas.catalogue import topic_named
from schemas.records import PostCommand, PostState, PublicationState
from streams.errors import ThreadsError
from streams.kafka.cluster import Cluster
from streams.kafka.tailed_table import Tail, TailedTable
from streams.kafka.topic_tail import WHOLE, Beginning, TopicTail, Wanted
from streams.settings import Settings

REACH: Final = 50_000  # records of a partition that are looked at where all publications are wanted
LATE_AFTER: Final = timedelta(minutes=10)
"""A post that is not published so long after it was due, or whose call has no outcome for so long, is in trouble."""

Progress = Literal[
    "rejected",
    "waits",
    "approved",
    "planned",
    "due",
    "overdue",
    "under way",
    "stuck",
    "published",
    "failed",
    "cancelled",
    "expired",
    "deleted",
]
PROGRESSES: tuple[Progress, ...] = get_args(Progress)
OPEN: Final = frozenset[Progress](("waits", "approved", "planned", "due", "overdue", "under way", "stuck"))


class UnknownPost(ThreadsError):
    """There is no publication of that id, or of a draft of that id."""


@dataclass(slots=True)
class SeenPost:
    """A publication as its topics tell it; `states` of all parts and `commands` in the order in which they came."""

    publication_id: str
    persona_id: str
    draft_id: str | None = None
    states: list[PostState] = field(default_factory=list)
    commands: list[PostCommand] = field(default_factory=list)

    @property
    def last(self) -> PostState | None:
        """Return the newest state of any part; None where nothing was told yet."""
        return max(self.states, key=lambda each: (each.occurred_at, each.sequence), default=None)

    def parts(self, until: datetime | None = None) -> list[PostState]:
        """Return the newest state of each part that there is to be, as of now or of a moment."""
        newest: dict[int, PostState] = {}
        for each in self.states:
            known = newest.get(each.part)
            if (until is None or each.occurred_at <= until) and (known is None or known.sequence < each.sequence):
                newest[each.part] = each
        last = max(newest.values(), key=lambda each: (each.occurred_at, each.sequence), default=None)
        return [newest[part] for part in sorted(newest) if last is not None and part < last.parts]

    @property
    def state(self) -> PublicationState | None:
        """Return the state of all parts together; None of a draft that was rejected."""
        return state_of_all([each.state for each in self.parts()])

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the texts of its parts now."""
        asked = next((each.texts for each in reversed(self.commands) if each.texts), ())
        return tuple(each.text for each in self.parts()) or asked

    @property
    def digest(self) -> str:
        """Return what an approval is of now."""
        last = self.last
        return content_digest(self.texts) if last is None else last.content_digest

    @property
    def proposal(self) -> PostCommand | None:
        """Return the command that proposed its draft; None where it has none, or none that is known."""
        return next((each for each in self.commands if each.kind == "propose"), None)

    @property
    def is_as_drafted(self) -> bool:
        """Tell whether its text is that of the draft, so that a review of the draft is one of it."""
        proposal = self.proposal
        return proposal is not None and content_digest(proposal.texts) == self.digest

    @property
    def reviews(self) -> Reviews:
        """Return the reviews that stand."""
        reviews = Reviews()
        for each in self.commands:
            if each.kind == "review" and each.content_digest is not None and each.decision is not None:
                reviews.put(each)
        return reviews

    def refusal_of(self, command: PostCommand, until: datetime | None = None) -> str | None:
        """Return why a command would have no effect now, or had none at a moment; None where nothing speaks against."""
        parts = self.parts(until)
        digest = parts[0].content_digest if parts else self.digest
        retryable = all(each.retryable for each in parts if each.state == "failed")
        return refusal(command, [each.state for each in parts], digest, retryable=retryable)

    def without_effect(self) -> Iterator[tuple[PostCommand, str]]:
        """Yield the commands of people that came to nothing, each with the reason."""
        causes = {each.causation_id for each in self.states}
        for each in self.commands:
            why = None if each.event_id in causes else self.refusal_of(each, each.occurred_at)
            if why is not None:
                yield each, why

    def progress(self, now: datetime) -> Progress:
        """Return how it gets on; rejected is what the pipeline or a review rejected, and a review can still accept."""
        current = next((each for each in self.parts() if each.state != "published"), None)
        if current is None:
            return "published" if self.states else "rejected" if self._is_rejected else "waits"
        match current.state:
            case "proposed":
                return "rejected" if self.reviews.decision(self.digest) == "rejected" else "waits"
            case "scheduled" | "container_created" if current.due_at is not None:
                late = now - max(current.due_at, current.occurred_at)
                return "planned" if now < current.due_at else "overdue" if late > LATE_AFTER else "due"
            case "scheduled" | "container_created":
                return "planned"
            case "publishing" | "unconfirmed":
                return "stuck" if now - current.occurred_at > LATE_AFTER else "under way"
            case "published" | "approved" | "failed" | "cancelled" | "expired" | "deleted":
                return current.state

    @property
    def _is_rejected(self) -> bool:
        return self.proposal is not None and self.proposal.decision == "rejected"


class OfIds:
    """Picks the records that name one of some ids; that of the draft is learned from the states."""

    def __init__(self, *ids: str) -> None:
        self._ids = {each.encode() for each in ids}

    def __call__(self, key: bytes | None, value: bytes) -> bool:
        """Tell whether one of the ids stands in a record."""
        del key
        return any(each in value for each in self._ids)

    def learn(self, state: PostState) -> None:
        """Pick what names the draft of a publication too: proposals and reviews name nothing else."""
        if state.draft_id is not None:
            self._ids.add(state.draft_id.encode())


class _States(TailedTable[PostState]):
    def __init__(
        self, tail: Tail[PostState], take: Callable[[PostState], None], monotonic: Callable[[], float]
    ) -> None:
        super().__init__(tail, monotonic)
        self._take_over = take

    def put(self, record: PostState) -> None:
        self._take_over(record)


class _Commands(TailedTable[PostCommand]):
    def __init__(
        self, tail: Tail[PostCommand], take: Callable[[PostCommand], None], monotonic: Callable[[], float]
    ) -> None:
        super().__init__(tail, monotonic)
        self._take_over = take

    def put(self, record: PostCommand) -> None:
        self._take_over(record)


class PostBook:
    """All publications that the latest records tell of, each record once, however often it comes."""

    def __init__(
        self,
        states: Tail[PostState],
        commands: Tail[PostCommand],
        of_ids: OfIds | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._of_ids = of_ids
        self._tables = (
            _States(states, self._take_state, monotonic),
            _Commands(commands, self._take_command, monotonic),
        )
        self._posts: dict[str, SeenPost] = {}
        self._known: set[str] = set()

    async def refresh(self) -> None:
        """Read what was appended since the last time, states first; raises `Unavailable` where Kafka is away."""
        for table in self._tables:
            await table.refresh()

    async def close(self) -> None:
        """Disconnect."""
        for table in self._tables:
            await table.close()

    async def __aenter__(self) -> Self:
        """Read what there is."""
        try:
            await self.refresh()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def has(self, event_id: str) -> bool:
        """Tell whether a state or a command of that id was read."""
        return event_id in self._known

    def find(self, either_id: str) -> SeenPost | None:
        """Return a publication by its id or that of its draft."""
        return self._posts.get(either_id) or self._posts.get(publication_of_draft(either_id))

    def require(self, either_id: str) -> SeenPost:
        """Return a publication by its id or that of its draft.

        Raises:
            UnknownPost: there is none.
        """
        found = self.find(either_id)
        if found is None or not (found.states or found.texts):
            raise UnknownPost(
                f"There is no publication {either_id!r}, nor one of such a draft; see `threads-agent posts list`. A "
                "draft has one soon after it was decided, where a worker runs the role publishing"
            )
        return found

    def __iter__(self) -> Iterator[SeenPost]:
        """Go through all publications of which more is known than a review."""
        return (each for each in self._posts.values() if each.states or each.texts)

    def _take_state(self, state: PostState) -> None:
        if state.event_id not in self._known:
            self._known.add(state.event_id)
            if self._of_ids is not None:
                self._of_ids.learn(state)
            self._post(state.publication_id, state.persona_id, state.draft_id).states.append(state)

    def _take_command(self, command: PostCommand) -> None:
        if command.event_id in self._known:
            return
        self._known.add(command.event_id)
        if command.publication_id or command.draft_id:
            publication_id = command.publication_id or publication_of_draft(command.draft_id or "")
            self._post(publication_id, command.persona_id, command.draft_id).commands.append(command)

    def _post(self, publication_id: str, persona_id: str, draft_id: str | None) -> SeenPost:
        found = self._posts.setdefault(publication_id, SeenPost(publication_id, persona_id))
        found.draft_id = found.draft_id or draft_id
        return found


def post_book(settings: Settings, persona_id: str | None = None) -> PostBook:
    """Return the book of a persona; without one that of all publications that the last `REACH` records tell of.

    Nothing is connected yet.

    Raises:
        SettingsError: there is no Kafka.
    """
    if persona_id is None:
        return _book(settings, Beginning(reach=REACH))
    own = persona_id.encode()
    return _book(settings, WHOLE, lambda key, _: key == own)


@asynccontextmanager
async def book_of(settings: Settings, either_id: str) -> AsyncIterator[PostBook]:
    """Read the book of one publication, by its id or that of its draft; it knows that one, if there is one at all.

    A rejected draft that is named by its publication's id stands in no record by that: then all are read.

    Raises:
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    of_ids = OfIds(either_id, publication_of_draft(either_id))
    async with _book(settings, WHOLE, of_ids) as book:
        if book.find(either_id) is not None:
            yield book
            return
    async with _book(settings, WHOLE) as book:
        yield book


def book_of_new(settings: Settings, publication_id: str) -> PostBook:
    """Return the book of a publication that is not asked for yet; nothing is connected yet.

    Raises:
        SettingsError: there is no Kafka.
    """
    return _book(settings, WHOLE, OfIds(publication_id))


def _book(settings: Settings, beginning: Beginning, wanted: Wanted | None = None) -> PostBook:
    cluster = Cluster.of(settings)
    registry = cluster.open_registry()
    states, commands = topic_named("posts.states"), topic_named("posts.commands")
    return PostBook(
        TopicTail(cluster, registry, {states: beginning}, PostState, wanted),
        TopicTail(cluster, registry, {commands: beginning}, PostCommand, wanted),
        wanted if isinstance(wanted, OfIds) else None,
    )
