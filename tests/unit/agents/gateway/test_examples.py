"""The documentation's examples are answers and bodies that the routes give and take."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from agents.gateway.app import make_app
from agents.gateway.routes.costs import BudgetAlertShown
from agents.gateway.routes.engagement import EngagementBody
from agents.gateway.routes.personas import BODY
from agents.personas.persona import Persona
from agents.personas.strict_yaml import read_strict
from schemas.records import BudgetAlert
from streams.settings import Settings

APP = make_app(Settings())
WITHOUT = {"/livez", "/readyz", "/metrics", "/openapi.json"}
SHOWN = {
    f"{method} {route.path}": route
    for route in APP.routes
    if isinstance(route, APIRoute)
    and route.tags
    and set(route.tags)
    & {
        "requests",
        "drafts",
        "posts",
        "publications",
        "platforms",
        "personas",
        "kpis",
        "costs",
        "dead letters",
        "engagement",
    }
    for method in route.methods or ()
    if route.response_model is not None and f"{method} {route.path}" != "POST /v1/requests"
}


def documented(route: APIRoute) -> Any:
    status = route.status_code or 200
    return route.responses[status]["content"]["application/json"]["example"]


@pytest.mark.parametrize("name", SHOWN)
def test_the_example_of_an_answer_is_one_that_its_model_takes_whole(name: str) -> None:
    example = documented(SHOWN[name])
    adapter: TypeAdapter[Any] = TypeAdapter(SHOWN[name].response_model)
    shown = adapter.dump_python(adapter.validate_python(example), mode="json")
    assert shown == json.loads(json.dumps(example))


def test_there_are_examples_of_all_routes_of_the_api() -> None:
    assert len(SHOWN) >= 20


def test_examples_of_bodies_are_taken() -> None:
    for kind, content in BODY["requestBody"]["content"].items():
        example = content["example"]
        Persona.model_validate(read_strict(example).content if "yaml" in kind else example)
    paths = APP.openapi()["paths"]
    events = paths["/v1/engagement"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert [EngagementBody.model_validate(each).kind for each in events] == ["like"]


def test_alerts_are_shown_with_all_that_their_record_has() -> None:
    assert set(BudgetAlertShown.model_fields) == {each.name for each in fields(BudgetAlert)}
