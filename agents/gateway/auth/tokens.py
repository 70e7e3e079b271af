"""Service tokens and sessions: secrets of 256 bits, of which the platform keeps the SHA-256 alone."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus

from agents.gateway.auth.caller import Caller, RoleName
from agents.gateway.problems import Refused, not_found
from schemas.records import AccessToken

PREFIX = "tagw_"  # secret scanners and people know it by this
SESSION_PREFIX = "tags_"
SECRET_BYTES = 32
SESSION_LIFETIME = timedelta(hours=12)
MOST_SESSIONS = 100  # of a caller; one more, and the oldest of them ends
KEPT_AFTER_END = timedelta(days=30)  # an ended token is shown so long, and then forgotten


def new_secret(prefix: str = PREFIX) -> str:
    """Return a new secret; it is shown once and kept nowhere."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def digest_of(secret: str) -> str:
    """Return what is kept of a secret. A slow hash is for what people choose; this one has 256 random bits."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def made_token(
    secret: str,
    now: datetime,
    *,
    name: str,
    role: RoleName,
    tenant: str,
    created_by: str,
    scopes: Iterable[str] = (),
    expires_at: datetime | None = None,
) -> AccessToken:
    """Return the record of a new service token."""
    return AccessToken(
        event_id=str(uuid.uuid4()),
        occurred_at=now,
        token_id=secrets.token_hex(6),
        digest=digest_of(secret),
        kind="service",
        name=name,
        subject=f"token:{name}",
        role=role,
        tenant=tenant,
        scopes=tuple(scopes),
        created_by=created_by,
        created_at=now,
        expires_at=expires_at,
    )


def made_session(secret: str, now: datetime, caller: Caller, ends_at: datetime | None) -> AccessToken:
    """Return the record of a session of a caller; it ends after half a day, or with what the caller showed."""
    latest = now + SESSION_LIFETIME
    return AccessToken(
        event_id=str(uuid.uuid4()),
        occurred_at=now,
        token_id=secrets.token_hex(6),
        digest=digest_of(secret),
        kind="session",
        name="session",
        subject=caller.subject,
        role=caller.role,
        tenant=caller.tenant,
        scopes=caller.scopes,
        created_by=caller.subject,
        created_at=now,
        expires_at=latest if ends_at is None else min(latest, ends_at),
        parent_id=caller.token_id,
    )


class TokenBook:
    """The tokens there are, by id and by digest, as their topic has them."""

    def __init__(self) -> None:
        self._by_id: dict[str, AccessToken] = {}
        self._by_digest: dict[str, AccessToken] = {}

    def take(self, token: AccessToken) -> None:
        """Take in the newest record of a token."""
        self.forget(token.token_id)
        self._by_id[token.token_id] = token
        self._by_digest[token.digest] = token

    def forget(self, token_id: str) -> None:
        """Forget a token."""
        before = self._by_id.pop(token_id, None)
        if before is not None:
            self._by_digest.pop(before.digest, None)

    def with_digest(self, digest: str) -> AccessToken | None:
        """Return the token of a secret's digest, whether it still holds or not."""
        return self._by_digest.get(digest)

    def still_holds(self, token_id: str, now: datetime) -> bool:
        """Tell whether a token or session that was good still is."""
        token = self._by_id.get(token_id)
        return token is not None and self.holds(token, now)

    def seen_by(self, caller: Caller) -> list[AccessToken]:
        """Return the service tokens of the caller's tenant, oldest first."""
        mine = [each for each in self._by_id.values() if each.kind == "service" and caller.owns(each.tenant)]
        return sorted(mine, key=lambda each: (each.created_at, each.token_id))

    def require(self, token_id: str, caller: Caller) -> AccessToken:
        """Return a service token of the caller's tenant.

        Raises:
            Refused: there is none, or it is another tenant's.
        """
        found = self._by_id.get(token_id)
        if found is None or found.kind != "service" or not caller.owns(found.tenant):
            raise not_found("token", token_id, "/v1/tokens")
        return found

    def caller_with(self, digest: str, now: datetime) -> Caller:
        """Return who shows the secret of this digest.

        Raises:
            Refused: it is unknown, revoked or expired, or goes with a token that is.
        """
        token = self._by_digest.get(digest)
        if token is None:
            raise unauthorised("the token is not known here; make one with `threads-agent tokens create`")
        self._require_valid(token, now)
        if token.kind == "session" and token.parent_id is not None:
            parent = self._by_id.get(token.parent_id)
            if parent is None:
                raise unauthorised("the session's token is gone; sign in again")
            self._require_valid(parent, now)
        return caller_of(token)

    def holds(self, token: AccessToken, now: datetime) -> bool:
        """Tell whether a token opens anything now."""
        if _has_ended(token, now):
            return False
        if token.kind == "service" or token.parent_id is None:
            return True
        parent = self._by_id.get(token.parent_id)
        return parent is not None and not _has_ended(parent, now)

    def _require_valid(self, token: AccessToken, now: datetime) -> None:
        if token.revoked_at is not None:
            raise unauthorised(f"the token {token.token_id} was revoked; make another, or sign in again")
        if token.expires_at is not None and token.expires_at <= now:
            ended = token.expires_at.isoformat(timespec="seconds")
            raise unauthorised(f"the token {token.token_id} expired at {ended}; make another, or sign in again")

    def surplus(self, session: AccessToken) -> list[str]:
        """Return the ids of the oldest sessions of the same caller, where there are more than one may have."""
        theirs = [each for each in self._by_id.values() if each.kind == "session" and _whose(each) == _whose(session)]
        return [each.token_id for each in sorted(theirs, key=lambda each: each.created_at)[:-MOST_SESSIONS]]

    def past(self, now: datetime) -> list[str]:
        """Return the ids of tokens that ended so long ago that nobody asks for them."""
        return [each.token_id for each in self._by_id.values() if _ended_at(each, now) + KEPT_AFTER_END <= now]


def caller_of(token: AccessToken) -> Caller:
    """Return who shows a token."""
    return Caller(token.subject, token.role, token.tenant, token.token_id, token.scopes)


def _whose(session: AccessToken) -> tuple[str | None, str, str]:
    return session.parent_id, session.tenant, session.subject


def _has_ended(token: AccessToken, now: datetime) -> bool:
    return token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now)


def _ended_at(token: AccessToken, now: datetime) -> datetime:
    ends = [each for each in (token.expires_at, token.revoked_at) if each is not None]
    return min(ends, default=now)


def unauthorised(detail: str) -> Refused:
    """Return the 401 that says how to show who one is."""
    challenge = {"WWW-Authenticate": 'Bearer realm="threads-agent", error="invalid_token"'}
    return Refused(HTTPStatus.UNAUTHORIZED, detail, headers=challenge)


def rotated(token: AccessToken, secret: str, now: datetime, created_by: str) -> AccessToken:
    """Return the record of the token that takes another's place, good for what it was good for and as long."""
    lifetime = None if token.expires_at is None else token.expires_at - token.created_at
    return replace(
        token,
        event_id=str(uuid.uuid4()),
        occurred_at=now,
        token_id=secrets.token_hex(6),
        digest=digest_of(secret),
        created_by=created_by,
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
        parent_id=token.token_id,
    )


def ending(token: AccessToken, now: datetime, overlap: timedelta) -> AccessToken:
    """Return the token as one that ends after an overlap, if it does not end before."""
    ends_at = now + overlap
    return replace(
        token,
        event_id=str(uuid.uuid4()),
        occurred_at=now,
        expires_at=ends_at if token.expires_at is None else min(ends_at, token.expires_at),
    )


def revoked(token: AccessToken, now: datetime) -> AccessToken:
    """Return the token as one that holds no more."""
    return replace(token, event_id=str(uuid.uuid4()), occurred_at=now, revoked_at=now)
