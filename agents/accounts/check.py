"""Checking accounts: whether the platform takes a token, whose it is, what it may do, and what may be published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from agents.accounts.adding import Accounts, threads_oauth, token_sources
from agents.accounts.directory import SIMULATED, THREADS, NoAccount, is_simulated, with_state
from agents.accounts.permissions import BLOCKED_WITHOUT, NEEDED, missing_permissions
from agents.accounts.platform_http import PlatformHttp
from agents.accounts.refresh import has_ended, may_refresh, refreshed, resealed
from agents.accounts.settings import AccountSettings
from agents.accounts.token_sources import TokenSource
from agents.platforms.clients import clients
from agents.platforms.contract import (
    Account,
    PermissionMissing,
    Platform,
    PlatformError,
    Quota,
    Restricted,
    TokenRejected,
)
from schemas.records import PlatformAccount
from streams.errors import ThreadsError
from streams.identity import derived_id


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found; `problem` is None where posts can be published with the account."""

    record: PlatformAccount
    problem: str | None = None
    quota: Quota | None = None
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What came of a refresh by hand: in words, and whether it is well."""

    record: PlatformAccount
    outcome: str
    is_well: bool = True


async def check_accounts(accounts: Accounts, records: list[PlatformAccount], now: datetime) -> list[Checked]:
    """Ask the platforms about accounts, and write what is other than it was: permissions, and the state of a token.

    Raises:
        Unavailable: Kafka does not answer.
    """
    callers = clients(accounts.settings)
    try:
        async with PlatformHttp(accounts.settings.of(AccountSettings).accounts_timeout_s) as http:
            check = _Check(accounts, http, callers)
            found = [await check.of(each, now) for each in records]
    finally:
        for each in callers.values():
            await each.close()
    changed = [after.record for before, after in zip(records, found, strict=True) if after.record != before]
    if changed:
        await accounts.write(*changed)
    return found


class _Check:
    def __init__(self, accounts: Accounts, http: PlatformHttp, callers: Mapping[str, Platform]) -> None:
        self._directory = accounts.directory
        self._threads = threads_oauth(accounts.settings, http)
        self._sources = token_sources(accounts.settings, http)
        self._callers = callers

    async def of(self, record: PlatformAccount, now: datetime) -> Checked:
        try:
            account = self._directory.account(record.account_id)
            scopes, quota, lacking = await self._asked(account)
        except TokenRejected as rejected:
            return Checked(with_state(record, "token_rejected", str(rejected), now), str(rejected))
        except Restricted as restricted:
            return Checked(with_state(record, "restricted", str(restricted), now), str(restricted))
        except ThreadsError as error:  # no account to call with, or a platform that is away
            return Checked(record, str(error), missing=missing_permissions(record.platform, record.scopes))
        seen = record
        if scopes and set(scopes) != set(record.scopes) and not record.account_id.startswith(SIMULATED):
            seen = replace(record, event_id=derived_id(record.account_id, "seen", now.isoformat()), scopes=scopes)
        if record.state == "token_rejected":
            seen = with_state(seen, "active", None, now)
        missing = {**missing_permissions(record.platform, scopes), **lacking}
        return Checked(seen, _problem(seen, missing), quota, missing)

    async def _asked(self, account: Account) -> tuple[tuple[str, ...], Quota | None, dict[str, str]]:
        """Return the permissions, the quota where the platform tells one, and permissions that this was refused for."""
        caller = self._callers.get(account.platform)
        if caller is None:
            raise NoAccount(f"there is no client for {account.platform} in this version; upgrade it")
        scopes = tuple(sorted(account.scopes))
        if account.platform == THREADS:
            scopes = await self._threads.scopes(account.base_url, account.token) or scopes
        elif BLOCKED_WITHOUT.get(account.platform):
            grant = await self._sources[account.platform].grant(account.base_url, account.token, account.user_id)
            scopes = grant.scopes or scopes
        _same(account, (await caller.profile(account)).user_id)
        try:
            return scopes, await caller.quota(account), {}
        except PermissionMissing as missing:
            blocked = BLOCKED_WITHOUT.get(account.platform, {}).get(missing.permission, str(missing))
            return scopes, None, {missing.permission: blocked}


def _same(account: Account, user_id: str) -> None:
    if user_id != account.user_id:
        raise TokenRejected(
            f"the token is one of the user {user_id}, not of {account.username} ({account.user_id}); add it as an "
            "account of its own"
        )


def _problem(record: PlatformAccount, missing: Mapping[str, str]) -> str | None:
    if record.state != "active":
        return f"{record.state}: {record.reason or 'add the account again'}"
    needed = NEEDED.get(record.platform)
    return f"nothing can be published: grant {needed}, and add the account again" if needed in missing else None


async def refresh_by_hand(accounts: Accounts, record: PlatformAccount, now: datetime, *, lift: bool) -> Refreshed:
    """Renew an account's token where the platform does that, seal it with the key in force, and write it.

    `lift`: a person named this account; where the platform takes its token it is active again, whatever it was.

    Raises:
        Unavailable: Kafka does not answer.
    """
    async with PlatformHttp(accounts.settings.of(AccountSettings).accounts_timeout_s) as http:
        source = token_sources(accounts.settings, http)[record.platform]
        try:
            done = await _renewed(accounts, record, source, now)
            if lift and done.record.state != "active":
                account = accounts.directory.account(record.account_id)
                await source.grant(account.base_url, account.token, account.user_id)
                done = Refreshed(with_state(done.record, "active", None, now), f"{done.outcome}; active again")
        except TokenRejected as rejected:
            done = Refreshed(with_state(record, "token_rejected", str(rejected), now), str(rejected), is_well=False)
        except (PlatformError, NoAccount) as error:
            return Refreshed(record, str(error), is_well=False)
    if done.record != record:
        await accounts.write(done.record)
    return done


async def _renewed(accounts: Accounts, record: PlatformAccount, source: TokenSource, now: datetime) -> Refreshed:
    if may_refresh(record, source, now):
        changed = await refreshed(accounts.directory, record, source, now)
        return Refreshed(changed, f"refreshed, {lasting(changed, now)}")
    if has_ended(record, now):
        raise TokenRejected("the token ended and can't be refreshed any more; add the account again")
    changed = resealed(accounts.directory, record, now) or record
    if is_simulated(record.account_id) and record.token_cipher is None:
        why = "a simulated account's token does not end"
    elif source.least_age is None:
        why = "the platform's tokens hold until they are revoked"
    else:
        why = f"refreshed from an age of {source.least_age / timedelta(hours=1):g} h on; {lasting(record, now)}"
    return Refreshed(changed, why if changed is record else f"{why}; sealed with the key {changed.key_id}")


def days_left(record: PlatformAccount, now: datetime) -> float | None:
    """Return the days until a token ends; None where it does not, or that is not known."""
    return None if record.token_expires_at is None else (record.token_expires_at - now) / timedelta(days=1)


def lasting(record: PlatformAccount, now: datetime) -> str:
    """Say how long a token is good still."""
    left = days_left(record, now)
    if left is None:
        return "its end is not known"
    return f"good for {left:.0f} days" if left > 0 else f"ended {-left:.0f} days ago"
