"""Every route has a rule in the one table, and the table has no rule of a route that is not there."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from agents.gateway.access import RULES, rule_of
from agents.gateway.app import make_app
from agents.gateway.auth.sign_in import SAFE_METHODS
from agents.gateway.routing import GuardedEndpoint, GuardedRoute, router
from streams.settings import Settings

APP = make_app(Settings())
UNGUARDED = {"/openapi.json"}  # FastAPI's own


def served(app: FastAPI) -> set[tuple[str, str]]:
    """Return what an app serves, whatever kind of route it is, by method and path template."""
    found = set()
    for each in iter_route_contexts(app.routes):
        route = each.original_route
        methods = getattr(route, "methods", None) or {"*"}
        found |= {(method, getattr(route, "path", "?")) for method in methods - {"HEAD"}}
    return found


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert served(APP) == set(RULES)


def test_every_route_is_guarded() -> None:
    for each in APP.routes:
        assert isinstance(each, GuardedRoute | GuardedEndpoint) or getattr(each, "path", None) in UNGUARDED


def test_a_route_without_a_rule_is_refused_when_it_is_made() -> None:
    with pytest.raises(LookupError, match=r"GET /v1/secrets has no rule: say in agents/gateway/access\.py"):
        router("secrets").get("/v1/secrets")(lambda: None)


def test_nothing_is_written_by_viewers() -> None:
    apps = {key for key in RULES if key[0] == "*"}  # what they write goes through routes with rules of their own
    writes = {key: rule for key, rule in RULES.items() if key[0] not in SAFE_METHODS and not rule.is_public}
    writes = {key: rule for key, rule in writes.items() if key not in apps}
    assert apps == {("*", "/mcp")}
    assert {key for key, rule in writes.items() if rule.role == "viewer"} == set()
    assert ("POST", "/v1/requests") in writes


def test_what_is_public_shows_nothing_of_tenants() -> None:
    public = {key: rule for key, rule in RULES.items() if rule.is_public}
    assert {key for key, rule in public.items() if rule.tenants not in ("none", "own")} == set()
    assert rule_of("GET", "/livez").is_public


def test_the_documentation_names_problems_and_security_of_every_route() -> None:
    api = APP.openapi()
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            rule = RULES[method.upper(), path]
            assert ("security" in operation) is not rule.is_public
            assert {"422", "429", "503"} <= set(operation["responses"])
            assert rule.is_public or {"401", "403"} <= set(operation["responses"])
            assert all(isinstance(route, APIRoute) for route in APP.routes if getattr(route, "path", "") == path)
