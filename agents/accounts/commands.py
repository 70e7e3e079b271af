"""The commands `threads-agent accounts add`, `list`, `check`, `refresh` and `remove`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli.table import Column, Table, print_table, wide_option

if TYPE_CHECKING:
    from agents.accounts.adding import Accounts
    from agents.accounts.check import Checked, Refreshed
    from schemas.records import PlatformAccount

FAILED_EXIT_STATUS = 1
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(epilog="Example: threads-agent accounts add threads --persona ada")
def accounts() -> None:
    """Accounts on platforms, with which posts are published; their tokens are kept encrypted."""


@accounts.command(epilog="Example: threads-agent accounts add threads --persona ada")
@click.argument("platform", type=click.Choice(["threads", "bluesky", "mastodon"]))
@click.option("--persona", "persona_ids", multiple=True, help="Persona that publishes with it (repeatable).")
@click.option("--base-url", help="Address of the platform's API, e.g. https://mastodon.example.")
@click.option("--username", help="Name of the account; an app password of Bluesky needs it.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="File with the token or app password alone, - is stdin; else THREADS_ACCOUNT_TOKEN, or on Threads a login.",
)
@click.option("--print", "only_print", is_flag=True, help="Print the login's address, and open no browser.")
@click.option("--paste", is_flag=True, help="Ask for the address that the login came to, instead of listening there.")
@json_option
def add(
    platform: str,
    *,
    persona_ids: tuple[str, ...],
    base_url: str | None,
    username: str | None,
    token_file: Path | None,
    only_print: bool,
    paste: bool,
    as_json: bool,
) -> None:
    """Add an account of PLATFORM, or renew its token: by a login in the browser, or with a token that you have."""
    from agents.accounts.add_command import Asked, add_account
    from agents.accounts.check import lasting
    from streams.settings import current_settings
    from streams.wall_clock import utc_now

    asked = Asked(platform, base_url, persona_ids, username, token_file, only_print=only_print, paste=paste)
    record = asyncio.run(add_account(current_settings(), asked))
    now = utc_now()
    if as_json:
        click.echo(json.dumps(as_object(record, now), ensure_ascii=False, indent=2))
        return
    click.echo(f"account    {record.account_id} {record.platform} {record.username}")
    click.echo(f"personas   {', '.join(record.persona_ids)}")
    click.echo(f"token      {lasting(record, now)}")
    for name, blocked in as_missing(record).items():
        click.echo(f"missing    {name}: {blocked}")


@accounts.command("list", epilog="Example: threads-agent accounts list --json")
@wide_option
@json_option
@click.option("--all", "with_removed", is_flag=True, help="List removed ones too.")
def list_accounts(*, with_removed: bool, wide: bool, as_json: bool) -> None:
    """List the accounts with their state, when their token ends, and what missing permissions block."""
    from streams.settings import current_settings
    from streams.wall_clock import utc_now

    now, found = utc_now(), asyncio.run(_listed(with_removed=with_removed))
    if as_json:
        click.echo(json.dumps([as_object(each, now) for each in found], ensure_ascii=False, indent=2))
    elif found:
        print_table(accounts_table(found, now), wide=wide)
    else:
        home = current_settings().home
        click.echo(f"no accounts, and no simulator in {home}: add one with `threads-agent accounts add`")


@accounts.command(epilog="Example: threads-agent accounts check")
@click.argument("account_ids", metavar="[ID]...", nargs=-1)
@wide_option
@json_option
@click.pass_context
def check(ctx: click.Context, account_ids: tuple[str, ...], *, wide: bool, as_json: bool) -> None:
    """Ask the platforms about accounts ID, or all; exit status 1 where posts can't be published with one."""
    from streams.wall_clock import utc_now

    found, now = asyncio.run(_checked(account_ids)), utc_now()
    if as_json:
        click.echo(json.dumps([checked_object(each, now) for each in found], ensure_ascii=False, indent=2))
    elif found:
        print_table(checks_table(found, now), wide=wide)
    else:
        click.echo("no accounts: add one with `threads-agent accounts add`")
    ctx.exit(FAILED_EXIT_STATUS if any(each.problem for each in found) else 0)


@accounts.command(epilog="Example: threads-agent accounts refresh acc_4f1c2d3e5a6b7c8d")
@click.argument("account_ids", metavar="[ID]...", nargs=-1)
@json_option
@click.pass_context
def refresh(ctx: click.Context, account_ids: tuple[str, ...], *, as_json: bool) -> None:
    """Refresh the tokens of accounts ID, or all, encrypted with the key in force; named ones are active again."""
    from streams.wall_clock import utc_now

    found, now = asyncio.run(_refreshed(account_ids)), utc_now()
    if as_json:
        shown = [{**as_object(each.record, now), "outcome": each.outcome, "ok": each.is_well} for each in found]
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    for each in () if as_json else found:
        click.echo(f"{each.record.account_id} {each.record.username}: {each.outcome}")
    ctx.exit(0 if all(each.is_well for each in found) else FAILED_EXIT_STATUS)


@accounts.command(epilog="Example: threads-agent accounts remove acc_4f1c2d3e5a6b7c8d")
@click.argument("account_id", metavar="ID")
@json_option
def remove(account_id: str, *, as_json: bool) -> None:
    """Remove the account ID and its token; revoke that in the platform's settings too."""
    from streams.wall_clock import utc_now

    gone = asyncio.run(_removed(account_id))
    if as_json:
        click.echo(json.dumps(as_object(gone, utc_now()), ensure_ascii=False, indent=2))
    else:
        click.echo(f"removed    {gone.account_id} {gone.platform} {gone.username}")


async def _listed(*, with_removed: bool) -> list[PlatformAccount]:
    from agents.accounts.adding import open_accounts
    from streams.settings import current_settings

    async with open_accounts(current_settings()) as opened:
        found = opened.directory.known() if with_removed else _standing(opened)
        there = {each.account_id for each in found}
        return found + [each for each in _simulated(opened) if each.account_id not in there]


async def _checked(account_ids: Sequence[str]) -> list[Checked]:
    from agents.accounts.adding import open_accounts
    from agents.accounts.check import check_accounts
    from streams.settings import current_settings
    from streams.wall_clock import utc_now

    async with open_accounts(current_settings()) as opened:
        return await check_accounts(opened, _named(opened, account_ids), utc_now())


async def _refreshed(account_ids: Sequence[str]) -> list[Refreshed]:
    from agents.accounts.adding import open_accounts
    from agents.accounts.check import refresh_by_hand
    from streams.settings import current_settings
    from streams.wall_clock import utc_now

    async with open_accounts(current_settings()) as opened:
        named = _named(opened, account_ids)
        return [await refresh_by_hand(opened, each, utc_now(), lift=bool(account_ids)) for each in named]


async def _removed(account_id: str) -> PlatformAccount:
    from agents.accounts.adding import open_accounts, remove_account
    from streams.settings import current_settings
    from streams.wall_clock import utc_now

    async with open_accounts(current_settings()) as opened:
        return await remove_account(opened, account_id, utc_now())


def _named(opened: Accounts, account_ids: Sequence[str]) -> list[PlatformAccount]:
    from agents.accounts.adding import require

    return [require(opened.directory, each) for each in dict.fromkeys(account_ids)] or _standing(opened)


def _standing(opened: Accounts) -> list[PlatformAccount]:
    return [each for each in opened.directory.known() if each.state != "removed"]


def _simulated(opened: Accounts) -> list[PlatformAccount]:
    """Return the simulated accounts of personas in force that have no other."""
    from agents.accounts.directory import is_simulated

    personas = [each.persona for each in opened.personas.known()]
    found = [(each.tenant, opened.directory.record_of_persona(each.persona_id, "threads")) for each in personas]
    return [record for _, record in found if record is not None and is_simulated(record.account_id)]


def as_missing(record: PlatformAccount) -> dict[str, str]:
    """Return the missing permissions of an account, each with what it blocks."""
    from agents.accounts.permissions import missing_permissions

    return missing_permissions(record.platform, record.scopes)


def as_object(record: PlatformAccount, now: datetime) -> dict[str, object]:
    """Return what `--json` says of an account: its record without the token, however encrypted."""
    from agents.accounts.check import days_left
    from streams.json_records import render_record

    left = days_left(record, now)
    shown = {name: value for name, value in render_record(record).items() if name != "token_cipher"}
    return {
        **shown,
        "token_days_left": None if left is None else round(left, 2),
        "missing_permissions": as_missing(record),
    }


def checked_object(checked: Checked, now: datetime) -> dict[str, object]:
    """Return what `accounts check --json` says of an account."""
    quota = checked.quota
    return {
        **as_object(checked.record, now),
        "missing_permissions": dict(checked.missing),
        "ok": checked.problem is None,
        "problem": checked.problem,
        "quota_used": None if quota is None else quota.used,
        "quota_limit": None if quota is None else quota.limit,
    }


_ACCOUNT_COLUMNS = (
    Column("account", "id"),
    Column("platform", minor=1),
    Column("name", "id", minor=2),
    Column("personas", "text"),
    Column("state"),
    Column("days", "number"),
    Column("to do", "text"),
)


def accounts_table(found: Sequence[PlatformAccount], now: datetime) -> Table:
    """Return the table that `accounts list` prints."""
    return Table(
        _ACCOUNT_COLUMNS,
        [
            (
                each.account_id,
                each.platform,
                each.username,
                ", ".join(each.persona_ids),
                each.state,
                _days(each, now),
                "; ".join(([each.reason] if each.reason else []) + _blocked(as_missing(each))),
            )
            for each in found
        ],
        note="days: until the token ends; it is refreshed ahead of that by itself",
    )


_CHECK_COLUMNS = (
    Column("account", "id"),
    Column("name", "id", minor=1),
    Column("ok"),
    Column("state"),
    Column("days", "number"),
    Column("posts today", "number", minor=2),
    Column("to do", "text"),
)


def checks_table(found: Sequence[Checked], now: datetime) -> Table:
    """Return the table that `accounts check` prints."""
    return Table(
        _CHECK_COLUMNS,
        [
            (
                each.record.account_id,
                each.record.username,
                "no" if each.problem else "yes",
                each.record.state,
                _days(each.record, now),
                "" if each.quota is None or each.quota.used is None else f"{each.quota.used} of {each.quota.limit}",
                "; ".join(([each.problem] if each.problem else []) + _blocked(each.missing)),
            )
            for each in found
        ],
    )


def _blocked(missing: Mapping[str, str]) -> list[str]:
    return [f"without {name}: {blocked}" for name, blocked in missing.items()]


def _days(record: PlatformAccount, now: datetime) -> str:
    from agents.accounts.check import days_left

    left = days_left(record, now)
    return "" if left is None else f"{left:.0f}"
