"""Accounts as tests need them, and a directory of them that needs no broker."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from agents.accounts.directory import AccountDirectory
from agents.accounts.vault import Vault
from agents.platforms.contract import Account
from schemas.records import PlatformAccount
from streams.identity import derived_id
from tests.support.listed_tail import ListedTail

NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
KEY = b"a key of the vault, of 32 bytes or more"
OLD_KEY = b"the key that the vault had in the past"
CANARY = "THQVJ-canary-token-that-nobody-may-see-0123456789"
SIMULATOR = "http://127.0.0.1:4321/v1.0"


def account_record(account_id: str = "acc_1", *, token: str | None = CANARY, **values: Any) -> PlatformAccount:
    """Return a record of an account on Threads whose token is sealed with `KEY`."""
    sealed = None if token is None else Vault(KEY).seal(account_id, token)
    given: dict[str, Any] = {
        "event_id": derived_id(account_id, "test"),
        "occurred_at": NOW,
        "account_id": account_id,
        "platform": "threads",
        "base_url": "https://graph.threads.net/v1.0",
        "user_id": "17841400000000001",
        "username": "ada.writes",
        "persona_ids": ("ada",),
        "token_cipher": None if sealed is None else sealed.cipher,
        "key_id": None if sealed is None else sealed.key_id,
        "scopes": (),
        "token_refreshed_at": NOW,
    }
    return PlatformAccount(**{**given, **values})


def record_of(account: Account, vault: Vault, *persona_ids: str) -> PlatformAccount:
    """Return the record of an account that is there, its token sealed by a vault."""
    sealed = vault.seal(account.account_id, account.token)
    return account_record(
        account.account_id,
        token=None,
        platform=account.platform,
        base_url=account.base_url,
        user_id=account.user_id,
        username=account.username,
        persona_ids=persona_ids,
        token_cipher=sealed.cipher,
        key_id=sealed.key_id,
    )


def listed(
    records: Iterable[PlatformAccount] = (), *, simulator: str | None = None, old_keys: tuple[bytes, ...] = ()
) -> AccountDirectory:
    """Return a directory that has taken records over, in this order."""
    directory = AccountDirectory(ListedTail(), lambda: Vault(KEY, old_keys), lambda: simulator)
    for each in records:
        directory.put(each)
    return directory
