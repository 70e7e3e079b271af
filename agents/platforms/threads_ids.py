"""Ids on Threads of accounts that are simulated."""

from __future__ import annotations

import hashlib

DIGITS = 17  # as user ids of Threads have


def simulated_user_id(persona_id: str) -> str:
    """Return the user id of a persona's simulated account: 17 digits, from SHA-256, always the same."""
    least = 10 ** (DIGITS - 1)
    number = int.from_bytes(hashlib.sha256(persona_id.encode()).digest())
    return str(least + number % (9 * least))
