"""The tools are the operations of the HTTP API, with the same arguments, and their hints are true."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agents.gateway.access import RULES
from agents.gateway.app import make_app
from agents.gateway.mcp.operations import Operation, operations
from agents.gateway.mcp.tools import NO_TOOLS, TOOLS
from streams.errors import RecordFault
from streams.settings import Settings

API = make_app(Settings()).openapi()
FOUND = operations(API)
WRITING = [each for each in TOOLS if not each.reads]
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


def test_every_operation_is_a_tool_or_said_to_be_none() -> None:
    there = {
        (method.upper(), path) for path, each in API["paths"].items() for method in each if path.startswith("/v1/")
    }
    tools = [(each.method, each.path) for each in TOOLS]
    assert len(set(tools)) == len(tools)
    assert there == set(tools) | set(NO_TOOLS)
    assert set(FOUND) == {each.name for each in TOOLS}


@pytest.mark.parametrize("tool", WRITING, ids=lambda tool: tool.name)
def test_whatever_writes_can_be_run_dry(tool: Any) -> None:
    assert "dry_run" in FOUND[tool.name].properties, f"{tool.method} {tool.path} needs the parameter dry_run: DryRun"


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_hints_are_true_of_the_operation(tool: Any) -> None:
    hints = tool.annotations()
    assert hints.read_only_hint == (tool.method == "GET" or tool.path.endswith("/check"))
    assert hints.destructive_hint or tool.method != "DELETE"
    assert hints.idempotent_hint or tool.method not in ("GET", "PUT", "DELETE")
    assert None not in (hints.destructive_hint, hints.open_world_hint, hints.title)
    assert not RULES[tool.method, tool.path].is_public


@pytest.mark.parametrize("name", FOUND)
def test_the_schema_of_arguments_is_one_and_complete(name: str) -> None:
    schema = FOUND[name].input_schema()
    Draft202012Validator.check_schema(schema)
    assert "#/components" not in str(schema)
    list(Draft202012Validator(schema).iter_errors(dict.fromkeys(schema["properties"])))  # resolves all


def test_a_call_becomes_the_request_that_the_operation_takes() -> None:
    asked = FOUND["send_requests"].request(
        {"requests": [{"persona_id": "ada", "brief": "b"}], "idempotency_key": "k", "dry_run": True}
    )
    assert (asked.method, asked.path) == ("POST", "/v1/requests")
    assert (asked.query, asked.headers) == ({"dry_run": True}, {"Idempotency-Key": "k"})
    assert asked.body == [{"persona_id": "ada", "brief": "b"}]
    made = FOUND["add_webhook"].request({"url": "https://tools.example", "event_types": ["draft.accepted"]})
    assert made.body == {"url": "https://tools.example", "event_types": ["draft.accepted"]}
    assert FOUND["whoami"].request({}).body is None


@given(TEXTS)
def test_no_argument_leaves_its_place_in_the_path(text: str) -> None:
    operation: Operation = FOUND["test_webhook"]
    path = operation.request({"subscription_id": text}).path
    url = httpx.URL("http://gateway.test").join(path) if text not in (".", "..") else httpx.URL(path)
    assert path.count("/") == 4
    assert url.query == b""
    assert url.fragment == ""


@pytest.mark.parametrize("text", [".", "..", "../tokens", "..%2F", "%2e%2e", "a/../b", "", "?x", "#x"])
def test_no_argument_makes_of_a_tool_another_operation(text: str) -> None:
    operation: Operation = FOUND["get_post"]
    asked = operation.request({"persona_id": text, "post_id": "tokens"})
    for url in (
        httpx.URL("http://gateway.test").join(asked.path),
        httpx.Client(base_url="http://x").build_request("GET", asked.path).url,
    ):
        assert url.path == f"/v1/posts/{text}/tokens"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [({}, "subscription_id must be given"), ({"subscription_id": "a", "force": True}, "there is no argument force")],
)
def test_arguments_that_are_missing_or_none_are_named(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(RecordFault, match=told):
        FOUND["remove_webhook"].request(arguments)
