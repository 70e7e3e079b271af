"""A simulator of each test's own, and clients that are signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.simulator import RunningSimulator, running_simulator

CLIENT_TIMEOUT_S = 30.0


class User:
    """A user of the simulator, who calls its API."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def get(self, path: str, **params: str) -> dict[str, Any]:
        return self.answer(self.client.get(path, params=params))

    def create(self, text: str, **fields: str) -> str:
        form = {"media_type": "TEXT", "text": text, **fields}
        return str(self.answer(self.client.post("/me/threads", data=form))["id"])

    def publish(self, container_id: str) -> str:
        return str(self.answer(self.client.post("/me/threads_publish", data={"creation_id": container_id}))["id"])

    def post(self, text: str, **fields: str) -> str:
        return self.publish(self.create(text, **fields))

    def answer(self, response: httpx.Response) -> dict[str, Any]:
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def refused(self, method: str, path: str, **content: Any) -> tuple[int, int, int | None]:
        """Return status, code and subcode of a refusal."""
        response = self.client.request(method, path, **content)
        assert response.status_code >= 400, response.text
        error = response.json()["error"]
        assert error["message"]
        assert error["fbtrace_id"]
        return response.status_code, error["code"], error.get("error_subcode")


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as cleanup:
        yield cleanup


@pytest.fixture
def run(opened: ExitStack, tmp_path: Path) -> Callable[..., RunningSimulator]:
    """Start a simulator with settings of the test's own."""
    return lambda **changes: opened.enter_context(running_simulator(tmp_path, **changes))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    """A simulator for tests that leave its clock alone and have users of their own."""
    with running_simulator(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
def simulator(run: Callable[..., RunningSimulator]) -> RunningSimulator:
    return run()


@pytest.fixture
def sign_in(opened: ExitStack) -> Callable[..., User]:
    """Return a user of a simulator, by the token of a persona's simulated account, or another one."""

    def user(simulator: RunningSimulator, name: str = "ada", token: str | None = None) -> User:
        headers = {"Authorization": f"Bearer {token or f'SIMULATED-{name}'}"}
        client = httpx.Client(base_url=simulator.api, headers=headers, timeout=CLIENT_TIMEOUT_S)
        return User(opened.enter_context(client))

    return user


@pytest.fixture
def ada(simulator: RunningSimulator, sign_in: Callable[..., User]) -> User:
    return sign_in(simulator)
