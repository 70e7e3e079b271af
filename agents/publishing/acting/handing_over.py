"""Handing over: a container is made and asked for until it is ready and due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from agents.platforms.contract import (
    Account,
    Container,
)
from agents.publishing import publication as steps
from agents.publishing.acting.at_work import AtWork, edit_it, then
from agents.publishing.acting.desk import Desk
from agents.publishing.acting.going_out import publish
from agents.publishing.partition import Again

OFFLINE = (
    "the offline model wrote it, whose text is not published with real accounts: write another, or set "
    "THREADS_PUBLISH_OFFLINE_TEXT=true"
)


async def hand_over(desk: Desk, at: AtWork) -> Again:
    """Make the container, and ask what has become of it until it is ready and due."""
    part, now = at.part, desk.now()
    if part.container_id is None:
        return await _make(desk, at)
    if not at.platform.capabilities.has_containers:
        return await publish_when_due(desk, at)
    container = await desk.call("container", at.platform.container(at.account, part.container_id))
    desk.answered(at)
    return await then(at, lambda same: _by_status(desk, same, container, now))


async def _by_status(desk: Desk, at: AtWork, container: Container, now: datetime) -> Again:
    part, status = at.part, container.status
    if status == "finished":
        return await publish_when_due(desk, at)
    if status == "published":  # though no call of ours is open: someone else's took effect
        return desk.doubt(at, "the platform says that it is published: it is looked up", 0.0)
    if status == "in_progress":
        waited = now - (part.container_at or now)
        if waited.total_seconds() < desk.wanted.publish_ready_within_s:
            return desk.wanted.publish_look_s
        return desk.make_another(at, f"it was not ready within {desk.wanted.publish_ready_within_s:g} s")
    what = container.reason or {"error": "no reason given", "expired": "it expired"}.get(status, "it is gone")
    return desk.make_another(at, f"the platform could not prepare it: {what}")


async def _make(desk: Desk, at: AtWork) -> Again:
    """Make a container, after what is known to be refused was."""
    found = at.problems()
    if not found and at.publication.model in desk.offline_models and not _may_go_out(desk, at.account):
        found = [OFFLINE]
    if found:
        return desk.fail(at, f"{'; '.join(found)}. {edit_it(at.publication)}", retryable=False)
    if (wait_s := await desk.without_quota(at)) is not None:
        return wait_s
    made = await desk.call("create_container", at.platform.create_container(at.account, at.outgoing()))
    desk.answered(at)

    async def keep(same: AtWork) -> float:
        now = desk.now()
        known = steps.moved(
            same.publication,
            same.index,
            "container_created",
            now,
            change=lambda part: replace(part, container_id=made, container_at=now),
        )
        same.book.put(known)
        return desk.wanted.publish_first_look_s if same.platform.capabilities.has_containers else 0.0

    return await then(at, keep)


def _may_go_out(desk: Desk, account: Account) -> bool:
    return account.simulated or desk.wanted.publish_offline_text


async def publish_when_due(desk: Desk, at: AtWork) -> Again:
    due_at = at.publication.due_at
    if due_at is not None and desk.now() < due_at:
        return due_at
    return await publish(desk, at)
