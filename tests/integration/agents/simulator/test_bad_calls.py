"""What is no call of the API is refused in its form, and never a fault of the simulator."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.agents.simulator.conftest import User
from tests.support.simulator import RunningSimulator


@pytest.fixture
def simulator(shared: RunningSimulator) -> RunningSimulator:
    return shared


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"media_type": "TEXT", "text": "\\ud800"}', "application/json"),
        (b"text=\xff", "application/x-www-form-urlencoded"),
        (b"media_type=TEXT&text=%00", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_none_makes_no_container(
    simulator: RunningSimulator, ada: User, content: bytes, kind: str
) -> None:
    before = len(simulator.truth()["containers"])
    response = ada.client.post("/me/threads", content=content, headers={"Content-Type": kind})
    assert response.status_code in (200, 400)
    assert len(simulator.truth()["containers"]) - before == (response.status_code == 200)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "²"},
        {"after": "nowhere"},
        {"since": "tomorrow"},
        {"fields": "id,secret"},
    ],
)
def test_a_query_that_is_none_is_refused(ada: User, query: dict[str, str]) -> None:
    ada.post("There")
    assert ada.refused("GET", "/me/threads", params=query) == (400, 100, None)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"next": [None]}),
        ("faults", {"next": ["42"]}),
        ("faults", {"next": [{"fault": "500", "if": "raining"}]}),
        ("faults", {"rates": {"500": 2}}),
        ("faults", {"rates": {"500": "often"}}),
        ("tokens", {"change": "revoke"}),
        ("tokens", {"change": "polish", "user": "ada"}),
        ("users/ada/restrict", {"restricted": "a little"}),
        ("users/ada/follow", {"followers": 1.5}),
        ("users/a b/follow", {"followers": 1}),
        ("posts/1/engage", {"likes": 1}),
        ("posts/1/reply", {}),
        ("containers/1/fail", {}),
        ("webhooks", {"url": "here"}),
        ("webhooks", []),
    ],
)
def test_a_control_says_what_it_expected(simulator: RunningSimulator, path: str, body: Any) -> None:
    response = httpx.post(f"{simulator.url}/control/{path}", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["message"]


def test_a_path_that_is_none_is_told(ada: User) -> None:
    assert ada.refused("GET", "/me/threads/and/more") == (400, 2500, None)
    assert ada.refused("PUT", "/me") == (400, 2500, None)
