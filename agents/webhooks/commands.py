"""The commands `threads-agent webhooks add`, `list`, `remove`, `test` and `deliveries`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from streams.cli.table import Column, Table, count, print_table, wide_option

if TYPE_CHECKING:
    from schemas.records import WebhookDelivery, WebhookSubscription

FAILED_EXIT_STATUS = 1


@click.group(epilog="Example: threads-agent webhooks add https://tools.example/hook --event draft.accepted")
def webhooks() -> None:
    """Tell other tools of what happens: signed posts, tried again until they are taken."""


@webhooks.command(epilog="Example: threads-agent webhooks add https://tools.example/hook --event draft.accepted")
@click.argument("url")
@click.option(
    "--event", "event_types", multiple=True, help="Kind of event that is wanted (repeatable); all where none is given."
)
@click.option("--tenant", default="*", show_default=True, help="Tenant whose events are told; * of all.")
def add(url: str, *, event_types: tuple[str, ...], tenant: str) -> None:
    """Subscribe URL to events from now on, and print the secret of its signatures: it is told this once."""
    from agents.webhooks.events import NAMES
    from agents.webhooks.signing import signing_key
    from agents.webhooks.subscriptions import add_subscription
    from streams.settings import current_settings

    settings = current_settings()
    made = asyncio.run(add_subscription(settings, url, event_types or NAMES, tenant))
    click.echo(f"webhook    {made.subscription_id} {made.url}")
    click.echo(f"events     {', '.join(made.event_types)}")
    click.echo(f"secret     {signing_key(settings).secret(made.subscription_id)}")


@webhooks.command("list", epilog="Example: threads-agent webhooks list --json")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--tenant", help="Only those of this tenant.")
def list_webhooks(*, tenant: str | None, wide: bool, as_json: bool) -> None:
    """List the webhooks there are."""
    from agents.webhooks.subscriptions import read_subscriptions
    from streams.json_records import render_record
    from streams.settings import current_settings

    found = asyncio.run(read_subscriptions(current_settings())).of(tenant)
    if as_json:
        click.echo(json.dumps([render_record(each) for each in found], ensure_ascii=False, indent=2))
    elif found:
        print_table(webhooks_table(found), wide=wide)
    else:
        click.echo("no webhooks yet: add one with `threads-agent webhooks add`")


@webhooks.command(epilog="Example: threads-agent webhooks remove whk_4f1c2d3e5a6b7c8d")
@click.argument("subscription_id", metavar="ID")
def remove(subscription_id: str) -> None:
    """End the webhook ID; what waits for it is dropped."""
    from agents.webhooks.subscriptions import remove_subscription
    from streams.settings import current_settings

    asyncio.run(remove_subscription(current_settings(), subscription_id))
    click.echo(f"removed    {subscription_id}")


@webhooks.command(epilog="Example: threads-agent webhooks test whk_4f1c2d3e5a6b7c8d")
@click.argument("subscription_id", metavar="ID")
@click.pass_context
def test(ctx: click.Context, subscription_id: str) -> None:
    """Post one event of the type webhook.test to the webhook ID; exit status 1 where it is not taken."""
    from agents.webhooks.looking import deliver_test
    from agents.webhooks.subscriptions import read_subscriptions, require
    from streams.settings import current_settings

    settings = current_settings()
    subscription = require(asyncio.run(read_subscriptions(settings)), subscription_id)
    answer = asyncio.run(deliver_test(settings, subscription))
    taken = answer.verdict == "delivered"
    click.echo(f"delivered, {answer.status} in {answer.latency_ms} ms" if taken else f"not delivered: {answer.reason}")
    ctx.exit(0 if taken else FAILED_EXIT_STATUS)


@webhooks.command(epilog="Example: threads-agent webhooks deliveries whk_4f1c2d3e5a6b7c8d")
@click.argument("subscription_id", metavar="ID")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500), help="Greatest number of rows.")
def deliveries(subscription_id: str, *, limit: int, wide: bool, as_json: bool) -> None:
    """List the latest attempts to deliver to the webhook ID, the newest first."""
    from agents.webhooks.looking import latest_deliveries
    from streams.json_records import render_record
    from streams.settings import current_settings

    found = asyncio.run(latest_deliveries(current_settings(), subscription_id, limit))
    if as_json:
        click.echo(json.dumps([render_record(each) for each in found], ensure_ascii=False, indent=2))
    elif found:
        print_table(deliveries_table(found), wide=wide)
    else:
        click.echo(f"no deliveries to {subscription_id} yet")


_WEBHOOK_COLUMNS = (
    Column("webhook", "id"),
    Column("tenant", "id", minor=2),
    Column("url", "text"),
    Column("events", "text", minor=1),
    Column("active"),
    Column("why not", "text", minor=3),
)


def webhooks_table(known: Sequence[WebhookSubscription]) -> Table:
    """Return the table that `webhooks list` prints."""
    rows = [
        (
            each.subscription_id,
            each.tenant,
            each.url,
            ", ".join(each.event_types),
            "yes" if each.active else "no",
            each.stopped_because or "",
        )
        for each in known
    ]
    return Table(_WEBHOOK_COLUMNS, rows)


_DELIVERY_COLUMNS = (
    Column("at (UTC)"),
    Column("event", "id"),
    Column("outcome"),
    Column("attempt", "number"),
    Column("status", "number"),
    Column("ms", "number", minor=1),
    Column("message", "id", minor=2),
    Column("reason", "text"),
)


def deliveries_table(found: Sequence[WebhookDelivery]) -> Table:
    """Return the table that `webhooks deliveries` prints."""
    rows = [
        (
            f"{each.occurred_at:%Y-%m-%d %H:%M:%S}",
            each.event_type,
            each.outcome,
            count(each.attempt),
            "none" if each.status is None else str(each.status),
            count(each.latency_ms),
            each.webhook_id,
            each.reason,
        )
        for each in found
    ]
    return Table(_DELIVERY_COLUMNS, rows)
