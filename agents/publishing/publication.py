"""A publication: the parts that become posts, the states that each goes through, and what of it is kept. Pure.

Every move is along `EDGES` and is told once, with a sequence that has no gap; `outputs_of` makes the records. Clocks
are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from agents.publishing.approval import Review, Reviews, ReviewState, content_digest
from schemas.records import Decision, PostCommand, PostPublished, PostState, PublicationState
from streams.engine.stage import Change, Output
from streams.identity import derived_id

STATES = "posts.states"
PUBLISHED = "posts.published"
DEFAULT_PLATFORM = "threads"
REMEMBERED_COMMANDS = 32

WAITING: frozenset[PublicationState | None] = frozenset({None, "proposed", "approved", "scheduled"})
BEFORE_THE_CALL: frozenset[PublicationState | None] = WAITING | {"container_created"}
UNRESOLVED: frozenset[PublicationState | None] = frozenset({"publishing", "unconfirmed"})
ENDS: frozenset[PublicationState | None] = frozenset({"published", "failed", "cancelled", "expired", "deleted"})
AT_THE_PLATFORM: frozenset[PublicationState | None] = UNRESOLVED | {"published", "deleted"}

EDGES: Mapping[PublicationState | None, frozenset[PublicationState]] = {
    None: frozenset({"proposed", "cancelled"}),
    "proposed": frozenset({"proposed", "approved", "cancelled", "expired"}),
    "approved": frozenset({"approved", "proposed", "scheduled", "failed", "cancelled", "expired"}),
    "scheduled": frozenset(
        {"scheduled", "proposed", "approved", "container_created", "failed", "cancelled", "expired"}
    ),
    "container_created": frozenset(
        {"container_created", "publishing", "scheduled", "proposed", "approved", "failed", "cancelled", "expired"}
    ),
    "publishing": frozenset({"published", "unconfirmed", "container_created", "scheduled", "failed"}),
    "unconfirmed": frozenset({"unconfirmed", "published", "publishing", "scheduled", "failed", "cancelled"}),
    "published": frozenset({"published", "deleted"}),
    "failed": frozenset({"proposed", "scheduled", "cancelled"}),
    "expired": frozenset({"proposed", "cancelled"}),
    "cancelled": frozenset({"proposed"}),  # of a part that an edit took away, and another brought back
    "deleted": frozenset(),
}
"""Where each state may lead; a state that leads to itself is told again with another reason or time."""


class ForbiddenMove(RuntimeError):
    """A part was about to go where its state does not lead: a fault of this program, and nothing was told."""


@dataclass(frozen=True, slots=True)
class Told:
    """A state that a part went into, as its record tells it."""

    part: int
    sequence: int
    state: PublicationState
    at: datetime
    text: str
    digest: str
    parts: int
    due_at: datetime | None
    account_id: str | None
    platform: str
    simulated: bool
    container_id: str | None
    post_id: str | None
    permalink: str | None
    attempt: int
    reason: str | None
    retryable: bool | None
    cause: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """A post of a publication; `state` None is one that nothing was told of yet.

    `tried` counts the calls to publish its present container, `attempt` those of all. `intent_at` is when the first of
    them was begun. `in_doubt`: one of them had no clear outcome, so that no other container may be published before
    it is proved that this one never will be. `containers` counts those that came to nothing. `is_left_out`: an edit
    made the thread shorter.
    """

    text: str
    state: PublicationState | None = None
    sequence: int = 0
    since: datetime | None = None
    reason: str | None = None
    retryable: bool | None = None
    container_id: str | None = None
    container_at: datetime | None = None
    containers: int = 0
    tried: int = 0
    attempt: int = 0
    intent_at: datetime | None = None
    in_doubt: bool = False
    post_id: str | None = None
    permalink: str | None = None
    published_at: datetime | None = None
    is_left_out: bool = False


@dataclass(frozen=True, slots=True)
class Publication:
    """What is to be published, as the state keeps it.

    `decision` is that on the draft, None where a person wrote the text. `wanted_at` is a time that a person chose,
    `due_at` the time that is in force. `cancel` and `delete` are the reasons of who asked for it, until that is done.
    `cause` is the command that the next state follows from. `told` are the states since the last flush; kept, they are
    those of flush `flush`. `offset` and `seen` say which commands it has had.
    """

    publication_id: str
    persona_id: str
    parts: tuple[Part, ...] = ()
    draft_id: str | None = None
    decision: Decision | None = None
    model: str | None = None
    platform: str | None = None
    account_id: str | None = None
    simulated: bool = False
    topic_tag: str | None = None
    reply_control: str | None = None
    link: str | None = None
    proposed_at: datetime | None = None
    wanted_at: datetime | None = None
    due_at: datetime | None = None
    ended_at: datetime | None = None
    cancel: str | None = None
    delete: str | None = None
    reviews: list[ReviewState] = field(default_factory=list)
    cause: str | None = None
    offset: int = -1
    seen: tuple[str, ...] = ()
    told: tuple[Told, ...] = ()
    flush: int = 0

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the texts of the parts that are to be there."""
        return tuple(part.text for part in self.parts if not part.is_left_out)

    @property
    def digest(self) -> str:
        """Return what an approval is of."""
        return content_digest(self.texts)

    @property
    def review(self) -> Review | None:
        """Return the review that stands for the present texts; None where there is none."""
        return Reviews(self.reviews).of(self.digest) if self.reviews else None

    @property
    def current(self) -> int | None:
        """Return the part that is to go on: the first that is not at an end; None where all are."""
        return next((index for index, part in enumerate(self.parts) if part.state not in ENDS), None)

    @property
    def is_ended(self) -> bool:
        """Tell whether nothing is to be done."""
        return bool(self.parts) and self.current is None and self.delete is None

    @property
    def has_begun(self) -> bool:
        """Tell whether something of it is at the platform, or may be."""
        return any(part.state in AT_THE_PLATFORM or part.tried for part in self.parts)

    def is_unresolved(self) -> bool:
        """Tell whether nobody knows of a part whether it is there."""
        return any(part.state in UNRESOLVED for part in self.parts)


_FORM = TypeAdapter(Publication)


def kept(publication: Publication) -> Change:
    """Return the change of state that keeps a publication."""
    return publication.publication_id.encode(), _FORM.dump_json(publication, exclude_defaults=True)


def restored(state: Iterable[tuple[bytes, bytes]]) -> list[Publication]:
    """Return the publications that a state keeps."""
    return [_FORM.validate_json(value) for _, value in state]


def anew(part: Part) -> Part:
    """Return a part with nothing handed over to the platform; how often that came to nothing is forgotten too."""
    return replace(without_container(part), containers=0)


def without_container(part: Part) -> Part:
    """Return a part with nothing handed over to the platform."""
    return replace(part, container_id=None, container_at=None, tried=0, in_doubt=False)


def _as_it_is(part: Part) -> Part:
    return part


def moved(
    publication: Publication,
    index: int,
    state: PublicationState,
    now: datetime,
    *,
    reason: str | None = None,
    cause: str | None = None,
    retryable: bool | None = None,
    change: Callable[[Part], Part] = _as_it_is,
) -> Publication:
    """Return it with a part in a state, which is told; `change` sets other fields of the part.

    Raises:
        ForbiddenMove: its state does not lead there.
    """
    part = publication.parts[index]
    if state not in EDGES[part.state]:
        raise ForbiddenMove(f"{publication.publication_id} part {index}: {part.state} does not lead to {state}")
    since = part.since if state == part.state else now
    part = replace(
        change(part), state=state, sequence=part.sequence + 1, since=since, reason=reason, retryable=retryable
    )
    parts = (*publication.parts[:index], part, *publication.parts[index + 1 :])
    changed = replace(publication, parts=parts, cause=None)
    told = Told(
        part=index,
        sequence=part.sequence,
        state=state,
        at=now,
        text=part.text,
        digest=changed.digest,
        parts=max(len(changed.texts), 1),
        due_at=changed.due_at,
        account_id=changed.account_id,
        platform=changed.platform or DEFAULT_PLATFORM,
        simulated=changed.simulated,
        container_id=part.container_id,
        post_id=part.post_id,
        permalink=part.permalink,
        attempt=part.attempt,
        reason=reason,
        retryable=retryable,
        cause=cause or publication.cause,
    )
    is_over = all(each.state in ENDS for each in parts)
    return replace(changed, told=(*changed.told, told), ended_at=now if is_over else None)


def all_moved(
    publication: Publication,
    state: PublicationState,
    now: datetime,
    which: Callable[[Part], bool],
    *,
    reason: str | None = None,
    cause: str | None = None,
    change: Callable[[Part], Part] = _as_it_is,
) -> Publication:
    """Return it with all parts of a kind in a state; one that says the same already is not told again."""
    for index, part in enumerate(publication.parts):
        if which(part) and not (part.state == state and part.reason == reason and change is _as_it_is):
            publication = moved(publication, index, state, now, reason=reason, cause=cause, change=change)
    return publication


def is_before_the_call(part: Part) -> bool:
    """Tell whether a part can still be changed or taken back."""
    return part.state in BEFORE_THE_CALL and not part.is_left_out


def without_containers(publication: Publication) -> Publication:
    """Return it with nothing handed over for parts that are proposed; those containers are never published."""
    parts = tuple(
        anew(part) if part.state == "proposed" and part.container_id is not None else part for part in publication.parts
    )
    return replace(publication, parts=parts)


def proved_absent(publication: Publication, index: int) -> Publication:
    """Return it with a part that is known not to be there, nor to come."""
    part = replace(publication.parts[index], in_doubt=False)
    return replace(publication, parts=(*publication.parts[:index], part, *publication.parts[index + 1 :]))


def uncounted(publication: Publication, index: int, before: Part) -> Publication:
    """Return it with the calls of a part counted as before one that was not begun."""
    part = replace(publication.parts[index], attempt=before.attempt, tried=before.tried, intent_at=before.intent_at)
    return replace(publication, parts=(*publication.parts[:index], part, *publication.parts[index + 1 :]))


# what commands do; each returns the publication as it was where it comes too late


def begun(command: PostCommand, publication_id: str, *, by_person: bool) -> Publication:
    """Return a publication that a command asks for, nothing told yet."""
    return Publication(
        publication_id=publication_id,
        persona_id=command.persona_id,
        parts=tuple(Part(text) for text in command.texts),
        draft_id=command.draft_id,
        decision=None if by_person else command.decision or "accepted",
        model=command.model,
        platform=command.platform,
        topic_tag=command.topic_tag,
        reply_control=command.reply_control,
        link=command.link,
        proposed_at=command.occurred_at,
        wanted_at=command.due_at,
    )


def proposed(publication: Publication, command: PostCommand, now: datetime) -> Publication:
    """Return it proposed; a draft that was rejected is kept for a review, and nothing is told of it."""
    if publication.decision == "rejected" and (publication.review is None or publication.review.decision == "rejected"):
        return publication
    return all_moved(publication, "proposed", now, lambda part: part.state is None, cause=command.event_id)


def reviewed(publication: Publication, command: PostCommand, now: datetime) -> Publication:
    """Return it with a review; of a draft that was rejected an accepting one makes a proposal."""
    reviews = Reviews(publication.reviews)
    reviews.put(command)
    return proposed(replace(publication, reviews=reviews.state()), command, now)


def edited(publication: Publication, command: PostCommand, now: datetime) -> Publication:
    """Return it with other texts, which nobody has approved but who wrote them, and that by writing."""
    states = {part.state for part in publication.parts if not part.is_left_out}
    if states & AT_THE_PLATFORM or states <= {"cancelled"}:
        return publication
    more = (Part("") for _ in range(len(command.texts) - len(publication.parts)))
    parts = tuple(
        replace(part, text=command.texts[index], is_left_out=False)
        if index < len(command.texts)
        else replace(part, is_left_out=True)
        for index, part in enumerate((*publication.parts, *more))
    )
    changed = replace(
        publication,
        parts=parts,
        decision=None,
        model=command.model,
        wanted_at=command.due_at or publication.wanted_at,
        due_at=None,
        link=command.link or publication.link,
        topic_tag=command.topic_tag or publication.topic_tag,
        reply_control=command.reply_control or publication.reply_control,
    )
    cause, why = command.event_id, command.reason
    changed = all_moved(changed, "proposed", now, _is_in, reason=why, cause=cause, change=anew)
    why = "an edit made the thread shorter"
    return all_moved(changed, "cancelled", now, _is_to_be_left_out, reason=why, cause=cause, change=anew)


def _is_in(part: Part) -> bool:
    return not part.is_left_out


def _is_to_be_left_out(part: Part) -> bool:
    return part.is_left_out and part.state != "cancelled"


def timed(publication: Publication, command: PostCommand, now: datetime) -> Publication:
    """Return it with another time, or none, so that the plan decides; one that expired is proposed again."""
    if publication.has_begun or all(part.state == "cancelled" for part in publication.parts):
        return publication
    changed = replace(publication, wanted_at=command.due_at, due_at=None)
    if any(part.state == "failed" for part in publication.parts):
        changed = retried(publication, command, now)
        return changed if changed is publication else replace(changed, wanted_at=command.due_at, due_at=None)
    return all_moved(
        changed, "proposed", now, lambda part: part.state == "expired", cause=command.event_id, change=anew
    )


def cancelled(publication: Publication, command: PostCommand, now: datetime) -> Publication:
    """Return it with all cancelled that is not at the platform; a part in doubt is once it is known not to be there."""
    why = command.reason or f"cancelled by {command.requested_by}"
    open_parts = {part.state for part in publication.parts} & BEFORE_THE_CALL - {None}
    if not open_parts and not publication.is_unresolved():
        return publication
    if publication.is_unresolved():
        publication = replace(publication, cancel=why)
    return all_moved(publication, "cancelled", now, _can_be_cancelled, reason=why, cause=command.event_id)


def _can_be_cancelled(part: Part) -> bool:
    return part.state is not None and is_before_the_call(part)


def to_be_deleted(publication: Publication, command: PostCommand, now: datetime) -> Publication:
    """Return it with its posts to be deleted, and the rest cancelled."""
    why = command.reason or f"deleted by {command.requested_by}"
    if any(part.state in UNRESOLVED or part.state == "published" for part in publication.parts):
        publication = replace(publication, delete=why, ended_at=None)
    return all_moved(publication, "cancelled", now, _can_be_cancelled, reason=why, cause=command.event_id)


def retried(publication: Publication, command: PostCommand, now: datetime) -> Publication:
    """Return it due now where it failed and that can help."""
    failed = [part for part in publication.parts if part.state == "failed"]
    if not failed or not all(part.retryable for part in failed):
        return publication
    changed = replace(publication, wanted_at=now, due_at=now)
    return all_moved(
        changed, "scheduled", now, lambda part: part.state == "failed", cause=command.event_id, change=anew
    )


def too_old(publication: Publication, now: datetime, within_h: float) -> Publication:
    """Return it expired where its draft was decided long before anybody published: a log older than the publisher."""
    at = publication.proposed_at or now
    if now - at <= timedelta(hours=within_h):
        return publication
    why = (
        f"its draft was decided at {at:%Y-%m-%d %H:%M} UTC, more than {within_h:g} h before the publisher first saw it "
        f"(THREADS_PUBLISH_WITHIN_H); `threads-agent posts schedule {publication.publication_id}` publishes it still"
    )
    return all_moved(publication, "expired", now, lambda part: part.state == "proposed", reason=why)


def confirmed(publication: Publication, command: PostCommand, now: datetime) -> Publication:
    """Return it with the part published of which nobody knew, as the platform told so."""
    index = publication.current
    is_known = any(part.post_id == command.post_id for part in publication.parts)
    if index is None or is_known or command.post_id is None or publication.parts[index].state not in UNRESOLVED:
        return publication
    return published(publication, index, command.post_id, now, cause=command.event_id)


# what came of acts


def published(
    publication: Publication,
    index: int,
    post_id: str,
    now: datetime,
    *,
    permalink: str | None = None,
    published_at: datetime | None = None,
    cause: str | None = None,
) -> Publication:
    """Return it with a part that is live; where the rest was cancelled meanwhile, that is done now."""

    def live(part: Part) -> Part:
        return replace(part, post_id=post_id, permalink=permalink, published_at=published_at or now)

    changed = moved(publication, index, "published", now, cause=cause, change=live)
    return replace(changed, cancel=None)


def failed(publication: Publication, index: int, now: datetime, reason: str, *, retryable: bool) -> Publication:
    """Return it with a part that failed; the parts behind it can't go on without it."""
    changed = moved(publication, index, "failed", now, reason=reason, retryable=retryable, change=anew)
    why = f"part {index + 1} of the thread failed: {reason}"
    behind = [at for at, part in enumerate(changed.parts) if at > index and part.state in BEFORE_THE_CALL]
    for at in behind:
        if not changed.parts[at].is_left_out:
            changed = moved(changed, at, "failed", now, reason=why, retryable=retryable, change=anew)
    return changed


def in_doubt(publication: Publication, index: int, now: datetime, reason: str) -> Publication:
    """Return it with a part of which nobody knows whether it is there."""
    return moved(
        publication, index, "unconfirmed", now, reason=reason, change=lambda part: replace(part, in_doubt=True)
    )


def not_published(publication: Publication, index: int, now: datetime, reason: str | None) -> Publication:
    """Return it with a part whose last call surely did nothing; what is in doubt by an earlier one stays so."""
    state: PublicationState = "unconfirmed" if publication.parts[index].in_doubt else "container_created"
    return moved(publication, index, state, now, reason=reason)


def waiting(publication: Publication, index: int, now: datetime, reason: str) -> Publication:
    """Return it with a part that can't go on for a reason that is outside; told once for each reason."""
    part = publication.parts[index]
    if part.state == "container_created":
        return moved(publication, index, "scheduled", now, reason=reason)
    if part.state is None or part.reason == reason:
        return publication
    return moved(publication, index, part.state, now, reason=reason)


# records


def outputs_of(publication: Publication) -> list[Output]:
    """Return the records of what was told since the last flush: told again they have the same ids."""
    found: list[Output] = []
    for told in publication.told:
        found.append(Output(STATES, _state_record(publication, told)))
        if told.state == "published" and told.reason is None:
            found.append(Output(PUBLISHED, _post_record(publication, told)))
    return found


def _state_record(publication: Publication, told: Told) -> PostState:
    return PostState(
        event_id=derived_id("post state", publication.publication_id, str(told.part), str(told.sequence)),
        occurred_at=told.at,
        persona_id=publication.persona_id,
        causation_id=told.cause,
        publication_id=publication.publication_id,
        part=told.part,
        parts=told.parts,
        sequence=told.sequence,
        state=told.state,
        platform=told.platform,
        account_id=told.account_id,
        draft_id=publication.draft_id,
        text=told.text,
        content_digest=told.digest,
        due_at=told.due_at,
        container_id=told.container_id,
        post_id=told.post_id,
        permalink=told.permalink,
        attempt=told.attempt,
        reason=told.reason,
        retryable=told.retryable,
        simulated=told.simulated,
    )


def _post_record(publication: Publication, told: Told) -> PostPublished:
    return PostPublished(
        event_id=post_event_id(publication.publication_id, told.part),
        occurred_at=publication.parts[told.part].published_at or told.at,
        persona_id=publication.persona_id,
        causation_id=told.cause,
        post_id=told.post_id or "",
        draft_id=publication.draft_id,
        text=told.text,
        source="simulated" if told.simulated else told.platform,
        simulated=told.simulated,
    )


def post_event_id(publication_id: str, part: int) -> str:
    """Return the id of the event that a part is live: there is one, however often it is told."""
    return derived_id("post published", publication_id, str(part))
