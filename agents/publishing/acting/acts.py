"""What is done next for a publication. Each step is short and may come again.

Nothing is decided on memory alone: a worker that finds a publication in the state goes on from there. What can't be
taken back is begun when its intent is durable, and never again for another container while the outcome is open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from agents.accounts.directory import NoAccount
from agents.personas.posting import PostingPlan
from agents.platforms.contract import Account, Platform, PlatformError
from agents.publishing.acting.agreeing import agreed, moved_by_plan, schedule, to_be_handed_over_at, with_its_account
from agents.publishing.acting.at_work import AtWork, unless_changed
from agents.publishing.acting.deleting import delete_post, look_at_post
from agents.publishing.acting.desk import Desk
from agents.publishing.acting.handing_over import hand_over
from agents.publishing.acting.looking_up import reconcile
from agents.publishing.partition import Again, Job, PartitionPublications
from agents.publishing.publication import UNRESOLVED, Publication
from streams.errors import ThreadsError

REJECTED_KEPT_FOR = timedelta(days=7)
SEE_ACCOUNTS = "see `threads-agent accounts list`"
ON_HOLD = "the persona is on hold (approval: hold in its posting plan)"

Act = Callable[[Desk, AtWork], Awaitable[Again]]


class _NotUsable(Exception):
    def __init__(self, why: str, *, is_restricted: bool = False) -> None:
        super().__init__(why)
        self.is_restricted = is_restricted


async def step(desk: Desk, job: Job) -> Again:
    """Do what is next for a publication; return when it is looked at again, None where nothing is to be done."""
    book, key = job.part, job.publication_id
    known = book.get(key)
    if known is None:
        return None
    again = await _next(desk, job, known)
    known = book.get(key)
    if again is None and (known is None or known.is_ended):
        desk.forget(key)
    return again


async def _next(desk: Desk, job: Job, known: Publication) -> Again:
    book, key = job.part, known.publication_id
    is_asked = key in book.asked_to_look
    book.asked_to_look.discard(key)
    if is_asked:
        desk.encourage(known)
    index = known.current
    if index is not None and known.parts[index].state in UNRESOLVED:
        return await _with_account(desk, job, known, index, reconcile, is_reading=True)
    if known.delete is not None:
        return await _delete(desk, job, known)
    if index is None and known.parts:
        return await _look_whether_there(desk, job, known) if is_asked else None
    if index is None or known.parts[index].state is None:
        return _keep_or_forget(desk, book, known)
    return await _before_the_call(desk, job, known, index)


def _keep_or_forget(desk: Desk, book: PartitionPublications, known: Publication) -> Again:
    """Keep a rejected draft, or reviews of a draft that was not proposed yet, for a week."""
    now = desk.now()
    if now - (known.proposed_at or now) > REJECTED_KEPT_FOR:
        book.forget(known.publication_id)
        return None
    return desk.wanted.publish_longest_retry_s


async def _before_the_call(desk: Desk, job: Job, known: Publication, index: int) -> Again:
    """Agree and plan; once that is done and it is time, hand it over."""
    persona = desk.directory.find(known.persona_id)
    if persona is None:
        why = f"persona {known.persona_id!r} is not in force; apply it with `threads-agent personas apply`"
        return desk.wait(job.part, known, index, why)
    plan = persona.persona.posting
    if not known.has_begun:
        known, is_agreed = agreed(desk, known, plan)
        job.part.put(known)
        if not is_agreed:
            return None if known.is_ended else desk.wanted.publish_outside_s
    if plan.approval == "hold":
        return desk.wait(job.part, known, index, ON_HOLD)
    return await _by_time(desk, job, known, index, plan)


async def _by_time(desk: Desk, job: Job, known: Publication, index: int, plan: PostingPlan) -> Again:
    if known.due_at is None or known.parts[index].state == "approved":
        return schedule(desk, job.part, known, index, plan)
    known = moved_by_plan(desk, job.part, known, plan)
    if known.is_ended:
        return None
    hand_over_at = to_be_handed_over_at(desk, known, index)
    if hand_over_at > desk.now():
        return hand_over_at
    return await _with_account(desk, job, known, index, hand_over)


# with whom


async def _with_account(
    desk: Desk, job: Job, known: Publication, index: int, act: Act, *, is_reading: bool = False
) -> Again:
    """Do something with the account, unless it can't be used now; wait, or fail, by what is wrong with it."""
    try:
        known, account, platform = _party(desk, known, is_reading=is_reading)
    except _NotUsable as why:
        if why.is_restricted:
            return desk.restricted(job.part, known, index, str(why))
        return desk.wait(job.part, known, index, str(why))
    if (left_s := desk.paused_for_s(account.account_id)) > 0:
        return left_s
    job.part.put(known)
    at = AtWork(job.part, job, known, index, account, platform)
    try:
        return await act(desk, at)
    except PlatformError as error:
        fault = error
        return unless_changed(at, lambda same: desk.fault(same, fault))


def _party(desk: Desk, known: Publication, *, is_reading: bool) -> tuple[Publication, Account, Platform]:
    """Return the account that a publication is published with, and its platform; a restricted one can be read."""
    try:
        known = with_its_account(desk, known)
        assert known.account_id is not None
        account = desk.accounts.account(known.account_id)
    except NoAccount as error:
        is_restricted = error.record is not None and error.record.state == "restricted"
        raise _NotUsable(str(error), is_restricted=is_restricted) from error
    except ThreadsError as error:
        raise _NotUsable(str(error)) from error
    record = desk.accounts.find(account.account_id)
    if record is not None and record.state != "active" and not (is_reading and record.state == "restricted"):
        why = f"account {record.account_id} is {record.state}: {record.reason or SEE_ACCOUNTS}"
        raise _NotUsable(why, is_restricted=record.state == "restricted")
    platform = desk.platforms.get(account.platform)
    if platform is None:
        why = f"there is no client for {account.platform}; choose one of {', '.join(sorted(desk.platforms))}"
        raise _NotUsable(why)
    return known, account, platform


# what is published


async def _delete(desk: Desk, job: Job, known: Publication) -> Again:
    """Delete the posts of a publication, the last part first."""
    live = [index for index, part in enumerate(known.parts) if part.state == "published"]
    if not live:
        job.part.put(replace(known, delete=None, ended_at=desk.now()))
        return None
    return await _with_account(desk, job, known, live[-1], delete_post)


async def _look_whether_there(desk: Desk, job: Job, known: Publication) -> Again:
    """Ask the platform for the posts of a publication; one that somebody deleted there is deleted here."""
    for index, part in enumerate(known.parts):
        if part.state == "published":
            await _with_account(desk, job, known, index, look_at_post)
            known = job.part.get(known.publication_id) or known
    return None
