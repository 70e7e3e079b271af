"""The first token: made when the gateway of an embedded stack first starts, for the owner of the home alone."""

from __future__ import annotations

import os
from pathlib import Path

from agents.gateway.auth.caller import ALL_TENANTS
from agents.gateway.auth.token_store import TokenStore
from agents.gateway.auth.tokens import PREFIX, digest_of, made_token, new_secret
from streams.errors import SettingsError
from streams.wall_clock import utc_now

FILE_NAME = "gateway.token"
OWNER_ONLY = 0o600


async def ensure_first_token(home: Path, store: TokenStore) -> None:
    """Make the token's file if it is not there, or holds a token that was revoked or is over; see that it is known.

    What was revoked is forgotten after a while, and must not be made anew of a file that still has it.

    Raises:
        Unavailable: Kafka does not answer.
        SettingsError: the file is not ours, or others can read it.
    """
    secret, now = read_first_token(home), utc_now()
    known = store.book.with_digest(digest_of(secret)) if secret else None
    if known is None or not store.book.holds(known, now):
        secret = _written(home / FILE_NAME)
        await store.write(
            made_token(secret, now, name="first", role="admin", tenant=ALL_TENANTS, created_by="first start")
        )


def read_first_token(home: Path) -> str | None:
    """Return the token of a home, None where there is none.

    Raises:
        SettingsError: others than the owner can read the file, or it holds no token.
    """
    path = home / FILE_NAME
    try:
        mode = path.stat().st_mode
        secret = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} can't be read ({error}); delete it, and the gateway makes another") from error
    if mode & 0o077:
        raise SettingsError(f"{path} can be read by others (mode {mode & 0o777:o}): `chmod 600` it, or delete it")
    if not secret.startswith(PREFIX):
        raise SettingsError(f"{path} holds no token ({PREFIX}...); delete it, and the gateway makes another")
    return secret


def _written(path: Path) -> str:
    secret = new_secret()
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w", encoding="utf-8") as file:
        file.write(f"{secret}\n")
    fresh.replace(path)
    return secret
