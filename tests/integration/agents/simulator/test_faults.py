"""Faults befall the calls they are asked for: what the client sees, and what became of the post."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.integration.agents.simulator.conftest import User
from tests.support.simulator import RunningSimulator, running_simulator

SHORT_S = 0.5
Run = Callable[..., RunningSimulator]
SignIn = Callable[..., User]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("4279009", (400, 24, 4279009)),
        ("4279013", (403, 24, 4279013)),
        ("2207051", (403, 4, 2207051)),
        ("4", (403, 4, None)),
        ("17", (400, 17, None)),
        ("32", (400, 32, None)),
        ("613", (400, 613, None)),
        ("500", (500, 1, None)),
        ("503", (503, 2, None)),
    ],
)
def test_a_refusal_befalls_the_next_call_alone_and_nothing_is_done(
    shared: RunningSimulator, sign_in: SignIn, fault: str, told: tuple[int, int, int | None]
) -> None:
    name = f"of-{fault}"
    user = sign_in(shared, name)
    container_id = user.create("Once")
    shared.faults({"fault": fault, "on": "publish", "user": name})
    assert user.refused("POST", "/me/threads_publish", data={"creation_id": container_id}) == told
    assert shared.posts(name) == []
    user.publish(container_id)
    assert shared.truth()["faults"][fault] == 1


def test_throttling_may_say_how_long(simulator: RunningSimulator, ada: User) -> None:
    simulator.faults("613_retry_after", "613")
    assert int(ada.client.get("/me").headers["retry-after"]) > 0
    assert "retry-after" not in ada.client.get("/me").headers


@pytest.mark.parametrize(
    ("fault", "raised", "is_done"),
    [
        ("timeout_after_publish", httpx.ReadTimeout, True),
        ("cut_after_publish", httpx.RemoteProtocolError, True),
        ("half_answer", httpx.RemoteProtocolError, True),
        ("slow", httpx.ReadTimeout, True),
        ("cut", httpx.RemoteProtocolError, False),
        ("timeout", httpx.ReadTimeout, False),
    ],
)
def test_what_the_client_can_not_know_the_truth_does(
    run: Run, sign_in: SignIn, fault: str, raised: type[Exception], is_done: bool
) -> None:
    simulator = run(simulator_slow_answer_s=2 * SHORT_S)
    ada = sign_in(simulator)
    container_id = ada.create("Once")
    simulator.faults({"fault": fault, "on": "publish"})
    with pytest.raises(raised):
        ada.client.post("/me/threads_publish", data={"creation_id": container_id}, timeout=SHORT_S)
    deadline = time.monotonic() + 60
    while is_done and not simulator.posts("ada") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [each["text"] for each in simulator.posts("ada")] == (["Once"] if is_done else [])
    told = ada.get(f"/{container_id}", fields="status")
    assert told["status"] == ("PUBLISHED" if is_done else "FINISHED")


def test_an_answer_may_be_no_json(simulator: RunningSimulator, ada: User) -> None:
    container_id = ada.create("Once")
    simulator.faults("malformed_json")
    response = ada.client.post("/me/threads_publish", data={"creation_id": container_id})
    with pytest.raises(ValueError, match="Expecting"):
        response.json()
    assert len(simulator.posts("ada")) == 1


def test_containers_may_fail_or_never_appear(simulator: RunningSimulator, ada: User) -> None:
    simulator.faults("container_error", "container_lost", "container_slow")
    failed, lost, slow = (ada.create(text) for text in ("a", "b", "c"))
    assert ada.get(f"/{failed}", fields="status")["status"] == "ERROR"
    assert ada.refused("GET", f"/{lost}") == (400, 24, 4279009)
    assert ada.refused("POST", "/me/threads_publish", data={"creation_id": lost}) == (400, 24, 4279009)
    assert ada.get(f"/{slow}", fields="status")["status"] == "IN_PROGRESS"


def test_rates_befall_their_share_of_calls_until_they_are_cleared(simulator: RunningSimulator, ada: User) -> None:
    simulator.faults(_500=0.2, _4=0.1)
    codes = [ada.client.get("/me").status_code for _ in range(200)]
    assert 20 <= codes.count(500) <= 65
    assert 8 <= codes.count(403) <= 40
    simulator.no_faults()
    assert {ada.client.get("/me").status_code for _ in range(20)} == {200}
    faults = simulator.truth()["faults"]
    assert faults == {"500": codes.count(500), "4": codes.count(403)}


def test_faults_that_wait_are_kept(tmp_path: Path, sign_in: SignIn) -> None:
    with running_simulator(tmp_path) as simulator:
        simulator.faults("500", {"fault": "4", "user": "bob"})
    with running_simulator(tmp_path) as simulator:
        assert sign_in(simulator).refused("GET", "/me")[0] == 500
        sign_in(simulator).get("/me")
        assert sign_in(simulator, "bob").refused("GET", "/me")[1] == 4


def test_a_fault_that_is_none_is_refused_with_those_there_are(simulator: RunningSimulator) -> None:
    response = httpx.post(f"{simulator.url}/control/faults", json={"next": ["42"]})
    assert response.status_code == 400
    assert "timeout_after_publish" in response.json()["error"]["message"]


def test_it_stops_while_an_answer_never_comes(tmp_path: Path, sign_in: SignIn) -> None:
    with running_simulator(tmp_path) as simulator:
        ada = sign_in(simulator)
        simulator.faults("timeout")
        with pytest.raises(httpx.ReadTimeout):
            ada.client.get("/me", timeout=SHORT_S)
