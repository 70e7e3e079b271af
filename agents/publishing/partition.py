"""The publications of a partition of commands: what is known of each, when it is looked at, what is made durable."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from agents.publishing import publication as steps
from agents.publishing.identity import publication_of_draft
from agents.publishing.publication import REMEMBERED_COMMANDS, Publication
from agents.publishing.settings import PublishingSettings
from schemas.records import PostCommand
from streams.engine.batch import RowBatch, TopicPartition
from streams.engine.lanes import Lanes
from streams.engine.stage import Effects, LongPart, Output, Rejection
from streams.errors import RecordFault

logger = logging.getLogger(__name__)

STEADY_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEEPS_A_SLOT_FOR = timedelta(days=8)  # longer than the greatest spacing
LONGEST_WAIT_S = 600.0
WORKER_ENDED = "the worker ended during the call, or lost the partition: it is looked up whether the post is there"

Again = float | datetime | None
"""When a publication is looked at again: after seconds of the steady clock, at a time of the wall clock, or never."""


@dataclass(slots=True, eq=False)
class Job:
    """A publication that is to be looked at; `due_at` is on the steady clock.

    `is_by_wall`: what it waits for comes by the wall clock, so that it is looked at when that is set.
    """

    part: PartitionPublications
    publication_id: str
    lane: str
    due_at: datetime
    is_by_wall: bool = False
    is_void: bool = False
    is_under_way: bool = False
    again: bool = False


@dataclass(slots=True)
class PublishContext:
    """What partitions share. `steady` is a clock in seconds that nobody sets; an intent is good for `fence_s`."""

    lanes: Lanes[Job]
    wanted: PublishingSettings
    clock: Callable[[], datetime]
    steady: Callable[[], float]
    fence_s: float
    told: Counter[str] = field(default_factory=Counter)

    def steady_at(self, in_s: float) -> datetime:
        """Return a time of the steady clock, for the lanes."""
        return STEADY_EPOCH + timedelta(seconds=self.steady() + max(in_s, 0.0))


class PartitionPublications(LongPart[RowBatch[PostCommand]]):
    """All publications of a partition, and their changes since the last flush.

    A command is done when its effect is in the state: waiting stands there too, and holds up no offset. What is told is
    kept with the publication until the flush after, so that a crash between the state and its records tells it again.
    """

    def __init__(
        self,
        source: TopicPartition,
        state: Iterable[tuple[bytes, bytes]],
        context: PublishContext,
        on_leave: Callable[[TopicPartition], object],
    ) -> None:
        self.source = source
        self.asked_to_look: set[str] = set()
        self._context = context
        self._on_leave = on_leave
        self._book: dict[str, Publication] = {}
        self._slots: dict[str, dict[str, datetime]] = defaultdict(dict)
        self._posts: dict[str, str] = {}  # ids of posts, to that of their publication
        self._jobs: dict[str, Job] = {}
        self._dirty: dict[str, None] = {}
        self._dropped: set[str] = set()
        self._outputs: list[Output] = []
        self._intents: list[tuple[str, asyncio.Future[float]]] = []
        self._flushed: list[tuple[str, asyncio.Future[float]]] = []
        self._flushed_at_s = 0.0
        self._flush = 0
        self._is_held_back = False
        self._has_left = False
        self._restore(state)

    # the book

    def _restore(self, state: Iterable[tuple[bytes, bytes]]) -> None:
        found = steps.restored(state)
        self._flush = max((each.flush for each in found), default=0)
        now = self._context.clock()
        for each in found:
            is_to_be_told_again = each.flush == self._flush and bool(each.told)
            known = each if is_to_be_told_again else replace(each, told=())
            self._note(known)
            if is_to_be_told_again:
                self._dirty[known.publication_id] = None
        for each in found:
            known = self._book[each.publication_id]
            for index, part in enumerate(known.parts):
                if part.state == "publishing":
                    known = steps.in_doubt(known, index, now, WORKER_ENDED)
            self.put(known)
            if not known.is_ended:
                self.look(known.publication_id)

    def get(self, publication_id: str) -> Publication | None:
        """Return what is known of a publication now."""
        return self._book.get(publication_id)

    def __iter__(self) -> Iterator[Publication]:
        """Go through all publications."""
        return iter(self._book.values())

    def put(self, publication: Publication) -> None:
        """Take over a change; the next flush makes it durable."""
        if self._book.get(publication.publication_id) == publication:
            return
        self._note(publication)
        self._dirty[publication.publication_id] = None
        self._dropped.discard(publication.publication_id)

    def _note(self, publication: Publication) -> None:
        key, due_at = publication.publication_id, publication.due_at
        self._book[key] = publication
        slots = self._slots[publication.persona_id]
        slots.pop(key, None)
        if due_at is not None and any(
            part.state in {"scheduled", "container_created", "publishing", "unconfirmed", "published"}
            for part in publication.parts
        ):
            slots[key] = due_at
        self._posts.update((part.post_id, key) for part in publication.parts if part.post_id is not None)

    def forget(self, publication_id: str) -> None:
        """Let go of a publication for good."""
        known = self._book.pop(publication_id)
        self._slots[known.persona_id].pop(publication_id, None)
        for part in known.parts:
            self._posts.pop(part.post_id or "", None)
        self._dirty.pop(publication_id, None)
        self._dropped.add(publication_id)

    def forget_old(self, now: datetime) -> None:
        """Let go of what ended so long ago that no draft of that time is published any more."""
        oldest = now - timedelta(days=self._context.wanted.publish_remember_days)
        for each in list(self._book.values()):
            if each.is_ended and each.ended_at is not None and each.ended_at < oldest:
                self.forget(each.publication_id)

    @property
    def posts(self) -> Collection[str]:
        """Return the ids of all posts that are known: none of them is that of another part of the same text."""
        return self._posts.keys()

    def taken(self, publication: Publication, now: datetime) -> list[datetime]:
        """Return when the other publications of a persona are due, or were lately."""
        slots = self._slots[publication.persona_id]
        for key in [key for key, at in slots.items() if at < now - KEEPS_A_SLOT_FOR]:
            del slots[key]
        return [at for key, at in slots.items() if key != publication.publication_id]

    def reserved(self, account_id: str) -> int:
        """Return how many posts of an account may be there without anybody knowing."""
        return sum(each.is_unresolved() for each in self._book.values() if each.account_id == account_id)

    def emit(self, output: Output) -> None:
        """Append a record with the next checkpoint."""
        self._outputs.append(output)

    # looks

    def look(self, publication_id: str, in_s: float = 0.0, *, is_by_wall: bool = False) -> None:
        """Look at a publication after some seconds of the steady clock, in place of any later or earlier look."""
        job = self._jobs.get(publication_id)
        if job is not None and job.is_under_way:
            job.again = True
            return
        if job is not None:
            job.is_void = True
        known = self._book[publication_id]
        lane = known.account_id or known.persona_id
        due_at = self._context.steady_at(min(in_s, LONGEST_WAIT_S))
        self._jobs[publication_id] = made = Job(self, publication_id, lane, due_at, is_by_wall)
        self._context.lanes.put(made)

    def looked(self, job: Job, again: Again) -> None:
        """Take note of the end of a look, and of when the next one is due."""
        if job.is_void:
            return
        job.is_under_way = False
        del self._jobs[job.publication_id]
        if job.publication_id not in self._book:
            return
        if job.again:
            self.look(job.publication_id)
        elif isinstance(again, datetime):
            left_s = (again - self._context.clock()).total_seconds()
            self.look(job.publication_id, left_s, is_by_wall=True)
        elif again is not None:
            self.look(job.publication_id, again)

    def look_at_what_is_due(self) -> None:
        """Look at all that waits for a time of day: the wall clock was set."""
        for publication_id, job in list(self._jobs.items()):
            if job.is_by_wall and not job.is_under_way:
                self.look(publication_id)

    # commands

    async def add(self, batch: RowBatch[PostCommand]) -> Sequence[Rejection]:
        """Take over commands; refuse those that do not say what they ask for."""
        refused: list[Rejection] = []
        for row in batch.rows:
            try:
                self._take(row.record, row.offset)
            except RecordFault as fault:
                refused.append(Rejection(row.offset, fault))
        return refused

    def _take(self, command: PostCommand, offset: int) -> None:
        for publication_id in self._meant(command):
            self._take_for(publication_id, command, offset)

    def _meant(self, command: PostCommand) -> list[str]:
        """Return the publications that a command is for; the platform names posts, as it knows no publications.

        Raises:
            RecordFault: it names none.
        """
        if command.publication_id:
            return [command.publication_id]
        if command.draft_id:
            return [publication_of_draft(command.draft_id)]
        if command.post_id is None:
            raise RecordFault(f"a {command.kind} names no publication_id, draft_id or post_id; give one of them")
        if command.post_id in self._posts:
            return [self._posts[command.post_id]]
        return [
            each.publication_id
            for each in self._book.values()
            if each.persona_id == command.persona_id and each.is_unresolved()
        ]

    def _take_for(self, publication_id: str, command: PostCommand, offset: int) -> None:
        before = self._book.get(publication_id)
        if before is not None and (offset <= before.offset or command.event_id in before.seen):
            return
        after = self._after(before, command, publication_id)
        if after is None:
            logger.warning("%s of publication %s has no effect: there is none", command.kind, publication_id)
            return
        if after is not before:
            after = (
                after
                if len(after.told) > (len(before.told) if before else 0)
                else replace(after, cause=command.event_id)
            )
        elif command.kind not in {"heal", "confirm", "propose"}:
            logger.warning(
                "%s of publication %s has no effect: it is %s", command.kind, publication_id, _states_of(after)
            )
        seen = (*after.seen, command.event_id)[-REMEMBERED_COMMANDS:]
        self.put(replace(after, offset=offset, seen=seen))
        if command.kind in {"heal", "confirm"}:
            self.asked_to_look.add(publication_id)
        self.look(publication_id)

    def _after(self, before: Publication | None, command: PostCommand, publication_id: str) -> Publication | None:
        now = self._context.clock()
        if command.kind in {"propose", "schedule"} and (before is None or not before.parts):
            return self._begun(before, command, publication_id, now)
        if command.kind == "review":
            known = before or Publication(publication_id, command.persona_id, proposed_at=command.occurred_at)
            return steps.reviewed(known, command, now)
        if before is None or command.kind == "propose":
            return before
        if command.kind == "confirm" and command.publication_id is None and not _is_surely_of(before, command):
            return before  # it is looked up
        if command.kind == "edit":
            _check_texts(command)
            return steps.edited(before, command, now)
        return _CHANGES[command.kind](before, command, now)

    def _begun(
        self, before: Publication | None, command: PostCommand, publication_id: str, now: datetime
    ) -> Publication | None:
        if not command.texts and command.kind == "schedule":
            return before
        _check_texts(command)
        if now - command.occurred_at > timedelta(days=self._context.wanted.publish_remember_days):
            logger.warning("Publication %s is not published: it was asked for %s", publication_id, command.occurred_at)
            return before
        by_person = command.kind == "schedule"
        made = steps.begun(command, publication_id, by_person=by_person)
        if before is not None:
            made = replace(made, reviews=before.reviews, seen=before.seen, flush=before.flush)
        made = steps.proposed(made, command, now)
        return made if by_person else steps.too_old(made, now, self._context.wanted.publish_within_h)

    # acts

    async def intent_is_durable(self, publication_id: str) -> bool:
        """Wait until what is known of a publication now is durable, and recently enough to act upon it.

        False where nothing may be begun any more: the partition goes, or the worker is about to end.
        """
        while not (self._has_left or self._is_held_back):
            durable: asyncio.Future[float] = asyncio.get_running_loop().create_future()
            self._intents.append((publication_id, durable))
            self._dirty[publication_id] = None
            good_until_s = await durable
            if self._context.steady() < good_until_s:
                return True
        return False

    def hold_back(self) -> None:
        """Begin no act that can't be taken back."""
        self._is_held_back = True
        self._let_go(self._intents)

    def go_on(self) -> None:
        """Begin acts again."""
        self._is_held_back = False

    def durable(self) -> None:
        intents, self._flushed = self._flushed, []
        if self._is_held_back or self._has_left:
            self._let_go(intents)
            return
        good_until_s = self._flushed_at_s + self._context.fence_s
        for _, durable in intents:
            if not durable.done():
                durable.set_result(good_until_s)

    def _let_go(self, intents: list[tuple[str, asyncio.Future[float]]]) -> None:
        for _, durable in intents:
            if not durable.done():
                durable.set_result(float("-inf"))
        intents.clear()

    # checkpoints

    @property
    def has_effects(self) -> bool:
        """Tell whether there is something to make durable."""
        return bool(self._dirty or self._dropped or self._outputs)

    def flush(self) -> Effects:
        self._flushed_at_s = self._context.steady()
        effects = Effects(outputs=[*self._outputs])
        self._outputs = []
        if self._dirty:
            self._flush += 1
        for key in self._dirty:  # those told again come first: whoever finds what follows finds them too
            known = replace(self._book[key], flush=self._flush)
            effects.changes.append(steps.kept(known))
            effects.outputs += steps.outputs_of(known)
            self._context.told.update(told.state for told in known.told)
            self._book[key] = replace(known, told=())
        effects.changes += [(key.encode(), None) for key in sorted(self._dropped)]
        self._dirty, self._dropped = {}, set()
        self._flushed, self._intents = [*self._flushed, *self._intents], []
        return effects

    def unfinished(self) -> int | None:
        return None

    async def leave(self) -> None:
        """Give the partition up: its next owner goes on from what is kept."""
        self._has_left = True
        for job in self._jobs.values():
            job.is_void = True
        self._let_go(self._intents)
        self._let_go(self._flushed)
        self._on_leave(self.source)


def _is_surely_of(publication: Publication, command: PostCommand) -> bool:
    """Tell whether a post that the platform told of, by its text, is that of the part whose outcome is open."""
    index = publication.current
    if index is None or len(command.texts) != 1:
        return False
    return command.texts[0].split() == publication.parts[index].text.split()


def _check_texts(command: PostCommand) -> None:
    if not command.texts:
        raise RecordFault(f"a {command.kind} has no texts; give the text of each part")


def _healed(publication: Publication, command: PostCommand, now: datetime) -> Publication:
    del command, now
    return publication


_CHANGES: dict[str, Callable[[Publication, PostCommand, datetime], Publication]] = {
    "schedule": steps.timed,
    "cancel": steps.cancelled,
    "delete": steps.to_be_deleted,
    "retry": steps.retried,
    "confirm": steps.confirmed,
    "heal": _healed,
}


def _states_of(publication: Publication) -> str:
    return ", ".join(dict.fromkeys(part.state or "kept" for part in publication.parts)) or "not known"
