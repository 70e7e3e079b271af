"""Publishing: the intent, durable before the call, and what follows from its outcome."""

from __future__ import annotations

import functools
import logging
from dataclasses import replace

from agents.platforms.contract import (
    NotReady,
    NotThere,
    OutcomeUnknown,
    PlatformError,
    Refused,
    Restricted,
)
from agents.publishing import publication as steps
from agents.publishing.acting.at_work import AtWork, then, while_publishing
from agents.publishing.acting.desk import Desk
from agents.publishing.partition import Again
from agents.publishing.publication import Part, Publication

logger = logging.getLogger(__name__)


async def publish(desk: Desk, at: AtWork) -> Again:
    """Write the intent, and publish once it is durable."""
    if not at.part.in_doubt and (wait_s := await desk.without_quota(at)) is not None:
        return wait_s  # what is in doubt has its reservation
    return await then(at, functools.partial(_intend_and_publish, desk))


async def _intend_and_publish(desk: Desk, at: AtWork) -> Again:
    key, part, now = at.publication.publication_id, at.part, desk.now()
    account_id, is_reply = at.account.account_id, at.index > 0
    desk.quotas.reserve(account_id, is_reply=is_reply)
    ready = at.publication
    if part.state == "scheduled":
        ready = steps.moved(ready, at.index, "container_created", now)

    def called(before: Part) -> Part:
        return replace(before, attempt=part.attempt + 1, tried=part.tried + 1, intent_at=before.intent_at or now)

    at.book.put(steps.moved(ready, at.index, "publishing", now, change=called))
    is_durable = await at.book.intent_is_durable(key)
    if at.job.is_void:
        return None
    known = at.book.get(key)
    if known is None or known.parts[at.index].state != "publishing":
        return 0.0
    if not is_durable or known.cancel is not None or known.delete is not None:
        desk.quotas.release(account_id, is_reply=is_reply)
        return _not_begun(desk, replace(at, publication=known), part)
    assert part.container_id is not None
    try:
        post_id = await desk.call(
            "publish", at.platform.publish(at.account, at.outgoing(), part.container_id), is_final=True
        )
        permalink = await _permalink(desk, at, post_id)
    except PlatformError as error:
        fault = error
        return while_publishing(at, lambda same: _unpublished(desk, same, fault))
    desk.answered(at)
    return while_publishing(at, lambda same: desk.live(same, post_id, permalink, None))


def _not_begun(desk: Desk, at: AtWork, before: Part) -> float:
    """Take an intent back on which nothing was done."""
    known = steps.uncounted(at.publication, at.index, before)
    known = steps.not_published(known, at.index, desk.now(), None)
    if known.cancel is not None or known.delete is not None:
        known = given_up(desk, known, at.index)
    at.book.put(known)
    return 0.0


def given_up(desk: Desk, known: Publication, index: int) -> Publication:
    """Return it cancelled where somebody asked for that during a call, and it is known not to be there."""
    why = known.cancel or known.delete
    if why is not None and not known.parts[index].in_doubt:
        known = steps.moved(known, index, "cancelled", desk.now(), reason=why, change=steps.anew)
        known = replace(known, cancel=None)
    return known


async def _permalink(desk: Desk, at: AtWork, post_id: str) -> str | None:
    """Return the address of a post where the platform tells it: worth one question, and no more."""
    try:
        return (await desk.call("post", at.platform.post(at.account, post_id))).permalink
    except PlatformError as error:
        logger.info("The address of post %s is not known: %s", post_id, error)
        return None


def _unpublished(desk: Desk, at: AtWork, error: PlatformError) -> Again:
    """Decide what follows from a call to publish that did not succeed."""
    if isinstance(error, OutcomeUnknown):
        return desk.doubt(at, str(error), desk.wanted.publish_reconcile_s)
    desk.quotas.release(at.account.account_id, is_reply=at.index > 0)
    memory = desk.memory(at.publication.publication_id)
    if isinstance(error, Refused | Restricted | NotThere) and at.part.in_doubt:
        memory.was_refused, memory.is_restricted = str(error), isinstance(error, Restricted)
    elif isinstance(error, Refused | Restricted | NotThere):
        return desk.fault(at, error)
    known = steps.not_published(at.publication, at.index, desk.now(), str(error))
    known = given_up(desk, known, at.index)
    at.book.put(known)
    if known.parts[at.index].state == "cancelled":
        return 0.0
    if isinstance(error, NotReady):
        return desk.wanted.publish_look_s
    return desk.fault(replace(at, publication=known), error)
