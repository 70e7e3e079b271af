"""Webhooks: who is told of what, and what came of telling them."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from agents.gateway.auth.caller import ALL_TENANTS, Caller
from agents.gateway.idempotency import IdempotencyKeyHeader
from agents.gateway.parameters import USUAL_ITEMS, Cursor, Limit, Page, page_of, place_of
from agents.gateway.problems import FieldProblem, Refused, not_found
from agents.gateway.routing import DryRun, router, tell_audit
from agents.gateway.state import Gateway, TheCaller, TheGateway
from agents.webhooks.addresses import MAX_URL_CHARS
from agents.webhooks.events import NAMES
from agents.webhooks.looking import deliver_test, latest_deliveries
from agents.webhooks.signing import signing_key
from agents.webhooks.subscriptions import TOPIC, SubscriptionError, check_room, new_subscription
from schemas.records import WebhookSubscription
from streams.engine.stage import Output
from streams.json_records import render_record
from streams.wall_clock import utc_now

ROUTER = router("webhooks")
LIST = "/v1/webhooks"


class WebhookBody(BaseModel):
    """Who wants to be told of what."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        min_length=1,
        max_length=MAX_URL_CHARS,
        description="http or https; signed posts go there.",
        examples=["https://tools.example/hook"],
    )
    event_types: list[Annotated[str, Field(max_length=100)]] = Field(
        default_factory=lambda: list(NAMES),
        min_length=1,
        max_length=50,
        description=f"Out of {', '.join(NAMES)}; all where none is said.",
        examples=[["draft.accepted"]],
    )


class Webhook(BaseModel):
    """A webhook; `active` is false once its receiver answered 410."""

    subscription_id: str = Field(examples=["whk_4f1c2d3e5a6b7c8d"])
    tenant: str
    url: str
    event_types: list[str]
    active: bool
    created_at: datetime
    stopped_because: str | None = None


class MadeWebhook(Webhook):
    """A webhook as it is made."""

    secret: str | None = Field(description="What its signatures are made with, told this once; null in a dry run.")
    dry_run: bool = False


class TestedWebhook(BaseModel):
    """What a receiver answered to one event of the type webhook.test."""

    delivered: bool
    status: int | None = Field(description="HTTP status; null where there was no answer.")
    reason: str
    latency_ms: int
    dry_run: bool = False


class Attempt(BaseModel):
    """An attempt to deliver an event."""

    occurred_at: datetime
    webhook_id: str = Field(description="Id of the message, the same in each attempt.")
    event_type: str
    outcome: str = Field(description="delivered, retrying, given_up or dropped.")
    attempt: int
    status: int | None
    reason: str
    latency_ms: int
    next_attempt_at: datetime | None


def _webhook(subscription: WebhookSubscription) -> dict[str, Any]:
    return {name: value for name, value in render_record(subscription).items() if name in Webhook.model_fields}


def _own(caller: Caller) -> str | None:
    return None if caller.tenant == ALL_TENANTS else caller.tenant


async def _found(gateway: Gateway, caller: Caller, subscription_id: str) -> WebhookSubscription:
    await gateway.webhooks.refresh()
    found = gateway.webhooks.find(subscription_id)
    if found is None or not caller.owns(found.tenant):
        raise not_found("webhook", subscription_id, LIST)
    return found


@ROUTER.get(LIST, summary="List webhooks")
async def get_webhooks(
    gateway: TheGateway, caller: TheCaller, limit: Limit = USUAL_ITEMS, cursor: Cursor = None
) -> Page[Webhook]:
    await gateway.webhooks.refresh()
    place = place_of(cursor, str, str) or ("", "")
    items = [_webhook(each) for each in gateway.webhooks.of(_own(caller))]
    behind = [each for each in items if _place(each) > place]
    page: Page[Webhook] = page_of(behind[: limit + 1], limit, _place)
    return page


def _place(item: dict[str, Any]) -> tuple[str, str]:
    return item["created_at"], item["subscription_id"]


@ROUTER.post(LIST, status_code=HTTPStatus.CREATED, summary="Have events posted to a url, signed")
async def post_webhook(
    *,
    body: WebhookBody,
    request: Request,
    gateway: TheGateway,
    caller: TheCaller,
    idempotency_key: IdempotencyKeyHeader = None,
    dry_run: DryRun = False,
) -> MadeWebhook:
    """Tell the secret once; events from now on are posted by the role webhooks."""
    await gateway.webhooks.refresh()
    claimed_key, claimed, keyed = "", "", list[Output]()
    if idempotency_key is not None and not dry_run:
        claimed_key, keyed = gateway.keys.claim(caller, "webhooks", idempotency_key, await request.body())
        claimed = f"whk_{claimed_key.replace('-', '')}"
    try:
        made = gateway.webhooks.find(claimed) or _checked(gateway, caller, body, claimed)
    except Refused:
        gateway.keys.release(claimed_key)
        raise
    if dry_run:
        tell_audit(request, "dry run")
        return MadeWebhook(**_webhook(made), secret=None, dry_run=True)
    await gateway.appender.append([Output(TOPIC.name, made), *keyed])
    tell_audit(request, made.subscription_id)
    return MadeWebhook(**_webhook(made), secret=signing_key(gateway.settings).secret(made.subscription_id))


def _checked(gateway: Gateway, caller: Caller, body: WebhookBody, subscription_id: str) -> WebhookSubscription:
    try:
        check_room(gateway.settings, gateway.webhooks, caller.tenant)
        return new_subscription(
            gateway.settings,
            body.url,
            body.event_types,
            tenant=caller.tenant,
            now=utc_now(),
            subscription_id=subscription_id,
        )
    except SubscriptionError as error:
        problem = FieldProblem(pointer="", detail=str(error))
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), errors=[problem]) from error


@ROUTER.delete(
    "/v1/webhooks/{subscription_id}",
    status_code=HTTPStatus.NO_CONTENT,
    summary="End a webhook",
    response_class=Response,
)
async def delete_webhook(
    subscription_id: str, request: Request, gateway: TheGateway, caller: TheCaller, *, dry_run: DryRun = False
) -> None:
    """Drop what waits for it, too."""
    await _found(gateway, caller, subscription_id)
    if dry_run:
        tell_audit(request, "dry run")
    else:
        await gateway.producer.append_raw(TOPIC.name, 0, [(subscription_id.encode(), None)])


@ROUTER.post("/v1/webhooks/{subscription_id}/test", summary="Post one test event, and tell what came of it")
async def post_test(
    subscription_id: str, request: Request, gateway: TheGateway, caller: TheCaller, *, dry_run: DryRun = False
) -> TestedWebhook:
    found = await _found(gateway, caller, subscription_id)
    if dry_run:
        tell_audit(request, "dry run")
        return TestedWebhook(delivered=False, status=None, reason="a dry run posts nothing", latency_ms=0, dry_run=True)
    answer = await deliver_test(gateway.settings, found)
    return TestedWebhook(
        delivered=answer.verdict == "delivered",
        status=answer.status,
        reason=answer.reason,
        latency_ms=answer.latency_ms,
    )


@ROUTER.get("/v1/webhooks/{subscription_id}/deliveries", summary="List the latest attempts, the newest first")
async def get_deliveries(
    subscription_id: str,
    gateway: TheGateway,
    caller: TheCaller,
    limit: Annotated[int, Query(ge=1, le=500)] = USUAL_ITEMS,
) -> Page[Attempt]:
    """Only the latest are kept in reach; there is no next page."""
    found = await _found(gateway, caller, subscription_id)
    attempts = await latest_deliveries(gateway.settings, found.subscription_id, limit)
    items = [Attempt.model_validate(render_record(each)) for each in attempts]
    return Page[Attempt](items=items, next_cursor=None)
