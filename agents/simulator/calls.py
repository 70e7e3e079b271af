"""A call of the API: who makes it and with what, which fault befalls it, and how it is answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from agents.simulator.broken_answers import Cut, Silence
from agents.simulator.faults import HARMLESS, Fault, Faults
from agents.simulator.graph_errors import GraphError, not_there, parameter, throttled
from agents.simulator.insights import Insights
from agents.simulator.tokens import Caller, Tokens, need
from agents.simulator.world import DAY_MS, HOUR_MS, World

LEAST_IMPRESSIONS = 10
LOOK_EVERY_MS = 60_000  # at the impressions of a user who calls a lot
ANYONE = "-"  # who calls without a token
BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class Call:
    """One call: parameters of query and body, parts of the path, the address, and what befalls a container it makes."""

    caller: Caller
    params: dict[str, str]
    path: dict[str, str]
    url: str
    fate: str | None = None


Act = Callable[[Call], Any]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(slots=True)
class _Budget:
    """Calls that a user made, as far as is known, and how many are allowed until the next look."""

    made: int
    allowed: int
    looked_ms: int = 0


@dataclass(slots=True)
class Calls:
    """Answers calls; `ending` is set when the server stops, and lets silent answers go."""

    world: World
    tokens: Tokens
    faults: Faults
    insights: Insights
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    _budgets: dict[str, _Budget] = field(default_factory=dict)

    def graph(self, route: str, scope: str, act: Act) -> Endpoint:
        """Return the endpoint of a route that needs a token with a scope."""

        async def endpoint(request: Request) -> Response:
            def acting(params: dict[str, str]) -> _Acting:
                caller = self.tokens.caller(_token(request, params))
                self._count(route, caller.user_id)

                def acted(fault: Fault) -> Any:  # noqa: ANN401 - JSON
                    self._check_budget(caller)
                    need(caller, scope)
                    url = str(request.url.replace(query=""))
                    return act(Call(caller, params, self._path(request, caller), url, fault.fate))

                return _Acting((caller.user_id, caller.username), acted)

            return await self._answered(request, route, acting)

        return endpoint

    def open(self, route: str, act: Callable[[dict[str, str]], Any]) -> Endpoint:
        """Return the endpoint of a route that needs no token of its own, as those of OAuth."""

        async def endpoint(request: Request) -> Response:
            def acting(params: dict[str, str]) -> _Acting:
                self._count(route, ANYONE)
                shown = _token(request, params)
                return _Acting((), lambda _: act(params if shown is None else {**params, "access_token": shown}))

            return await self._answered(request, route, acting)

        return endpoint

    def _count(self, route: str, user_id: str) -> None:
        self.world.truth.run("count_call", user_id=user_id, hour=self.world.now_ms() // HOUR_MS, route=route)

    async def _answered(self, request: Request, route: str, acting: Callable[[dict[str, str]], _Acting]) -> Response:
        fault = HARMLESS
        try:
            found = acting(await parameters(request))
            fault = self.faults.of_call(route, *found.names)
            before = await self._before(fault)
            if before is not None:
                return before
            answer = found.act(fault)
        except GraphError as error:
            answer = answered(error.body(), error.status, error.headers)
        return self._after(fault, answer if isinstance(answer, Response) else answered(answer))

    async def _before(self, fault: Fault) -> Response | None:
        if fault.error is not None:
            raise fault.error()
        if fault.effect == "cut":
            return Cut()
        if fault.effect == "silence":
            return Silence(self.ending)
        if fault.effect == "slow":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ending.wait(), self.world.settings.simulator_slow_answer_s)
        return None

    def _after(self, fault: Fault, response: Response) -> Response:
        if fault.effect == "cut_after":
            return Cut()
        if fault.effect == "silence_after":
            return Silence(self.ending)
        if fault.effect == "half":
            return Cut(response)
        if fault.effect == "malformed":
            body = bytes(response.body)
            return Response(body[: len(body) - 1] + b",", response.status_code, media_type="application/json")
        return response

    def _path(self, request: Request, caller: Caller) -> dict[str, str]:
        path = dict(request.path_params)
        user = path.get("user_id")
        if user == "me":
            path["user_id"] = caller.user_id
        elif user is not None and user != caller.user_id:
            raise not_there(user)
        return path

    def _check_budget(self, caller: Caller) -> None:
        """Count a call against those that a user has in a rolling day."""
        now_ms, least = self.world.now_ms(), self.world.settings.simulator_calls_per_impression * LEAST_IMPRESSIONS
        budget = self._budgets.get(caller.user_id)
        if budget is None:
            budget = self._budgets[caller.user_id] = _Budget(self._made(caller, now_ms), least)
        budget.made += 1
        if budget.made <= budget.allowed:
            return
        if now_ms - budget.looked_ms >= LOOK_EVERY_MS or now_ms < budget.looked_ms:
            user = self.world.truth.all("user", user=caller.user_id)[0]
            seen = self.insights.impressions(user, now_ms - DAY_MS)
            budget.made, budget.looked_ms = self._made(caller, now_ms), now_ms
            budget.allowed = self.world.settings.simulator_calls_per_impression * max(LEAST_IMPRESSIONS, seen)
        if budget.made > budget.allowed:
            raise throttled(17)

    def _made(self, caller: Caller, now_ms: int) -> int:
        hour = (now_ms - DAY_MS) // HOUR_MS + 1
        return int(self.world.truth.all("calls_since", user_id=caller.user_id, hour=hour)[0]["number"])


@dataclass(frozen=True, slots=True)
class _Acting:
    """What a call is about to do, and the names of who makes it."""

    names: tuple[str, ...]
    act: Callable[[Fault], Any]


async def parameters(request: Request) -> dict[str, str]:
    """Return the parameters of a call, those of the body first: of a form, or of JSON.

    Raises:
        GraphError: the body is neither.
    """
    found = dict(request.query_params)
    body = await request.body()
    if not body:
        return found
    if request.headers.get("content-type", "").startswith("application/json"):
        told = json_object(body)
        return found | {
            key: encodable(value if isinstance(value, str) else json.dumps(value)) for key, value in told.items()
        }
    try:
        return found | dict(parse_qsl(body.decode(), keep_blank_values=True))
    except ValueError as error:
        raise parameter("The body must be a form or JSON") from error


def json_object(body: bytes) -> dict[str, Any]:
    """Return the object that a body holds; an empty body is an empty one.

    Raises:
        GraphError: it holds none.
    """
    try:
        found = json.loads(body or b"{}")
    except ValueError as error:
        raise parameter(f"The body is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise parameter("The body must be a JSON object")
    return found


def encodable(text: str) -> str:
    """Return a text that UTF-8 can hold.

    Raises:
        GraphError: it holds half a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise parameter("The body holds half a surrogate pair, which is no text") from error
    return text


def answered(content: Any, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:  # noqa: ANN401
    """Return an answer of JSON."""
    return Response(orjson.dumps(content), status, headers, "application/json; charset=UTF-8")


def _token(request: Request, params: dict[str, str]) -> str | None:
    shown = request.headers.get("authorization", "")
    if shown.lower().startswith(BEARER):
        return shown[len(BEARER) :]
    return params.get("access_token")
