"""Erase a persona from the accounts: its own ones go with their tokens, from shared ones its name is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agents.accounts.directory import TOPIC
from schemas.records import PlatformAccount
from streams.engine.stage import Output
from streams.erasers import Holding
from streams.identity import derived_id
from streams.kafka.cluster import Cluster
from streams.kafka.compacted import bury, newest_records
from streams.kafka.producer import EventProducer
from streams.settings import Settings
from streams.wall_clock import utc_now


async def erase(settings: Settings, key: str, *, dry_run: bool) -> Sequence[Holding]:
    """Bury the accounts that only this persona publishes with; what others share stays theirs."""
    cluster = Cluster.of(settings)
    found = {
        place: account
        for place, account in (await newest_records(cluster, TOPIC)).items()
        if isinstance(account, PlatformAccount) and key in account.persona_ids
    }
    own = [place for place, account in found.items() if set(account.persona_ids) == {key}]
    shared = [account for place, account in found.items() if place not in own]
    if not dry_run:
        if own:
            await bury(cluster, TOPIC, own)
        if shared:
            async with EventProducer(cluster, cluster.open_registry()) as producer:
                await producer.append_all([Output(TOPIC.name, _without(account, key)) for account in shared])
    return [
        Holding("kafka", f"accounts of its own in {TOPIC.name}", len(own)),
        Holding("kafka", f"accounts that it shares in {TOPIC.name}", len(shared)),
    ]


def _without(account: PlatformAccount, persona_id: str) -> PlatformAccount:
    now = utc_now()
    return replace(
        account,
        event_id=derived_id(account.account_id, "without a persona", now.isoformat()),
        occurred_at=now,
        persona_ids=tuple(each for each in account.persona_ids if each != persona_id),
    )
