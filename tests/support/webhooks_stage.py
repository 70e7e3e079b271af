"""The webhooks stage driven by hand, with subscriptions from a list."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from agents.personas.directory import PersonaDirectory
from agents.webhooks.events import NAMES
from agents.webhooks.signing import signing_key
from agents.webhooks.stage import WebhooksStage
from agents.webhooks.subscriptions import Subscriptions, new_subscription
from schemas.records import DeadLetter, WebhookDelivery, WebhookSubscription
from streams.engine.stage import Output
from streams.settings import Settings
from streams.wall_clock import utc_now
from tests.support.drafting import sample_directory
from tests.support.listed_tail import ListedTail
from tests.support.settings import settings_with
from tests.support.stage_driver import DrivenStage, Emitted

DEADLINE_S = 30.0
QUICK = {
    "webhooks_key": "a key of thirty-two bytes or more.",
    "webhooks_allow_private": True,
    "webhooks_first_retry_s": 0.02,
    "webhooks_longest_retry_s": 0.1,
    "webhooks_timeout_s": 5.0,
}


class ListedSubscriptions(ListedTail[WebhookSubscription]):
    """The topic of subscriptions as a list."""

    def add(self, subscription: WebhookSubscription) -> WebhookSubscription:
        self.append(subscription.subscription_id, subscription)
        return subscription


@dataclass
class Hooks:
    """A stage, its subscriptions, and what its flushes made by now."""

    settings: Settings
    stage: DrivenStage[WebhooksStage]
    log: ListedSubscriptions
    state: dict[tuple[Any, bytes], bytes] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)

    def subscribe(self, url: str, *event_types: str, tenant: str = "*") -> tuple[WebhookSubscription, str]:
        """Return a subscription made a minute ago, and its secret."""
        made = new_subscription(
            self.settings,
            url,
            event_types or NAMES,
            tenant=tenant,
            now=utc_now() - timedelta(minutes=1),
            subscription_id=f"whk_{uuid4().hex}",
        )
        return self.log.add(made), signing_key(self.settings).secret(made.subscription_id)

    async def flush(self) -> Emitted:
        """Take a checkpoint: state and outputs are durable."""
        emitted = await self.stage.flush()
        for change in emitted.state:
            if change.value is None:
                self.state.pop((change.source, change.key), None)
            else:
                self.state[change.source, change.key] = change.value
        self.outputs += [each for each in emitted.outputs if isinstance(each, Output)]
        return emitted

    async def until(self, condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
        """Take checkpoints that are due until a condition holds."""
        deadline = time.monotonic() + deadline_s
        while not condition():
            assert time.monotonic() < deadline, f"not reached; told by now: {self.told()}"
            if self.stage.idle_flush_due():
                await self.flush()
            await asyncio.sleep(0.005)

    def told(self) -> list[WebhookDelivery]:
        return [each.record for each in self.outputs if isinstance(each.record, WebhookDelivery)]

    def outcomes(self) -> list[str]:
        return [each.outcome for each in self.told()]

    def letters(self) -> list[DeadLetter]:
        return [each.record for each in self.outputs if isinstance(each.record, DeadLetter)]


@asynccontextmanager
async def hooks(
    *,
    directory: PersonaDirectory | None = None,
    state: Sequence[tuple[tuple[Any, bytes], bytes]] = (),
    log: ListedSubscriptions | None = None,
    home: Path | None = None,
    **settings: Any,
) -> AsyncIterator[Hooks]:
    """Run a stage; `state` is that of a stage before, `settings` are those that differ from QUICK."""
    chosen = settings_with(**(QUICK | settings), **({"home": home} if home else {}))
    log = log or ListedSubscriptions()
    stage = DrivenStage(WebhooksStage(chosen, Subscriptions(log), directory or sample_directory()))
    await stage.open()
    sources = {source for (source, _), _ in state}
    for source in sources:
        await stage.restore(source, [(key, value) for (of, key), value in state if of == source])
    made = Hooks(chosen, stage, log, state=dict(state))
    try:
        yield made
    finally:
        await stage.close()
