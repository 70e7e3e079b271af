"""The record of arms on `hooks.arms`: its checksum and version, and whether it can be believed."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict

from agents.learning.bandit.arms import POLICY, BanditPolicy, arms_of, newest_of
from agents.learning.bandit.choosing import Arms
from schemas.records import HookArm, HookArms, HookReward
from streams.errors import ThreadsError
from streams.identity import derived_id

TOPIC = "hooks.arms"
_VERSION_DIGITS = 16


class BadArms(ThreadsError):
    """A record of arms does not say what its checksum was made of, or can't be chosen by."""


def record_of(persona_id: str, rewards: Sequence[HookReward], policy: BanditPolicy = POLICY) -> HookArms | None:
    """Return the arms of one persona as a record, None where no reward is known.

    It follows from the set of rewards alone: made anew from the log it is the same, byte for byte.
    """
    newest = newest_of(rewards)
    if not newest:
        return None
    arms = arms_of(newest, policy)
    as_of = max(each.occurred_at for each in newest)
    checksum = checksum_of(persona_id, len(newest), arms)
    return HookArms(
        event_id=derived_id(persona_id, "arms", checksum),
        occurred_at=as_of,
        persona_id=persona_id,
        causation_id=None,
        version=checksum[:_VERSION_DIGITS],
        rewards=len(newest),
        arms=arms,
        checksum=checksum,
    )


def arms_in(record: HookArms) -> Arms:
    """Return the arms of a record.

    Raises:
        BadArms: its checksum is of something else, or a parameter is none of a Beta distribution.
    """
    if checksum_of(record.persona_id, record.rewards, record.arms) != record.checksum:
        raise BadArms(
            f"the arms of {record.persona_id}, version {record.version}, are not those its checksum was made of: "
            "the next rewards make new ones; until then the last good ones are chosen by"
        )
    bad = [each.style for each in record.arms if not (_is_parameter(each.alpha) and _is_parameter(each.beta))]
    if bad:
        raise BadArms(f"the arms of {record.persona_id}, version {record.version}, have no distribution of {bad[0]!r}")
    return Arms(record.version, record.arms)


def checksum_of(persona_id: str, rewards: int, arms: Sequence[HookArm]) -> str:
    """Return the SHA-256, 64 hex digits, of what a record of arms says; floats count by their bits."""
    told = [{name: _exact(value) for name, value in asdict(each).items()} for each in arms]
    text = json.dumps([persona_id, rewards, told], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _exact(value: object) -> object:
    return value.hex() if isinstance(value, float) else value


def _is_parameter(value: float) -> bool:
    return math.isfinite(value) and value > 0
