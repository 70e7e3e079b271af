"""Deleting posts, and noticing those that somebody deleted on the platform."""

from __future__ import annotations

import functools

from agents.platforms.contract import (
    NotThere,
)
from agents.publishing import publication as steps
from agents.publishing.acting.at_work import AtWork, unless_changed
from agents.publishing.acting.desk import Desk
from agents.publishing.partition import Again


async def delete_post(desk: Desk, at: AtWork) -> Again:
    key, post_id = at.publication.publication_id, at.part.post_id
    assert post_id is not None
    if not at.platform.capabilities.has_delete:
        return desk.keep_live(at, f"{at.platform.name} lets nobody delete by its API: delete it there by hand")
    if not await at.book.intent_is_durable(key):
        return 0.0
    await desk.call("delete", at.platform.delete(at.account, post_id), is_final=True)
    desk.answered(at)
    return unless_changed(at, functools.partial(_gone, desk))


def _gone(desk: Desk, at: AtWork) -> float:
    at.book.put(steps.moved(at.publication, at.index, "deleted", desk.now(), reason=at.publication.delete))
    return 0.0


async def look_at_post(desk: Desk, at: AtWork) -> Again:
    assert at.part.post_id is not None
    try:
        await desk.call("post", at.platform.post(at.account, at.part.post_id))
    except NotThere:
        why = "somebody deleted it on the platform"
        unless_changed(
            at,
            lambda same: same.book.put(steps.moved(same.publication, same.index, "deleted", desk.now(), reason=why)),
        )
    return None
