"""When, with whom, and whether at all: approvals, due times, and the account of a publication."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from agents.personas.posting import PostingPlan
from agents.publishing import publication as steps
from agents.publishing.acting.desk import Desk
from agents.publishing.approval import standing_of
from agents.publishing.partition import Again, PartitionPublications
from agents.publishing.plan import may_publish_at, missed, next_due
from agents.publishing.publication import Part, Publication, is_before_the_call
from streams.errors import ThreadsError

CLOCK_SET = timedelta(seconds=2)


def agreed(desk: Desk, known: Publication, plan: PostingPlan) -> tuple[Publication, bool]:
    """Return it as approved, or as waiting for an approval; tell whether it may go on."""
    now, review = desk.now(), known.review
    standing = standing_of(plan.approval, known.decision, review.decision if review else None)
    is_approved_before = all(part.state in {"approved", "scheduled", "container_created"} for part in _open(known))
    if standing == "approved" or (plan.approval == "hold" and standing == "waiting" and is_approved_before):
        return steps.all_moved(known, "approved", now, lambda part: part.state == "proposed"), True
    if now - (known.proposed_at or now) > timedelta(days=desk.wanted.publish_proposal_days):
        why = f"nobody approved it within {desk.wanted.publish_proposal_days} days; propose another"
        return steps.all_moved(known, "expired", now, _is_open, reason=why), False
    if review is not None and standing == "rejected":
        why = f"rejected by {review.reviewed_by}" + (f": {review.reason}" if review.reason else "")
        why += f"; an edit, or `threads-agent posts approve {known.publication_id}` brings it back"
    elif plan.approval == "hold":
        why = "the persona is on hold (approval: hold in its posting plan)"
    else:
        why = f"waits for an approval: `threads-agent posts approve {known.publication_id}`"
    known = replace(known, due_at=None)
    known = steps.all_moved(known, "proposed", now, lambda part: _is_open(part) and part.reason != why, reason=why)
    return steps.without_containers(known), False


def schedule(desk: Desk, book: PartitionPublications, known: Publication, index: int, plan: PostingPlan) -> Again:
    """Fix the time that it is due at, once it is known with what account it is published."""
    try:
        known = with_its_account(desk, known)
    except ThreadsError as error:
        return desk.wait(book, known, index, str(error))
    now = desk.now()
    due_at = known.wanted_at
    if due_at is None:
        is_planned = bool(plan.slots or plan.spacing_min)
        due_at = next_due(plan, now, book.taken(known, now) if is_planned else ())
    reschedule(desk, book, known, due_at, None)
    return 0.0


def reschedule(
    desk: Desk, book: PartitionPublications, known: Publication, due_at: datetime, reason: str | None
) -> Publication:
    known = replace(known, due_at=due_at)
    known = steps.all_moved(known, "scheduled", desk.now(), is_before_the_call, reason=reason, change=steps.anew)
    book.put(known)
    return known


def moved_by_plan(desk: Desk, book: PartitionPublications, known: Publication, plan: PostingPlan) -> Publication:
    """Return it as the plan has it where its time was missed, or is now within quiet hours."""
    now, due_at = desk.now(), known.due_at
    assert due_at is not None
    if known.has_begun:
        return known
    if now < due_at:
        return _moved_up(desk, book, known, plan, due_at)
    what = missed(plan, due_at, now)
    if what == "expire":
        why = f"its time, {due_at:%Y-%m-%d %H:%M} UTC, is past; `threads-agent posts schedule` gives it another"
        known = steps.all_moved(known, "expired", now, _is_open, reason=why, change=steps.anew)
        book.put(known)
        return known
    if what == "next_slot":
        at = next_due(plan, now, book.taken(known, now))
        return reschedule(desk, book, known, at, "its time was missed: it waits for the next one")
    if known.wanted_at is None and (at := may_publish_at(plan, now)) > now:
        return reschedule(desk, book, known, at, "the persona has its quiet hours")
    return known


def _moved_up(
    desk: Desk, book: PartitionPublications, known: Publication, plan: PostingPlan, due_at: datetime
) -> Publication:
    """Return it due earlier where it is due as soon as may be, and that is earlier now."""
    if known.wanted_at is not None or plan.slots:
        return known
    at = next_due(plan, desk.now(), book.taken(known, desk.now()))
    if due_at - at < CLOCK_SET:
        return known
    return reschedule(desk, book, known, at, "the clock was set, or the plan of the persona changed")


def with_its_account(desk: Desk, known: Publication) -> Publication:
    """Return it with the account it is published with: once something of it is at the platform, always the same.

    Raises:
        ThreadsError: there is none, or it can't be used; the message says what to do.
    """
    is_bound = known.account_id is not None and (
        known.has_begun or any(part.container_id is not None for part in known.parts)
    )
    if is_bound:
        return known
    account = desk.accounts.of_persona(known.persona_id, known.platform)
    if known.account_id == account.account_id:
        return known
    return replace(known, account_id=account.account_id, platform=account.platform, simulated=account.simulated)


def to_be_handed_over_at(desk: Desk, known: Publication, index: int) -> datetime:
    """Return when a container is made, or was; where the platform has none, when it is due."""
    part = known.parts[index]
    assert known.due_at is not None
    if part.container_at is not None:
        return part.container_at
    platform = desk.platforms.get(known.platform or steps.DEFAULT_PLATFORM)
    has_containers = platform is None or platform.capabilities.has_containers
    return known.due_at - timedelta(seconds=desk.wanted.publish_lead_s if has_containers else 0.0)


def _open(publication: Publication) -> list[Part]:
    return [part for part in publication.parts if not part.is_left_out]


def _is_open(part: Part) -> bool:
    return is_before_the_call(part) and part.state is not None
