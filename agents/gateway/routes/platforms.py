"""Webhooks in: what platforms tell by themselves, checked and kept. Nothing depends on it: polling finds all of it."""

from __future__ import annotations

import hmac
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from agents.accounts.settings import app_secret
from agents.gateway.parameters import example
from agents.gateway.problems import FieldProblem, Refused
from agents.gateway.routing import problems, router
from agents.gateway.settings import GatewaySettings
from agents.gateway.state import Gateway, TheGateway
from agents.publishing.notices import NoNotice, is_signed, notices_of
from streams.engine.stage import Output
from streams.wall_clock import utc_now

ROUTER = router("platforms")
PATH = "/v1/platforms/threads/webhook"
TOPIC = "platform.notices"
SIGNATURE = "X-Hub-Signature-256"
MOST_WORD_LENGTH = 1_000

_NOTICE_EXAMPLE = {
    "app_id": "123456",
    "topic": "interaction",
    "target_id": "17841400000000001",
    "time": 1_795_426_260,
    "subscription_id": "234567",
    "has_uid_field": False,
    "values": {
        "field": "publish",
        "value": {
            "id": "17900000000000001",
            "username": "ada",
            "text": "Tired? Nap first.",
            "permalink": "https://www.threads.com/@ada/post/C1",
            "timestamp": "2026-11-22T09:31:00+0000",
        },
    },
}
_BODY: dict[str, Any] = {
    "parameters": [
        {
            "in": "header",
            "name": SIGNATURE,
            "required": False,
            "schema": {"type": "string"},
            "description": "sha256= and the HMAC-SHA256 of the raw body with the app's secret, in hex digits.",
        }
    ],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "example": _NOTICE_EXAMPLE}},
    },
}


class NoticesTaken(BaseModel):
    """What was taken."""

    accepted: int = Field(description="Notices that Kafka has; one that came before counts once.")


@ROUTER.get(
    PATH,
    summary="Answer the handshake of Threads' webhooks",
    response_class=PlainTextResponse,
    responses={
        200: {"description": "The challenge.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(403),
    },
)
async def shake_hands(
    request: Request,
    gateway: TheGateway,
    *,
    mode: Annotated[str, Query(alias="hub.mode", max_length=50)],
    challenge: Annotated[str, Query(alias="hub.challenge", max_length=MOST_WORD_LENGTH)],
    verify_token: Annotated[str, Query(alias="hub.verify_token", max_length=MOST_WORD_LENGTH)],
) -> PlainTextResponse:
    """Give the challenge back to who shows the word agreed, THREADS_WEBHOOK_VERIFY_TOKEN."""
    await _count(request, gateway)
    agreed = gateway.settings.of(GatewaySettings).webhook_verify_token
    if agreed is None:
        raise _not_taken("THREADS_WEBHOOK_VERIFY_TOKEN")
    is_right = hmac.compare_digest(agreed.get_secret_value().encode(), verify_token.encode())
    if mode != "subscribe" or not is_right:
        raise Refused(
            HTTPStatus.FORBIDDEN,
            "expected hub.mode subscribe and the hub.verify_token that is THREADS_WEBHOOK_VERIFY_TOKEN here; give the "
            "app's dashboard the same word",
        )
    return PlainTextResponse(challenge)


@ROUTER.post(
    PATH,
    summary="Take webhooks of Threads",
    openapi_extra=_BODY,
    responses={**example(200, {"accepted": 1}), **problems(403)},
)
async def take_notices(request: Request, gateway: TheGateway) -> NoticesTaken:
    """Answer 200 once Kafka has them. Sent twice they count once, and their order does not matter."""
    await _count(request, gateway)
    secret = app_secret(gateway.settings)
    if secret is None:
        raise _not_taken("THREADS_APP_SECRET")
    body = await request.body()
    if not is_signed(secret.get_secret_value().encode(), body, request.headers.get(SIGNATURE, "")):
        raise Refused(
            HTTPStatus.FORBIDDEN,
            f"{SIGNATURE}: expected sha256= and the HMAC-SHA256 of the body with THREADS_APP_SECRET, which is another "
            "here, or the body was changed on its way",
        )
    window = timedelta(seconds=gateway.settings.of(GatewaySettings).notice_window_s)
    try:
        notices = notices_of(body, utc_now(), window)
    except NoNotice as error:
        told = str(error)
        pointer = "/" + told.partition(":")[0].replace(".", "/")
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{told}; nothing was taken",
            errors=[FieldProblem(pointer=pointer, detail=told.partition(": ")[2])],
        ) from error
    await gateway.appender.append([Output(TOPIC, each) for each in notices])
    return NoticesTaken(accepted=len(notices))


async def _count(request: Request, gateway: Gateway) -> None:
    if request.client is not None:
        await gateway.rates.count_notice(request.client.host)


def _not_taken(variable: str) -> Refused:
    return Refused(
        HTTPStatus.NOT_FOUND,
        f"no webhooks are taken here: {variable} is not set; set it where the gateway runs. Without them polling finds "
        "what they tell",
    )
