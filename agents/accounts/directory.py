"""The account directory: which account a persona publishes with. The compacted topic platform.accounts is what counts.

Where Threads is the simulator of the embedded stack, every persona without an account has a simulated one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from agents.accounts.settings import LATEST_VERSION, AccountSettings
from agents.accounts.vault import AGAIN, Sealed, Vault, VaultError, vault_of
from agents.platforms.contract import Account
from agents.platforms.threads_ids import simulated_user_id
from schemas.catalogue import topic_named
from schemas.records import AccountState, PlatformAccount
from schemas.registries.registry import SchemaRegistry
from streams.endpoints import FILE_NAME, read_endpoints
from streams.errors import ThreadsError
from streams.identity import derived_id
from streams.kafka.cluster import Cluster
from streams.kafka.tailed_table import Tail, TailedTable
from streams.kafka.topic_tail import WHOLE, TopicTail
from streams.settings import Settings

TOPIC = topic_named("platform.accounts")
THREADS = "threads"
SIMULATED = "simulated-"  # and the persona's id: an account that the simulator makes for it
AT_SIMULATOR = "acc_simulated_"  # an account that was added by a login at the simulator
ADD = "add one with `threads-agent accounts add`"
_NEVER = datetime.fromtimestamp(0, UTC)


class NoAccount(ThreadsError):
    """There is no account to publish with; the message says what to do.

    `record` is the account that is there but can't be used, None where there is none.
    """

    def __init__(self, message: str, record: PlatformAccount | None = None) -> None:
        super().__init__(message)
        self.record = record


class AccountDirectory(TailedTable[PlatformAccount]):
    """What a process knows of the accounts; the newest record of each counts.

    But a record that was written by one who did not know of a newer token takes none away: see `in_force`. Accounts
    whose last record is not in force are `overruled`, until what is in force is written again.
    """

    def __init__(
        self,
        tail: Tail[PlatformAccount],
        vault: Callable[[], Vault],
        simulator: Callable[[], str | None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep up with a tail; the vault is opened with the first token, `simulator` tells the base URL, if any."""
        super().__init__(tail, monotonic)
        self._known: dict[str, PlatformAccount] = {}
        self._of_persona: dict[str, dict[str, str]] = {}  # of each persona, platform to account_id
        self.overruled: set[str] = set()
        self._simulator = simulator
        self._open_vault = vault
        self._opened: Vault | None = None

    def put(self, record: PlatformAccount) -> None:
        """Take over an account, also one that is only on its way to the topic."""
        old = self._known.get(record.account_id)
        taken = record if old is None else in_force(old, record)
        self.drop(record.account_id.encode())
        self._known[taken.account_id] = taken
        if taken is not record:
            self.overruled.add(taken.account_id)
        if taken.state != "removed" and not _is_made(taken.account_id):
            for persona_id in taken.persona_ids:
                self._of_persona.setdefault(persona_id, {})[taken.platform] = taken.account_id

    def drop(self, key: bytes) -> None:
        """Forget an account."""
        old = self._known.pop(key.decode(errors="replace"), None)
        self.overruled.discard(key.decode(errors="replace"))
        for persona_id in () if old is None else old.persona_ids:
            accounts = self._of_persona.get(persona_id, {})
            if old is not None and accounts.get(old.platform) == old.account_id:
                del accounts[old.platform]

    @property
    def vault(self) -> Vault:
        """The vault of the tokens; raises `SettingsError` where its key can't be read."""
        if self._opened is None:
            self._opened = self._open_vault()
        return self._opened

    def known(self) -> list[PlatformAccount]:
        """Return the records of all accounts on the topic, removed ones too, by platform and name."""
        found = (each for each in map(self.find, self._known) if each is not None)
        return sorted(found, key=lambda each: (each.platform, each.username, each.account_id))

    def find(self, account_id: str) -> PlatformAccount | None:
        """Return an account whatever its state, a simulated one too; None where there is none."""
        found = self._known.get(account_id)
        base_url = self._simulator() if is_simulated(account_id) else None
        if base_url is None:
            return found
        if found is not None:
            return replace(found, base_url=base_url)  # the simulator's port may be another one than it was
        return _simulated(account_id.removeprefix(SIMULATED), base_url) if _is_made(account_id) else None

    def account(self, account_id: str) -> Account:
        """Return an account to call with, whatever its state, as long as it has a token.

        Raises:
            NoAccount: there is none, it was removed, or its token can't be decrypted.
            SettingsError: the key of the tokens can't be read.
        """
        record = self.find(account_id)
        if record is None:
            raise NoAccount(f"there is no account {account_id!r}; see `threads-agent accounts list`, or {ADD}")
        return self._account(record)

    def of_persona(self, persona_id: str, platform: str | None = None) -> Account:
        """Return the account that a persona publishes with: of a platform, else that on Threads, else its first.

        Raises:
            NoAccount: it has none, or one that is not active (`record` says which), or its token can't be decrypted.
            SettingsError: the key of the tokens can't be read.
        """
        record = self.record_of_persona(persona_id, platform)
        if record is None:
            where = "" if platform is None else f" on {platform}"
            raise NoAccount(
                f"persona {persona_id!r} has no account{where}; add one with "
                f"`threads-agent accounts add {platform or THREADS} --persona {persona_id}`"
            )
        if record.state != "active":
            raise NoAccount(f"account {record.account_id} is {record.state}: {record.reason or AGAIN}", record)
        return self._account(record)

    def record_of_persona(self, persona_id: str, platform: str | None = None) -> PlatformAccount | None:
        """Return the account that a persona publishes with, whatever its state; None where it has none."""
        own = self._of_persona.get(persona_id, {})
        wanted = platform or (THREADS if THREADS in own else min(own, default=THREADS))
        if wanted in own:
            return self.find(own[wanted])
        if wanted == THREADS and self._simulator() is not None:
            return self.find(SIMULATED + persona_id)
        return None

    def _account(self, record: PlatformAccount) -> Account:
        return Account(
            account_id=record.account_id,
            platform=record.platform,
            base_url=record.base_url,
            user_id=record.user_id,
            username=record.username,
            token=self._token(record),
            scopes=frozenset(record.scopes),
            simulated=is_simulated(record.account_id),
        )

    def _token(self, record: PlatformAccount) -> str:
        if is_simulated(record.account_id) and self._simulator() is None:
            raise NoAccount(
                f"account {record.account_id} is simulated and no simulator runs here; start it with "
                f"`threads-agent up`, or {ADD}",
                record,
            )
        if _is_made(record.account_id) and record.state != "removed":
            return f"SIMULATED-{record.account_id.removeprefix(SIMULATED)}"
        if record.token_cipher is None or record.key_id is None:
            raise NoAccount(f"account {record.account_id} has no token ({record.state}); {AGAIN}", record)
        try:
            return self.vault.unseal(record.account_id, Sealed(record.token_cipher, record.key_id))
        except VaultError as error:
            raise NoAccount(str(error), record) from None


def is_simulated(account_id: str) -> bool:
    """Tell whether an account is one at the simulator."""
    return account_id.startswith((SIMULATED, AT_SIMULATOR))


def _is_made(account_id: str) -> bool:
    """Tell whether an account is one that the simulator makes for a persona by itself."""
    return account_id.startswith(SIMULATED)


def account_directory(cluster: Cluster, registry: SchemaRegistry, settings: Settings) -> AccountDirectory:
    """Return the directory of the real topic; nothing is connected yet."""
    tail = TopicTail(cluster, registry, {TOPIC: WHOLE}, PlatformAccount)
    return AccountDirectory(tail, lambda: vault_of(settings), SimulatorAddress(settings))


def with_state(record: PlatformAccount, state: str, reason: str | None, now: datetime) -> PlatformAccount:
    """Return an account in another state: active, token_rejected, restricted or removed, which takes its token away."""
    known: tuple[AccountState, ...] = get_args(AccountState)
    wanted = next((each for each in known if each == state), None)
    if wanted is None:
        raise ValueError(f"expected a state out of {', '.join(known)}, got {state!r}")
    changed = replace(
        record,
        event_id=derived_id(record.account_id, wanted, now.isoformat()),
        occurred_at=now,
        state=wanted,
        reason=None if wanted == "active" else reason,
    )
    if wanted != "removed":
        return changed
    return replace(changed, token_cipher=None, key_id=None, token_expires_at=None, token_refreshed_at=now)


def in_force(old: PlatformAccount, new: PlatformAccount) -> PlatformAccount:
    """Return what counts of two records of an account, `new` being the later one on the topic.

    That is `new`, unless its writer did not know of the newer token in `old`. Then the token stays, what `new` says of
    the old token does not count, and a restriction does, as it is the account's.
    """
    if (new.token_refreshed_at or _NEVER) >= (old.token_refreshed_at or _NEVER):
        return new
    if new.state != "restricted" or old.state == "removed":
        return old
    return replace(old, event_id=new.event_id, occurred_at=new.occurred_at, state=new.state, reason=new.reason)


class SimulatorAddress:
    """The base URL of the simulator's API, where Threads is the simulator of the embedded stack; else None."""

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home
        self._is_simulated = settings.of(AccountSettings).threads_api_url is None
        self._seen: tuple[int, int] | None = None
        self._address: str | None = None

    def __call__(self) -> str | None:
        """Return the address; the file is read again when it was replaced, as a simulator has a new port each time."""
        if not self._is_simulated:
            return None
        seen = _mark(self._home / FILE_NAME)
        if seen != self._seen:
            simulator = read_endpoints(self._home).simulator
            self._address = None if simulator is None else simulator.rstrip("/") + LATEST_VERSION
            self._seen = seen
        return self._address


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _simulated(persona_id: str, base_url: str) -> PlatformAccount:
    account_id = SIMULATED + persona_id
    return PlatformAccount(
        event_id=derived_id(account_id),
        occurred_at=_NEVER,
        account_id=account_id,
        platform=THREADS,
        base_url=base_url,
        user_id=simulated_user_id(persona_id),
        username=persona_id,
        persona_ids=(persona_id,),
    )
