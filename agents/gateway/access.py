"""Access: the one table of who may use which route. A route that is not in it is refused when the app is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agents.gateway.auth.caller import RoleName

TenantRule = Literal["personas", "own", "platform", "none"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may use a route: callers of at least `role`, anybody at all where it is None.

    `tenants` says how tenants are kept apart: `personas` shows and takes only what belongs to personas that the caller
    sees; `own` only what belongs to the caller's tenant; `platform` is for callers of all tenants alone, for what
    can't be told apart; `none` has nothing that belongs to a tenant.
    """

    role: RoleName | None
    tenants: TenantRule

    @property
    def is_public(self) -> bool:
        """Tell whether it needs no token."""
        return self.role is None


RULES: dict[tuple[str, str], Rule] = {
    ("GET", "/livez"): Rule(None, "none"),
    ("GET", "/readyz"): Rule(None, "none"),
    ("GET", "/metrics"): Rule(None, "none"),  # counts by route template: no names, no tenants
    ("GET", "/openapi.json"): Rule(None, "none"),
    ("GET", "/v1/lag"): Rule("viewer", "none"),  # counts by group and topic
    ("GET", "/v1/stream"): Rule("viewer", "personas"),
    ("GET", "/v1/topics"): Rule("viewer", "personas"),
    ("GET", "/v1/topics/{topic}/records"): Rule("viewer", "personas"),
    ("GET", "/"): Rule(None, "none"),  # the page's files: what they show, they ask for with the reader's own session
    ("GET", "/page/{path:path}"): Rule(None, "none"),
    ("GET", "/v1/me"): Rule("viewer", "own"),
    ("POST", "/v1/session"): Rule(None, "none"),  # the token that it takes is in its body
    ("DELETE", "/v1/session"): Rule(None, "own"),
    ("GET", "/v1/tokens"): Rule("admin", "own"),
    ("POST", "/v1/tokens"): Rule("admin", "own"),
    ("POST", "/v1/tokens/{token_id}/rotate"): Rule("admin", "own"),
    ("DELETE", "/v1/tokens/{token_id}"): Rule("admin", "own"),
    ("POST", "/v1/requests"): Rule("operator", "personas"),
    ("GET", "/v1/requests"): Rule("viewer", "personas"),
    ("GET", "/v1/requests/{request_id}"): Rule("viewer", "personas"),
    ("POST", "/task"): Rule("operator", "personas"),
    ("GET", "/v1/drafts"): Rule("viewer", "personas"),
    ("GET", "/v1/drafts/{draft_id}"): Rule("viewer", "personas"),
    ("POST", "/v1/drafts/{draft_id}/accept"): Rule("operator", "personas"),
    ("POST", "/v1/drafts/{draft_id}/reject"): Rule("operator", "personas"),
    ("GET", "/v1/posts"): Rule("viewer", "personas"),
    ("GET", "/v1/posts/{persona_id}/{post_id}"): Rule("viewer", "personas"),
    ("GET", "/v1/posts/{persona_id}/{post_id}/events"): Rule("viewer", "personas"),
    ("GET", "/v1/publications"): Rule("viewer", "personas"),
    ("GET", "/v1/publications/{publication_id}"): Rule("viewer", "personas"),
    ("POST", "/v1/publications/{publication_id}/cancel"): Rule("operator", "personas"),
    ("POST", "/v1/publications/{publication_id}/retry"): Rule("operator", "personas"),
    ("POST", "/v1/publications/{publication_id}/approve"): Rule("operator", "personas"),
    ("POST", "/v1/publications/{publication_id}/reject"): Rule("operator", "personas"),
    ("GET", "/v1/platforms/threads/webhook"): Rule(None, "none"),  # the platform has no token: it shows the word agreed
    ("POST", "/v1/platforms/threads/webhook"): Rule(None, "none"),  # the same: it signs the body with the app's secret
    ("GET", "/v1/personas"): Rule("viewer", "personas"),
    ("POST", "/v1/personas/check"): Rule("operator", "none"),
    ("GET", "/v1/personas/{persona_id}"): Rule("viewer", "personas"),
    ("PUT", "/v1/personas/{persona_id}"): Rule("operator", "personas"),
    ("DELETE", "/v1/personas/{persona_id}"): Rule("operator", "personas"),
    ("GET", "/v1/kpis"): Rule("viewer", "personas"),
    ("GET", "/v1/kpis/history"): Rule("viewer", "personas"),
    ("GET", "/v1/kpis/daily"): Rule("viewer", "personas"),
    ("GET", "/v1/costs"): Rule("viewer", "personas"),
    ("GET", "/v1/costs/saved"): Rule("viewer", "personas"),
    ("GET", "/v1/budgets"): Rule("viewer", "personas"),
    ("GET", "/v1/dead-letters"): Rule("viewer", "platform"),  # what can't be read has no persona
    ("GET", "/v1/dead-letters/{letter_id}"): Rule("viewer", "platform"),
    ("POST", "/v1/engagement"): Rule("operator", "personas"),
    ("*", "/mcp"): Rule("viewer", "personas"),  # each tool has the rule of its operation besides
    ("GET", "/v1/webhooks"): Rule("operator", "own"),
    ("POST", "/v1/webhooks"): Rule("admin", "own"),  # what it is told of goes out of the house
    ("DELETE", "/v1/webhooks/{subscription_id}"): Rule("admin", "own"),
    ("POST", "/v1/webhooks/{subscription_id}/test"): Rule("admin", "own"),
    ("GET", "/v1/webhooks/{subscription_id}/deliveries"): Rule("operator", "own"),
}
"""Rules by method and path template; of an app that is mounted under a path by * and the path."""


def rule_of(method: str, template: str) -> Rule:
    """Return the rule of a route.

    Raises:
        LookupError: the table has none; no such route may be served.
    """
    try:
        return RULES[method, template]
    except KeyError:
        raise LookupError(
            f"{method} {template} has no rule: say in agents/gateway/access.py who may use it and how tenants are kept "
            "apart there"
        ) from None
