"""The commands `threads-agent tokens` and `threads-agent open`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from streams.cli.table import Column, Table, print_table, wide_option

if TYPE_CHECKING:
    from agents.gateway.auth.caller import RoleName
    from schemas.records import AccessToken

ROLE = click.Choice(["viewer", "operator", "admin"])


@click.group(epilog="Example: threads-agent tokens create --role operator --name 'nightly producer'")
def tokens() -> None:
    """Make, list, rotate and revoke service tokens of the gateway."""


@tokens.command(epilog="Example: threads-agent tokens create --role operator --tenant acme --name 'nightly producer'")
@click.option("--name", required=True, help="What it is for; it stands in the audit log.")
@click.option("--role", type=ROLE, default="viewer", show_default=True, help="What it may do.")
@click.option("--tenant", default="default", show_default=True, help="Whose personas it sees; * for all.")
@click.option("--scope", "scopes", multiple=True, metavar="PATH", help="Path prefix it is good for (repeatable).")
@click.option("--days", type=click.IntRange(1, 3_650), default=90, show_default=True, help="How long it is good.")
@click.option("--forever", is_flag=True, help="It does not expire.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(
    *, name: str, role: RoleName, tenant: str, scopes: tuple[str, ...], days: int, forever: bool, as_json: bool
) -> None:
    """Make a token and print its secret, this once: only its SHA-256 is kept."""
    from agents.gateway.auth.token_topic import create as create_token
    from streams.settings import current_settings
    from streams.wall_clock import utc_now

    lifetime = None if forever else timedelta(days=days)
    made = create_token(
        current_settings(), utc_now(), name=name, role=role, tenant=tenant, scopes=scopes, lifetime=lifetime
    )
    _show_made(*asyncio.run(made), as_json=as_json)


@tokens.command("list", epilog="Example: threads-agent tokens list --json")
@wide_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_tokens(*, wide: bool, as_json: bool) -> None:
    """List the tokens there are, without their secrets, with their last use."""
    from agents.gateway.auth.token_topic import listed
    from streams.settings import current_settings

    found = asyncio.run(listed(current_settings()))
    if as_json:
        click.echo(json.dumps([_as_object(*each) for each in found], ensure_ascii=False, indent=2))
    elif found:
        print_table(tokens_table(found), wide=wide)
    else:
        click.echo("no tokens yet: make one with `threads-agent tokens create`")


@tokens.command(epilog="Example: threads-agent tokens rotate 7b0c1d2e3f40 --overlap-hours 24")
@click.argument("token_id", metavar="ID")
@click.option(
    "--overlap-hours",
    type=click.FloatRange(0, 720),
    default=24.0,
    show_default=True,
    help="How long the old one stays good.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rotate(*, token_id: str, overlap_hours: float, as_json: bool) -> None:
    """Replace a token by one that is like it; the old one stays good for a while."""
    from agents.gateway.auth.token_topic import rotate as rotate_token
    from streams.settings import current_settings
    from streams.wall_clock import utc_now

    made = rotate_token(current_settings(), utc_now(), token_id, timedelta(hours=overlap_hours))
    _show_made(*asyncio.run(made), as_json=as_json)


@tokens.command(epilog="Example: threads-agent tokens revoke 7b0c1d2e3f40")
@click.argument("token_ids", metavar="ID...", nargs=-1, required=True)
def revoke(*, token_ids: tuple[str, ...]) -> None:
    """Revoke tokens, and the sessions that were made with them; running gateways know within a second or two."""
    from agents.gateway.auth.token_topic import revoke as revoke_tokens
    from streams.settings import current_settings
    from streams.wall_clock import utc_now

    asyncio.run(revoke_tokens(current_settings(), utc_now(), token_ids))
    for token_id in token_ids:
        click.echo(f"revoked    {token_id}")


@click.command("open", epilog="Example: threads-agent open --print")
@click.option("--print", "only_print", is_flag=True, help="Print the address, which signs in who opens it.")
def open_page(*, only_print: bool) -> None:
    """Open the page of the embedded stack in the browser, signed in."""
    from agents.gateway.opening import opened_in_browser, page_address
    from streams.settings import current_settings

    home = current_settings().home.absolute()
    address = page_address(home)
    if only_print or not opened_in_browser(home, address):
        click.echo(address)


def _show_made(token: AccessToken, secret: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**_as_object(token), "secret": secret}, ensure_ascii=False, indent=2))
    else:
        click.echo(
            f"token {token.token_id}: {token.role} of {token.tenant}, until {token.expires_at or 'revoked'}", err=True
        )
        click.echo(secret)


def _as_object(token: AccessToken, last_used_at: datetime | None = None) -> dict[str, object]:
    from agents.gateway.routes.tokens import shown_token

    return shown_token(token, last_used_at).model_dump(mode="json")


_COLUMNS = (
    Column("token", "id"),
    Column("name", "text"),
    Column("role"),
    Column("tenant", "id"),
    Column("ends", minor=1),
    Column("last used", minor=2),
)


def tokens_table(found: Sequence[tuple[AccessToken, datetime | None]]) -> Table:
    """Return the table that `tokens list` prints."""
    return Table(
        _COLUMNS,
        [(each.token_id, each.name, each.role, each.tenant, _ends(each), _moment(used)) for each, used in found],
    )


def _ends(token: AccessToken) -> str:
    if token.revoked_at is not None:
        return f"revoked {token.revoked_at:%Y-%m-%d %H:%M}"
    return _moment(token.expires_at)


def _moment(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M}"
