"""Webhooks on the session's broker: the settings of worker and test, and events of personas of a test's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

from pydantic import SecretStr

from agents.webhooks.settings import WebhookSettings
from schemas.records import DraftDecided
from schemas.registries.registry import open_registry
from streams.engine.stage import Output
from streams.kafka.producer import EventProducer
from streams.settings import Settings
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.support.drafting import decided, draft

KEY = "a key of thirty-two bytes or more"
ENVIRONMENT = {
    "THREADS_WEBHOOKS_KEY": KEY,
    "THREADS_WEBHOOKS_ALLOW_PRIVATE": "true",
    "THREADS_WEBHOOKS_FIRST_RETRY_S": "0.05",
    "THREADS_WEBHOOKS_LONGEST_RETRY_S": "0.5",
}


def with_webhooks(stack: Stack) -> Settings:
    """Return the settings of the stack with the key that its workers have."""
    return stack.settings.having(WebhookSettings(webhooks_key=SecretStr(KEY), webhooks_allow_private=True))


def accepted_drafts(count: int, persona_id: str) -> list[DraftDecided]:
    """Return decisions of a persona that nobody else has, as of now."""
    made = [draft("Hook", f"Body {number}", draft_id=uuid4().hex, persona_id=persona_id) for number in range(count)]
    return [replace(decided(each), occurred_at=utc_now()) for each in made]


async def append(stack: Stack, *outputs: Output) -> None:
    producer = EventProducer(stack.cluster, open_registry(None))
    try:
        await producer.append_all(outputs)
    finally:
        await producer.stop()


async def accept(stack: Stack, decisions: Sequence[DraftDecided]) -> None:
    await append(stack, *(Output("drafts.accepted", each) for each in decisions))
