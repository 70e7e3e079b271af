"""What `accounts add` does: a token from a file, the environment or a login, looked at, sealed and written."""

from __future__ import annotations

import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path

import click
from pydantic import SecretStr

from agents.accounts.adding import Wanted, added, base_url_of, open_accounts, tenant_of, threads_oauth, token_sources
from agents.accounts.directory import THREADS
from agents.accounts.login import code_by_listening, code_by_pasting
from agents.accounts.platform_http import PlatformHttp
from agents.accounts.settings import AccountSettings, secret_in
from agents.accounts.token_sources import AccountError, Grant
from agents.platforms.calls import checked_token
from schemas.records import PlatformAccount
from streams.settings import Settings
from streams.wall_clock import utc_now


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked `accounts add` for."""

    platform: str
    base_url: str | None = None
    persona_ids: tuple[str, ...] = ()
    username: str | None = None
    token_file: Path | None = None
    only_print: bool = False
    paste: bool = False


async def add_account(settings: Settings, asked: Asked) -> PlatformAccount:
    """Add an account, or renew the token of one that is there; return its record, which is on the topic then.

    Raises:
        AccountError: it can't be added as asked.
        PlatformError: the platform refuses the token or the login, or does not answer.
        SettingsError: a file with a secret can't be read, or there is no Kafka.
        Unavailable: Kafka does not answer.
    """
    wanted = Wanted(asked.platform, base_url_of(settings, asked.platform, asked.base_url), asked.persona_ids)
    async with open_accounts(settings) as accounts:
        if wanted.persona_ids:
            tenant_of(accounts.personas, wanted.persona_ids)  # before anybody logs in
        async with PlatformHttp(settings.of(AccountSettings).accounts_timeout_s) as http:
            grant = await _granted(settings, asked, wanted.base_url, http)
        record = added(accounts, wanted, grant, utc_now())
        await accounts.write(record)
        return record


async def _granted(settings: Settings, asked: Asked, base_url: str, http: PlatformHttp) -> Grant:
    token = _token(settings, asked)
    if token is not None:
        shown = checked_token(token.get_secret_value())
        return await token_sources(settings, http)[asked.platform].grant(base_url, shown, asked.username)
    if asked.platform != THREADS:
        raise AccountError(
            f"{asked.platform} needs a token: make one in the account's settings and name its file with --token-file, "
            "or set THREADS_ACCOUNT_TOKEN"
        )
    own, oauth = settings.of(AccountSettings), threads_oauth(settings, http)

    def authorize_url(redirect_url: str, state: str) -> str:
        return oauth.authorize_url(base_url, redirect_url, state)

    def show(address: str) -> None:
        click.echo(f"log in at  {address}", err=True)
        if not asked.only_print:
            _open(address)

    if asked.paste:
        code, redirect_url = code_by_pasting(own.threads_redirect_url, authorize_url, show, _pasted)
    else:
        code, redirect_url = await code_by_listening(
            own.threads_redirect_url, own.accounts_login_timeout_s, authorize_url, show
        )
    return await oauth.grant_for_code(base_url, redirect_url, code)


def _token(settings: Settings, asked: Asked) -> SecretStr | None:
    if asked.token_file is None:
        return settings.of(AccountSettings).account_token
    if str(asked.token_file) != "-":
        return secret_in(asked.token_file, "--token-file")
    found = sys.stdin.readline().strip()
    if not found:
        raise AccountError("--token-file - is stdin, and nothing came; pipe the token alone into it")
    return SecretStr(found)


def _pasted() -> str:
    return str(click.prompt("address that the browser came to", err=True))


def _open(address: str) -> None:
    try:
        webbrowser.open(address)
    except webbrowser.Error:
        click.echo("no browser is known here: open the address yourself", err=True)
