"""Adding and removing accounts: whose posts they publish, checked against the personas, and their sealed tokens."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from pydantic import SecretStr

from agents.accounts.directory import (
    AT_SIMULATOR,
    SIMULATED,
    THREADS,
    TOPIC,
    AccountDirectory,
    SimulatorAddress,
    account_directory,
    with_state,
)
from agents.accounts.platform_http import PlatformHttp
from agents.accounts.settings import AccountSettings, app_secret
from agents.accounts.threads_oauth import ThreadsOAuth
from agents.accounts.token_sources import AccountError, BlueskyPasswords, Grant, MastodonTokens, TokenSource
from agents.personas.directory import PersonaDirectory
from agents.personas.persona_topic import persona_directory
from schemas.records import PlatformAccount
from streams.engine.stage import Output
from streams.identity import derived_id
from streams.kafka.cluster import Cluster
from streams.kafka.producer import EventProducer
from streams.settings import Settings
from streams.wall_clock import utc_now

BLUESKY_URL = "https://bsky.social"
SIMULATED_APP_ID, SIMULATED_APP_SECRET = "simulated", "simulated-app-secret"
ID_DIGITS = 16
THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


@dataclass(slots=True)
class Accounts:
    """The accounts and personas as they are now, and what is needed to change them."""

    settings: Settings
    directory: AccountDirectory
    personas: PersonaDirectory
    producer: EventProducer

    async def write(self, *records: PlatformAccount) -> None:
        """Make records durable, and take them in.

        Raises:
            Unavailable: Kafka does not answer.
        """
        await self.producer.append_all([Output(TOPIC.name, each) for each in records])
        for each in records:
            self.directory.put(each)


@asynccontextmanager
async def open_accounts(settings: Settings) -> AsyncIterator[Accounts]:
    """Open the accounts and personas of the topics.

    Raises:
        Unavailable: Kafka does not answer.
        SettingsError: there is no Kafka.
    """
    cluster = await Cluster.reached(settings)
    registry = cluster.open_registry()
    directory = await account_directory(cluster, registry, settings).read_once()
    personas = await persona_directory(cluster, registry).read_once()
    async with EventProducer(cluster, registry) as producer:
        try:
            yield Accounts(settings, directory, personas, producer)
        finally:
            await directory.close()


def token_sources(
    settings: Settings, http: PlatformHttp, clock: Callable[[], datetime] = utc_now
) -> dict[str, TokenSource]:
    """Return what gives tokens, by platform.

    Raises:
        SettingsError: the file with the secret of the Threads app can't be read.
    """
    sources: list[TokenSource] = [threads_oauth(settings, http, clock), BlueskyPasswords(http), MastodonTokens(http)]
    return {each.platform: each for each in sources}


def threads_oauth(settings: Settings, http: PlatformHttp, clock: Callable[[], datetime] = utc_now) -> ThreadsOAuth:
    """Return the OAuth of Threads with the app of the settings, or that of the simulator."""
    own = settings.of(AccountSettings)
    app_id, secret = own.threads_app_id, app_secret(settings)
    if own.threads_api_url is None:
        app_id, secret = app_id or SIMULATED_APP_ID, secret or SecretStr(SIMULATED_APP_SECRET)
    return ThreadsOAuth(http, app_id, secret, clock)


def base_url_of(settings: Settings, platform: str, given: str | None) -> str:
    """Return the address of a platform's API: as given, by setting, or the simulator's.

    Raises:
        AccountError: there is none, or a token would go there unencrypted.
    """
    if given is not None:
        parts = urlsplit(given)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in THIS_MACHINE):
            raise AccountError(f"expected a --base-url with https (http for this machine alone), got {given!r}")
        if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
            raise AccountError(f"expected a --base-url such as https://mastodon.example, got {given!r}")
        return given.rstrip("/")
    if platform == THREADS:
        found = settings.of(AccountSettings).threads_api_url or SimulatorAddress(settings)()
        if found is None:
            raise AccountError(
                "there is no Threads to add an account of: set THREADS_API_URL=https://graph.threads.net, or start the "
                "simulator with `threads-agent up`"
            )
        return found
    if platform == BlueskyPasswords.platform:
        return BLUESKY_URL
    raise AccountError(f"name the server of the account with --base-url, e.g. --base-url https://{platform}.example")


def account_id_of(platform: str, base_url: str, user_id: str, *, simulated: bool) -> str:
    """Return the id of an account: the same whenever it is added, so that adding it again renews its token."""
    where = "simulator" if simulated else urlsplit(base_url).netloc.lower()
    digest = hashlib.sha256("\n".join((platform, where, user_id)).encode()).hexdigest()[:ID_DIGITS]
    return f"{AT_SIMULATOR if simulated else 'acc_'}{digest}"


def tenant_of(personas: PersonaDirectory, persona_ids: Sequence[str]) -> str:
    """Return the one tenant of personas.

    Raises:
        AccountError: one of them is not in force, or they are of several tenants.
    """
    tenants: dict[str, str] = {}
    for persona_id in persona_ids:
        found = personas.find(persona_id)
        if found is None:
            raise AccountError(
                f"persona {persona_id!r} is not in force; apply it with `threads-agent personas apply`, or see "
                "`threads-agent personas list`"
            )
        tenants[persona_id] = found.persona.tenant
    if len(set(tenants.values())) > 1:
        whose = ", ".join(f"{persona_id} of {tenant}" for persona_id, tenant in sorted(tenants.items()))
        raise AccountError(f"an account belongs to one tenant, these personas are of several: {whose}")
    return next(iter(tenants.values()))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What account is added: where, and for which personas."""

    platform: str
    base_url: str
    persona_ids: tuple[str, ...] = ()


def added(accounts: Accounts, wanted: Wanted, grant: Grant, now: datetime) -> PlatformAccount:
    """Return the record of an account with a grant, not yet on the topic.

    One that was there keeps its personas where none are named.

    Raises:
        AccountError: a persona is not in force, of another tenant, or has another account on the platform.
        SettingsError: the key of the tokens can't be read.
    """
    platform, base_url = wanted.platform, wanted.base_url
    simulated = platform == THREADS and base_url == SimulatorAddress(accounts.settings)()
    account_id = account_id_of(platform, base_url, grant.user_id, simulated=simulated)
    before = accounts.directory.find(account_id)
    kept = () if before is None or before.state == "removed" else before.persona_ids
    persona_ids = tuple(dict.fromkeys(wanted.persona_ids)) or kept
    if not persona_ids:
        raise AccountError("name the personas that publish with the account, e.g. --persona ada")
    tenant = tenant_of(accounts.personas, persona_ids)
    if before is not None and before.state != "removed" and before.tenant != tenant:
        raise AccountError(
            f"account {account_id} belongs to tenant {before.tenant}, the personas to {tenant}; "
            f"`threads-agent accounts remove {account_id}` it first"
        )
    for persona_id in persona_ids:
        other = accounts.directory.record_of_persona(persona_id, platform)
        if other is not None and other.account_id not in (account_id, SIMULATED + persona_id):
            raise AccountError(
                f"persona {persona_id!r} publishes with account {other.account_id} ({other.username}) on {platform} "
                f"already, and a persona has one account on a platform; `threads-agent accounts remove "
                f"{other.account_id}` it first"
            )
    sealed = accounts.directory.vault.seal(account_id, grant.token)
    return PlatformAccount(
        event_id=derived_id(account_id, "added", now.isoformat()),
        occurred_at=now,
        account_id=account_id,
        tenant=tenant,
        platform=platform,
        base_url=base_url,
        user_id=grant.user_id,
        username=grant.username,
        persona_ids=persona_ids,
        token_cipher=sealed.cipher,
        key_id=sealed.key_id,
        scopes=grant.scopes,
        token_expires_at=grant.expires_at,
        token_refreshed_at=now,
    )


def require(directory: AccountDirectory, account_id: str) -> PlatformAccount:
    """Return an account that is not removed.

    Raises:
        AccountError: there is none of that id.
    """
    found = directory.find(account_id)
    if found is None or found.state == "removed":
        raise AccountError(f"there is no account {account_id!r}; see `threads-agent accounts list`")
    return found


async def remove_account(accounts: Accounts, account_id: str, now: datetime) -> PlatformAccount:
    """Take an account's token away; its record stays, for the posts that were published with it.

    Raises:
        AccountError: there is none of that id.
        Unavailable: Kafka does not answer.
    """
    gone = with_state(require(accounts.directory, account_id), "removed", "removed by hand", now)
    await accounts.write(gone)
    return gone
