"""The caller: who asks, as which role, for which tenant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

RoleName = Literal["viewer", "operator", "admin"]
ROLES: tuple[RoleName, ...] = get_args(RoleName)  # each may do what those before it may
ALL_TENANTS = "*"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `tenant` is ALL_TENANTS for those who run the platform; `scopes` are path prefixes, empty for any.

    `token_id` names the service token or session that was shown, None for a JWT.
    """

    subject: str
    role: RoleName
    tenant: str
    token_id: str | None = None
    scopes: tuple[str, ...] = ()

    @property
    def rated_as(self) -> str:
        """Return what requests are counted by."""
        return self.token_id or f"{self.tenant} {self.subject}"

    def may(self, role: RoleName) -> bool:
        """Tell whether the caller's role is at least this one."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def owns(self, tenant: str) -> bool:
        """Tell whether what belongs to a tenant is the caller's to see."""
        return self.tenant in (tenant, ALL_TENANTS)

    def is_in_scope(self, path: str) -> bool:
        """Tell whether the token is good for a path: one of its prefixes, whole segments."""
        return not self.scopes or any(path == each or path.startswith(f"{each.rstrip('/')}/") for each in self.scopes)

    def beyond(self, scopes: Sequence[str]) -> list[str]:
        """Return which scopes of another token open more than the caller's own; none at all open every path."""
        return [each for each in scopes or ("/",) if not self.is_in_scope(each)]
