"""The audit log: every write, done, refused or failed, as a record of gateway.audit."""

from __future__ import annotations

import asyncio
import logging
import uuid
from http import HTTPStatus
from typing import Literal

from starlette.requests import Request

from agents.gateway.appending import GroupAppender
from agents.gateway.auth.caller import Caller
from schemas.records import GatewayAudit
from streams.engine.stage import Output
from streams.errors import ThreadsError
from streams.wall_clock import utc_now

logger = logging.getLogger(__name__)

TOPIC = "gateway.audit"
MOST_TARGET_LENGTH = 500
MOST_UNDER_WAY = 1_000  # of writes that were refused, which wait for nothing


def audit_record(
    request: Request, template: str, caller: Caller, status: int, details: str | None = None
) -> GatewayAudit:
    """Return what is told of a write."""
    return GatewayAudit(
        event_id=str(uuid.uuid4()),
        occurred_at=utc_now(),
        tenant=caller.tenant,
        subject=caller.subject,
        token_id=caller.token_id,
        role=caller.role,
        request_id=request.scope["state"]["request_id"],
        action=f"{request.method} {template}",
        target=request.url.path[:MOST_TARGET_LENGTH].encode(errors="replace").decode(),
        outcome=_outcome(status),
        status=status,
        address=request.client.host if request.client else "",
        details=details,
    )


def _outcome(status: int) -> Literal["done", "refused", "failed"]:
    if status < HTTPStatus.BAD_REQUEST:
        return "done"
    return "refused" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "failed"


class AuditLog:
    """Append what was written; what Kafka does not take of it stands in the process's log."""

    def __init__(self, appender: GroupAppender) -> None:
        self._appender = appender
        self._under_way: set[asyncio.Task[None]] = set()

    async def told(self, record: GatewayAudit) -> None:
        """Append a record and wait for its acknowledgement; an answer is sent only then."""
        try:
            await self._appender.append([Output(TOPIC, record)])
        except ThreadsError:
            logger.exception("Not in %s: %r", TOPIC, record)

    def note(self, record: GatewayAudit) -> None:
        """Append a record soon, for an answer that does not wait for it."""
        if len(self._under_way) >= MOST_UNDER_WAY:
            logger.error("Not in %s, for too many wait: %r", TOPIC, record)
            return
        task = asyncio.create_task(self.told(record))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Wait until what was noted is appended, or was given up."""
        if self._under_way:
            await asyncio.wait(self._under_way)
