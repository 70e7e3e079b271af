"""Tokens refreshed ahead of their end, so that nobody has to log in again; and sealed with the key in force.

Two who refresh at once do no harm: Threads keeps both tokens good, and the newer one is what counts (`in_force`).
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from agents.accounts.adding import token_sources
from agents.accounts.directory import TOPIC, AccountDirectory, NoAccount, in_force, is_simulated, with_state
from agents.accounts.platform_http import PlatformHttp
from agents.accounts.settings import AccountSettings
from agents.accounts.token_sources import TokenSource
from agents.platforms.contract import Account, PlatformError, Restricted, TokenRejected
from schemas.records import PlatformAccount
from streams.engine.stage import Output
from streams.identity import derived_id
from streams.kafka.producer import EventProducer
from streams.settings import Settings, current_settings

logger = logging.getLogger(__name__)

UNKNOWN_END_AFTER = timedelta(days=30)  # a token whose end is not known is refreshed at half of what Threads gives
RENEWED_BY_ADDING = "add the account again with `threads-agent accounts add`"


def is_due(record: PlatformAccount, source: TokenSource, now: datetime, ahead: timedelta) -> bool:
    """Tell whether a token is to be refreshed: it ends within `ahead`, is old enough, and still good."""
    if not may_refresh(record, source, now) or record.state != "active":
        return False
    if record.token_expires_at is None:
        return now - (record.token_refreshed_at or record.occurred_at) >= UNKNOWN_END_AFTER
    return record.token_expires_at - now <= ahead


def may_refresh(record: PlatformAccount, source: TokenSource, now: datetime) -> bool:
    """Tell whether the platform would refresh a token: it renews tokens, and this one is old enough and not ended."""
    if source.least_age is None or record.token_cipher is None or has_ended(record, now):
        return False
    return now - (record.token_refreshed_at or record.occurred_at) >= source.least_age


def has_ended(record: PlatformAccount, now: datetime) -> bool:
    """Tell whether a token's time is over."""
    return record.token_expires_at is not None and record.token_expires_at <= now


async def refresh_due(
    directory: AccountDirectory, producer: EventProducer, now: datetime, settings: Settings | None = None
) -> list[PlatformAccount]:
    """Do one round: refresh tokens that end soon, and return the records that were written.

    A token that ended or is rejected turns its account to `token_rejected`, with what to do. One whose platform is away
    is left for the next round. What a writer overruled who knew of no newer token is written again, and tokens that are
    sealed with an old key are sealed with the one in force.

    Raises:
        Unavailable: Kafka does not answer.
    """
    chosen = settings or current_settings()
    ahead = timedelta(days=chosen.of(AccountSettings).accounts_refresh_ahead_days)
    await directory.refresh()
    written: list[PlatformAccount] = []
    async with PlatformHttp(chosen.of(AccountSettings).accounts_timeout_s) as http:
        sources = token_sources(chosen, http)
        for record in directory.known():
            source = sources.get(record.platform)
            if record.state == "removed" or source is None:
                continue
            changed = await _looked_after(directory, record, source, now, ahead)
            if changed is not None:
                wrote = await _written(directory, producer, record, changed)
                written += [] if wrote is None else [wrote]
    return written


async def _looked_after(
    directory: AccountDirectory, record: PlatformAccount, source: TokenSource, now: datetime, ahead: timedelta
) -> PlatformAccount | None:
    if record.state == "active" and has_ended(record, now):
        return with_state(record, "token_rejected", f"the token ended; {RENEWED_BY_ADDING}", now)
    if is_due(record, source, now, ahead):
        try:
            return await refreshed(directory, record, source, now)
        except TokenRejected as rejected:
            return with_state(record, "token_rejected", str(rejected), now)
        except Restricted as restricted:
            return with_state(record, "restricted", str(restricted), now)
        except (PlatformError, NoAccount) as error:
            logger.warning("The token of account %s is not refreshed yet: %s", record.account_id, error)
    if record.account_id in directory.overruled:
        return replace(record, event_id=derived_id(record.event_id, "again", now.isoformat()))
    return resealed(directory, record, now)


async def refreshed(
    directory: AccountDirectory, record: PlatformAccount, source: TokenSource, now: datetime
) -> PlatformAccount:
    """Return an account with a new token, not yet on the topic; a `token_rejected` one is active again.

    Raises:
        PlatformError: the platform refuses, or is away.
        NoAccount: the token can't be decrypted.
    """
    account: Account = directory.account(record.account_id)
    renewal = await source.renewed(account.base_url, account.token)
    sealed = directory.vault.seal(record.account_id, renewal.token)
    state = "active" if record.state == "token_rejected" else record.state
    return replace(
        record,
        event_id=derived_id(record.account_id, "refreshed", now.isoformat()),
        occurred_at=now,
        token_cipher=sealed.cipher,
        key_id=sealed.key_id,
        token_expires_at=renewal.expires_at,
        token_refreshed_at=now,
        state=state,
        reason=None if state == "active" else record.reason,
    )


def resealed(directory: AccountDirectory, record: PlatformAccount, now: datetime) -> PlatformAccount | None:
    """Return an account whose token is sealed with the key in force; None where it is already, or can't be opened."""
    if record.token_cipher is None or record.key_id == directory.vault.key_id:
        return None
    try:
        token = directory.account(record.account_id).token
    except NoAccount as error:
        if not is_simulated(record.account_id):
            logger.warning("%s", error)
        return None
    sealed = directory.vault.seal(record.account_id, token)
    event_id = derived_id(record.account_id, "sealed", sealed.key_id, now.isoformat())
    return replace(record, event_id=event_id, token_cipher=sealed.cipher, key_id=sealed.key_id)


async def _written(
    directory: AccountDirectory, producer: EventProducer, before: PlatformAccount, changed: PlatformAccount
) -> PlatformAccount | None:
    """Write a change, together with what came meanwhile, and return what was written; None where that rules it out."""
    await directory.refresh()
    present = directory.find(before.account_id)
    wanted = changed if present == before else together(present, before, changed)
    if wanted is None:
        logger.info("Account %s was changed meanwhile; the next round looks at it again", before.account_id)
        return None
    await producer.append_all([Output(TOPIC.name, wanted)])
    directory.put(wanted)
    return wanted


def together(
    present: PlatformAccount | None, before: PlatformAccount, changed: PlatformAccount
) -> PlatformAccount | None:
    """Return what came meanwhile with a change's token; None unless that is the newer one and the account is there."""
    is_new = changed.token_refreshed_at != before.token_refreshed_at
    if present is None or present.state == "removed" or not is_new or in_force(present, changed) is not changed:
        return None
    state = "active" if present.state == "token_rejected" else present.state
    return replace(
        changed,
        persona_ids=present.persona_ids,
        tenant=present.tenant,
        scopes=present.scopes,
        state=state,
        reason=None if state == "active" else present.reason,
    )
