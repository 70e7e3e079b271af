"""Looking up: whether a part is there whose outcome nobody knows."""

from __future__ import annotations

from datetime import timedelta

from agents.platforms.contract import (
    Container,
    LivePost,
    Unlisted,
)
from agents.publishing import publication as steps
from agents.publishing.acting.at_work import AtWork, edit_it, once_lifted, then
from agents.publishing.acting.desk import Desk, Memory
from agents.publishing.acting.going_out import given_up, publish
from agents.publishing.partition import Again

PROOFS = 2  # looks that find nothing, before another container is made
CLOCKS_APART = timedelta(minutes=5)  # of the platform and us, when posts are looked for by time
UNLISTED_FOR = timedelta(hours=24)
CLOCKS_FAR_APART = timedelta(hours=26)  # where it is known to be there, and is not found
LOOKS_BEFORE_FAR = 3
NOT_SHOWN = "the platform says that it was published, and does not show it: somebody deleted it there, it seems"


async def reconcile(desk: Desk, at: AtWork) -> Again:
    """Look up whether a part is there; publish it again only where it is proved not to be."""
    part, memory = at.part, desk.memory(at.publication.publication_id)
    if memory.in_doubt_since_s is None:
        memory.in_doubt_since_s = desk.context.steady()
    assert part.container_id is not None
    container = await desk.call("container", at.platform.container(at.account, part.container_id))
    live = await _find(desk, at, container, memory)
    desk.answered(at)
    memory.looked_up += 1
    return await then(at, lambda same: _looked_up(desk, same, container, live, memory))


async def _find(desk: Desk, at: AtWork, container: Container, memory: Memory) -> LivePost | None:
    """Look for the post among those of the account, unless its container says that there is none.

    By its text alone it can't be told from the post of another publication that nobody knows of yet, either.
    """
    part = at.part
    assert part.container_id is not None
    if container.status in {"in_progress", "finished"} and at.platform.capabilities.has_containers:
        return None
    is_far = container.status == "published" and memory.looked_up >= LOOKS_BEFORE_FAR
    since = (part.intent_at or desk.now()) - (CLOCKS_FAR_APART if is_far else CLOCKS_APART)
    finding = at.platform.find(at.account, at.outgoing(), part.container_id, since, at.book.posts)
    try:
        live = await desk.call("find", finding)
    except Unlisted:
        return None
    return None if live is None or live.post_id in at.book.posts else live


async def _looked_up(desk: Desk, at: AtWork, container: Container, live: LivePost | None, memory: Memory) -> Again:
    if live is not None:
        return desk.live(at, live.post_id, live.permalink, live.published_at)
    again_s = desk.look_up.delay_s(memory.looked_up, None, desk.draw())
    if container.status == "published":
        return _not_shown(desk, at, again_s)
    memory.found_nothing += 1
    record = desk.accounts.find(at.account.account_id)
    if record is not None and record.state == "restricted":
        memory.was_refused = record.reason or f"account {record.account_id} is restricted"
        memory.is_restricted = True
    is_wanted = at.publication.cancel is None and at.publication.delete is None
    if container.status in {"finished", "in_progress"} and memory.was_refused is None and is_wanted:
        if container.status == "in_progress" and at.platform.capabilities.has_containers:
            return again_s
        return await publish(desk, at)  # the same container: it can't become two posts
    settled_s = 2 * desk.timeout_s + desk.wanted.publish_grace_s
    is_settled = desk.context.steady() - (memory.in_doubt_since_s or 0.0) >= settled_s
    if memory.found_nothing < PROOFS or not (is_settled or container.status in {"error", "expired"}):
        return _still_in_doubt(
            desk, at, "it is not there; before anything else is done that is looked up again", again_s
        )
    return _proved_absent(desk, at, container, memory)


def _not_shown(desk: Desk, at: AtWork, again_s: float) -> Again:
    """Look on for a post that the platform says is published; who deleted it meanwhile does not tell."""
    if desk.now() - (at.part.intent_at or desk.now()) > UNLISTED_FOR:
        return desk.fail(at, NOT_SHOWN, retryable=False)
    why = "the platform says that it is published, and does not show it yet: it is looked up again"
    return _still_in_doubt(desk, at, why, again_s)


def _proved_absent(desk: Desk, at: AtWork, container: Container, memory: Memory) -> Again:
    """Go on with what is not there and can't come any more: cancel it, give it up, or hand it over anew."""
    refused, is_restricted = memory.was_refused, memory.is_restricted
    memory.settle()
    if at.publication.cancel is not None or at.publication.delete is not None:
        at.book.put(given_up(desk, steps.proved_absent(at.publication, at.index), at.index))
        return 0.0
    if refused is not None:
        what_to_do = once_lifted(at.publication) if is_restricted else edit_it(at.publication)
        return desk.fail(at, f"{refused}. {what_to_do}", retryable=is_restricted)
    what = container.reason or f"its container is {container.status}"
    return desk.make_another(at, f"it is not there, and {what}")


def _still_in_doubt(desk: Desk, at: AtWork, reason: str, wait_s: float) -> float:
    at.book.put(desk.waiting(at, reason))
    return wait_s
