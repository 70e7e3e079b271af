"""JWTs of an identity provider: one algorithm, one issuer, one audience, all by settings and none by the token."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from agents.gateway.auth.caller import ROLES, Caller, RoleName
from agents.gateway.auth.key_set import FetchedKeys, FileKey, KeySource
from agents.gateway.auth.tokens import unauthorised
from agents.gateway.settings import GatewaySettings
from agents.personas.persona import DEFAULT_TENANT
from schemas.rules import shown

LEEWAY_S = 30.0  # clocks of two machines
KEPT_S = 60.0  # a token that was checked is believed so long, or until it expires
MOST_KEPT = 10_000
MOST_SUBJECT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say of itself."""

    algorithm: str
    issuer: str
    audience: str
    role_claim: str
    tenant_claim: str


class JwtCheck:
    """Tell who shows a JWT."""

    def __init__(self, keys: KeySource, expected: Expected, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._expected = expected
        self._clock = clock
        self._checked: dict[str, tuple[Caller, float]] = {}

    def known(self, digest: str) -> Caller | None:
        """Return who showed a token of this digest a moment ago, None where it has to be checked."""
        found = self._checked.get(digest)
        if found is None or found[1] <= self._clock():
            return None
        return found[0]

    async def caller_with(self, token: str, digest: str) -> tuple[Caller, float]:
        """Return who shows a token, and when it ends, in seconds since the epoch.

        Raises:
            Refused: it is not signed as expected, not of the time, not for us, or says no role; says which.
            Unavailable: the provider's keys can't be had.
        """
        claims = await self._verified(token)
        caller = self._caller(claims)
        ends_at = _end_of(claims["exp"])
        if len(self._checked) >= MOST_KEPT:
            self._checked.clear()  # they are checked again, one by one
        self._checked[digest] = caller, min(ends_at + LEEWAY_S, self._clock() + KEPT_S)
        return caller, ends_at

    async def _verified(self, token: str) -> Mapping[str, Any]:
        expected = self._expected
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != expected.algorithm:
                raise unauthorised(
                    f"the token is signed with {shown(header.get('alg'))}, and only {expected.algorithm} is believed"
                )
            kid = header.get("kid")
            key = await self._keys.key(kid if isinstance(kid, str) else None)
            if key is None:
                raise unauthorised(f"the identity provider has no key {shown(kid)}; sign in there again")
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[expected.algorithm],
                issuer=expected.issuer,
                audience=expected.audience,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except ExpiredSignatureError as error:
            raise unauthorised("the token has expired; sign in at the identity provider again") from error
        except PyJWTError as error:
            raise unauthorised(
                f"the token can't be believed ({error}); expected one of {expected.issuer} for {expected.audience}, "
                f"signed with {expected.algorithm}"
            ) from error
        return claims

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        said, tenant = claims.get(self._expected.role_claim), claims.get(self._expected.tenant_claim, DEFAULT_TENANT)
        role = greatest_role(said)
        if role is None:
            raise unauthorised(
                f"the token's claim {self._expected.role_claim} is {shown(said)}, expected one of {', '.join(ROLES)}; "
                "have the identity provider add it"
            )
        if not isinstance(tenant, str) or not tenant or not tenant.isprintable():
            raise unauthorised(f"the token's claim {self._expected.tenant_claim} is {shown(tenant)}, expected a text")
        subject = str(claims["sub"])
        if not subject.isprintable():  # it stands in topics and in PostgreSQL, which take neither NUL nor surrogates
            raise unauthorised(f"the token's claim sub is {shown(subject)}, expected a text of printable characters")
        return Caller(subject[:MOST_SUBJECT_LENGTH], role, tenant)


def _end_of(exp: Any) -> float:  # noqa: ANN401 - a claim
    """Return when a token ends, in seconds since the epoch.

    Raises:
        Refused: that lies beyond all calendars, as milliseconds do.
    """
    try:
        return datetime.fromtimestamp(float(exp), UTC).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise unauthorised(f"the token's claim exp is {shown(exp)}, expected seconds since 1970") from error


def greatest_role(said: object) -> RoleName | None:
    """Return the greatest role that a claim names, a text or a list; None where it names none of ours."""
    names = said if isinstance(said, list) else [said]
    return next((role for role in reversed(ROLES) if role in names), None)


def jwt_check_of(wanted: GatewaySettings) -> JwtCheck | None:
    """Return the check that the settings ask for, None where no identity provider is configured.

    Raises:
        SettingsError: the key's file can't be used.
    """
    keys: KeySource
    if wanted.gateway_jwks_url is not None:
        keys = FetchedKeys(wanted.gateway_jwks_url, wanted.gateway_jwt_algorithm)
    elif wanted.gateway_jwt_key is not None:
        keys = FileKey(wanted.gateway_jwt_key, wanted.gateway_jwt_algorithm)
    else:
        return None
    expected = Expected(
        wanted.gateway_jwt_algorithm,
        wanted.gateway_jwt_issuer or "",
        wanted.gateway_jwt_audience or "",
        wanted.gateway_jwt_role_claim,
        wanted.gateway_jwt_tenant_claim,
    )
    return JwtCheck(keys, expected)
