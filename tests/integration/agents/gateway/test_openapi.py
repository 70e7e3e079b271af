"""The documentation is what is served: no answer that it does not name, no 500, whatever is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis import APIOperation, GenerationMode
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agents.gateway.access import RULES
from agents.gateway.app import make_app
from agents.gateway.auth.first_token import FILE_NAME
from streams.endpoints import read_endpoints
from streams.settings import Settings
from tests.conftest import Stack
from tests.faults.conftest import WorkerProcess
from tests.support.postgres_tables import load
from tests.support.sink_batches_of_all import every_kind_of_batch

EXAMPLES = 25
FEED = "/v1/stream"
NO_OPERATIONS = {("GET", "/openapi.json"), ("GET", "/"), ("GET", "/page/{path:path}")}
"""The document itself, and the page's files."""
API = make_app(Settings()).openapi()
CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENTED = {(method.upper(), path) for path, operations in API["paths"].items() for method in operations}
SCHEMA = schemathesis.openapi.from_dict(API)
OPERATIONS = {key: SCHEMA[path][method] for key in sorted(DOCUMENTED) for method, path in [key]}


def test_every_route_is_documented() -> None:
    assert {key for key in RULES if key[0] != "*"} - NO_OPERATIONS == DOCUMENTED


@pytest.fixture(scope="module")
def url(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a gateway that runs for all of this file, on tables with rows of every kind."""
    load(stack.postgres_dsn, *every_kind_of_batch())
    log = tmp_path_factory.mktemp("gateway") / "log"
    worker = WorkerProcess(stack, ("gateway",), "0", log, THREADS_GATEWAY_FAILURE_RATE="1000000/second")
    try:
        asyncio.run(worker.until_running())
        found = read_endpoints(stack.home).gateway
        assert found is not None
        yield found
    finally:
        worker.stop()
        assert "Traceback" not in worker.log()


@pytest.fixture
def session(url: str, stack: Stack) -> Iterator[requests.Session]:
    """A session that is signed in as admin of all tenants."""
    with requests.Session() as made:
        made.trust_env = False
        made.headers["Authorization"] = f"Bearer {(stack.home / FILE_NAME).read_text().strip()}"
        yield made


def begins(case: schemathesis.Case[Any], url: str, session: requests.Session) -> bool:
    """Tell whether a feed begins; it is left at its head."""
    with session.request(**case.as_transport_kwargs(base_url=url), stream=True, timeout=30) as answer:
        return answer.ok and answer.headers["Content-Type"].startswith("text/event-stream")


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda each: f"{each.method.upper()} {each.path}")
def test_whatever_is_sent_the_answer_is_one_that_is_documented(
    operation: APIOperation[Any, Any, Any, Any], url: str, session: requests.Session
) -> None:
    made = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @hypothesis_settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
    )
    @given(st.one_of(made))
    def asked(case: schemathesis.Case[Any]) -> None:
        if operation.path == FEED and begins(case, url, session):
            return  # it has no end that could be validated
        case.call_and_validate(base_url=url, session=session, checks=CHECKS, timeout=30)

    asked()


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda each: f"{each.method.upper()} {each.path}")
def test_who_shows_no_token_is_answered_as_documented(operation: APIOperation[Any, Any, Any, Any], url: str) -> None:
    case = operation.Case(path_parameters={each.name: "x" for each in operation.path_parameters})
    with requests.Session() as anonymous:
        anonymous.trust_env = False
        answer = case.call(base_url=url, session=anonymous, timeout=30)
    rule = RULES[operation.method.upper(), operation.path]
    assert (answer.status_code == 401) is not rule.is_public
    case.validate_response(answer, checks=CHECKS)
