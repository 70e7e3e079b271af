"""Tokens: from the code to the long-lived one, their ends, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from agents.platforms.threads_ids import simulated_user_id
from tests.integration.agents.simulator.conftest import User
from tests.support.simulator import RunningSimulator

DAY_S = 86_400
BACK = "http://127.0.0.1:1/threads"
APP = {"client_id": "app", "redirect_uri": BACK}
SignIn = Callable[..., User]
Run = Callable[..., RunningSimulator]


def authorized(simulator: RunningSimulator, scope: str = "threads_basic,threads_content_publish") -> str:
    """Return the code that a user's consent comes back with."""
    asked = {**APP, "scope": scope, "response_type": "code", "state": "s t", "simulated_user": "eve"}
    response = httpx.get(f"{simulator.url}/oauth/authorize", params=asked)
    assert response.status_code == 302
    back = httpx.URL(response.headers["location"])
    assert (str(back).split("?")[0], back.params["state"], back.fragment) == (BACK, "s t", "_")
    return back.params["code"]


def exchanged(simulator: RunningSimulator, code: str, **changes: str) -> httpx.Response:
    form = {**APP, "client_secret": "secret", "grant_type": "authorization_code", "code": code, **changes}
    return httpx.post(f"{simulator.url}/oauth/access_token", data=form)


def long_lived(simulator: RunningSimulator, short: str) -> dict[str, Any]:
    asked = {"grant_type": "th_exchange_token", "client_secret": "secret", "access_token": short}
    response = httpx.get(f"{simulator.url}/access_token", params=asked)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def refreshed(simulator: RunningSimulator, token: str) -> httpx.Response:
    asked = {"grant_type": "th_refresh_token", "access_token": token}
    return httpx.get(f"{simulator.url}/refresh_access_token", params=asked)


def test_a_code_becomes_a_token_once_and_that_a_long_lived_one(simulator: RunningSimulator, sign_in: SignIn) -> None:
    code = authorized(simulator)
    answer = exchanged(simulator, code + "#_").json()
    assert answer["user_id"] == int(simulated_user_id("eve"))
    assert exchanged(simulator, code).status_code == 400
    long = long_lived(simulator, answer["access_token"])
    assert long["token_type"] == "bearer"
    assert long["expires_in"] == 60 * DAY_S
    eve = sign_in(simulator, token=long["access_token"])
    assert eve.get("/me", fields="username")["username"] == "eve"
    told = eve.get("/debug_token", input_token=long["access_token"])["data"]
    assert told["is_valid"] is True
    assert told["scopes"] == ["threads_basic", "threads_content_publish"]
    assert told["expires_at"] - told["issued_at"] == 60 * DAY_S
    assert eve.refused("GET", "/me/threads_insights", params={"metric": "likes"})[:2] == (403, 10)


@pytest.mark.parametrize(
    "changes", [{"redirect_uri": BACK + "/x"}, {"client_id": "other"}, {"client_secret": ""}, {"grant_type": "x"}]
)
def test_a_code_is_good_for_who_asked_for_it_alone(shared: RunningSimulator, changes: dict[str, str]) -> None:
    assert exchanged(shared, authorized(shared), **changes).json()["error"]["code"] == 100


def test_the_app_s_secret_is_checked_where_there_is_one(run: Run) -> None:
    simulator = run(simulator_app_secret="right")
    code = authorized(simulator)
    assert exchanged(simulator, code).status_code == 400
    assert exchanged(simulator, code, client_secret="right").status_code == 200


def test_a_short_lived_token_ends_after_an_hour_and_a_long_one_after_60_days(
    simulator: RunningSimulator, sign_in: SignIn
) -> None:
    short = exchanged(simulator, authorized(simulator)).json()["access_token"]
    long = long_lived(simulator, short)["access_token"]
    simulator.clock.pass_s(3_600)
    assert sign_in(simulator, token=short).refused("GET", "/me") == (400, 190, 463)
    eve = sign_in(simulator, token=long)
    simulator.clock.pass_s(60 * DAY_S - 7_200)
    eve.get("/me")
    simulator.clock.pass_s(3_601)
    assert eve.refused("GET", "/me") == (400, 190, 463)
    assert refreshed(simulator, long).json()["error"]["code"] == 190


def test_a_token_is_refreshed_once_it_is_a_day_old(simulator: RunningSimulator, sign_in: SignIn) -> None:
    long = long_lived(simulator, exchanged(simulator, authorized(simulator)).json()["access_token"])["access_token"]
    simulator.clock.pass_s(DAY_S - 60)
    assert refreshed(simulator, long).json()["error"]["code"] == 100
    simulator.clock.pass_s(61)
    fresh = refreshed(simulator, long).json()
    assert fresh["expires_in"] == 60 * DAY_S
    simulator.clock.pass_s(59 * DAY_S)
    sign_in(simulator, token=fresh["access_token"]).get("/me")


def test_a_revoked_token_is_refused_until_it_is_restored(simulator: RunningSimulator, ada: User) -> None:
    ada.get("/me")
    assert simulator.control("tokens", {"user": "ada", "change": "revoke"})["changed"] == 1
    assert ada.refused("GET", "/me") == (400, 190, 458)
    simulator.control("tokens", {"user": "ada", "change": "restore"})
    ada.get("/me")
    simulator.control("tokens", {"token": "SIMULATED-ada", "change": "expire"})
    assert ada.refused("GET", "/me") == (400, 190, 463)


def test_a_missing_permission_is_named(simulator: RunningSimulator, ada: User) -> None:
    simulator.control("tokens", {"user": "ada", "change": "scopes", "scopes": ["threads_basic"]})
    response = ada.client.post("/me/threads", data={"media_type": "TEXT", "text": "x"})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == 10
    assert "threads_content_publish" in response.json()["error"]["message"]


@pytest.mark.parametrize(("token", "code"), [("nobody-s", 190), ("SIMULATED-", 100), ("SIMULATED-a b", 100)])
def test_a_token_of_nobody_is_refused(shared: RunningSimulator, sign_in: SignIn, token: str, code: int) -> None:
    assert sign_in(shared, token=token).refused("GET", "/me")[1] == code
    assert httpx.get(f"{shared.api}/me").json()["error"]["code"] == 104
