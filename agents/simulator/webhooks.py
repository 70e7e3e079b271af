"""Webhooks out: signed as the platform signs them, duplicated, reordered or lost on demand.

They wait in memory: a webhook that a kill -9 takes is one that was lost, and polling alone must suffice.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson

from agents.simulator.faults import WEBHOOK, Faults
from agents.simulator.graph_errors import parameter
from agents.simulator.media import permalink, shortcode
from agents.simulator.truth import Row
from agents.simulator.world import World, graph_time

logger = logging.getLogger(__name__)

APP_ID = "999999999999999"
TIMEOUT = aiohttp.ClientTimeout(total=10)
RETRIES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
MOST_WAITING = 10_000
REORDER_WAIT_S = 2.0
DEFAULT_SECRET = "simulated-app-secret"  # noqa: S105 - of a simulated app
SUBSCRIPTION = "webhooks"


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where webhooks go to; `verify_token` is of the handshake, without which none is made."""

    url: str
    verify_token: str | None = None


class Webhooks:
    """One subscription, and what waits to be posted to it."""

    def __init__(self, world: World, faults: Faults, secret: str, subscription: Subscription | None) -> None:
        self._world = world
        self._faults = faults
        self._secret = secret
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._held: bytes | None = None
        self._news = asyncio.Event()
        kept = world.truth.kept(SUBSCRIPTION, None)
        self.subscription = Subscription(**kept) if kept else subscription
        self._is_verified = False
        self.delivered = self.failed = 0

    def subscribe(self, subscription: Subscription | None) -> None:
        """Post to another address from now on, or to none."""
        self.subscription, self._is_verified = subscription, False
        kept = None if subscription is None else {"url": subscription.url, "verify_token": subscription.verify_token}
        self._world.truth.keep(SUBSCRIPTION, kept)

    def published(self, post: Row) -> None:
        """Tell that a user published a post, and that a reply was made to another's post of ours."""
        value = {
            "id": post["post_id"],
            "media_type": "TEXT_POST",
            "permalink": permalink(post),
            "timestamp": graph_time(post["published_ms"]),
        }
        self._tell("interaction", "publish", post["user_id"], {**value, "username": post["username"]}, post)

    def replied(self, post: Row) -> None:
        """Tell the owner of a conversation that somebody replied."""
        root = self._world.truth.one("post", post_id=post["root"])
        assert root is not None
        value = {
            "id": post["post_id"],
            "username": post["username"],
            "text": post["text"],
            "media_type": "TEXT_POST",
            "permalink": permalink(post),
            "replied_to": {"id": post["reply_to"]},
            "root_post": {"id": root["post_id"], "owner_id": root["user_id"], "username": root["username"]},
            "shortcode": shortcode(post["post_id"]),
            "timestamp": graph_time(post["published_ms"]),
        }
        self._tell("moderate", "replies", root["user_id"], value, root)

    def deleted(self, post: Row) -> None:
        """Tell that a user's post was deleted."""
        value = {
            "id": post["post_id"],
            "owner": {"owner_id": post["user_id"]},
            "deleted_at": graph_time(self._world.now_ms()),
            "timestamp": graph_time(post["published_ms"]),
            "username": post["username"],
        }
        self._tell("moderate", "delete", post["user_id"], value, post)

    def _tell(self, topic: str, field: str, target_id: str, value: dict[str, Any], post: Row) -> None:
        if self.subscription is None:
            return
        payload = {
            "app_id": APP_ID,
            "topic": topic,
            "target_id": target_id,
            "time": self._world.now_ms() // 1000,
            "subscription_id": str(int(target_id) % 10**15),
            "has_uid_field": False,
            "values": {"value": value, "field": field},
        }
        body = orjson.dumps(payload)
        fate = self._faults.of_call(WEBHOOK, post["user_id"], post["username"]).fate
        if fate == "reorder" and self._held is None:
            self._held = body
        elif fate != "lost":
            self._waiting.append(body)
            self._waiting.extend([body] if fate == "duplicate" else [])
            self._release()
        self._news.set()

    def _release(self) -> None:
        if self._held is not None:
            self._waiting.append(self._held)
            self._held = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Post what waits while the context lasts."""
        async with aiohttp.ClientSession(timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()) as session:
            posting = asyncio.create_task(self._post_all(session))
            try:
                yield
            finally:
                posting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await posting

    async def verify(self, session: aiohttp.ClientSession, subscription: Subscription) -> None:
        """Make the handshake with an address.

        Raises:
            GraphError: it does not answer the challenge.
        """
        challenge = secrets.token_hex(8)
        query = {
            "hub.mode": "subscribe",
            "hub.challenge": challenge,
            "hub.verify_token": subscription.verify_token or "",
        }
        try:
            async with session.get(subscription.url, params=query, allow_redirects=False) as answer:
                told = (await answer.text()).strip()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise parameter(f"{subscription.url} does not answer the handshake: {error!r}") from error
        if answer.status != HTTPStatus.OK or told != challenge:
            raise parameter(f"{subscription.url} answered {answer.status} to the handshake, and not the challenge")

    async def _post_all(self, session: aiohttp.ClientSession) -> None:
        while True:
            if not self._waiting:
                self._news.clear()
                try:
                    await asyncio.wait_for(self._news.wait(), REORDER_WAIT_S)
                except TimeoutError:
                    self._release()  # nothing came that it could be behind
                continue
            body = self._waiting.popleft()
            if await self._posted(session, body):
                self.delivered += 1
            else:
                self.failed += 1

    async def _posted(self, session: aiohttp.ClientSession, body: bytes) -> bool:
        signature = hmac.digest(self._secret.encode(), body, hashlib.sha256).hex()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        why = ""
        for wait_s in (*RETRIES_S, None):
            subscription = self.subscription
            if subscription is None:
                return False
            try:
                if subscription.verify_token is not None and not self._is_verified:
                    await self.verify(session, subscription)
                    self._is_verified = True
                async with session.post(subscription.url, data=body, headers=headers, allow_redirects=False) as answer:
                    if answer.status < HTTPStatus.MULTIPLE_CHOICES:
                        return True
                    why = f"it answered {answer.status}"
            except Exception as error:  # noqa: BLE001 - whatever the other side does, the next webhook is posted
                why = str(error) or repr(error)
            logger.debug("A webhook of the simulator was not taken: %s", why)
            if wait_s is not None:
                await asyncio.sleep(wait_s)
        logger.warning("The simulator gave up a webhook: %s", why)
        return False
