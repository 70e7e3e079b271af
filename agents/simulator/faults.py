"""Faults on demand: for the next call that one can befall, or by rate; what is pending is kept through a kill -9."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from agents.simulator.graph_errors import (
    GraphError,
    media_not_found,
    restricted,
    restricted_activity,
    server_fault,
    throttled,
)
from agents.simulator.publishing import FATE_LOST
from agents.simulator.truth import Truth
from agents.simulator.world import World

Effect = Literal["refuse", "slow", "cut", "silence", "cut_after", "silence_after", "half", "malformed", "fate"]
RETRY_AFTER_S = 7
WEBHOOK = "webhook"
CREATE, PUBLISH = "create", "publish"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, on which routes (all, if none are named): `error` is what refuses, `fate` a container's.

    Those whose effect ends in `_after`, and `half` and `malformed`, befall the answer: the act was done.
    """

    effect: Effect
    routes: tuple[str, ...] = ()
    error: Callable[[], GraphError] | None = None
    fate: str | None = None


FAULTS: Mapping[str, Fault] = {
    "4279009": Fault("refuse", (PUBLISH,), lambda: media_not_found("0")),
    "4279013": Fault("refuse", (CREATE, PUBLISH), restricted),
    "2207051": Fault("refuse", (CREATE, PUBLISH), restricted_activity),
    "4": Fault("refuse", (), lambda: throttled(4)),
    "17": Fault("refuse", (), lambda: throttled(17)),
    "32": Fault("refuse", (), lambda: throttled(32)),
    "613": Fault("refuse", (), lambda: throttled(613)),
    "613_retry_after": Fault("refuse", (), lambda: throttled(613, RETRY_AFTER_S)),
    "500": Fault("refuse", (), lambda: server_fault(HTTPStatus.INTERNAL_SERVER_ERROR)),
    "503": Fault("refuse", (), lambda: server_fault(HTTPStatus.SERVICE_UNAVAILABLE)),
    "slow": Fault("slow"),
    "cut": Fault("cut"),
    "timeout": Fault("silence"),
    "cut_after_publish": Fault("cut_after", (PUBLISH,)),
    "timeout_after_publish": Fault("silence_after", (PUBLISH,)),
    "timeout_after_delete": Fault("silence_after", ("delete",)),
    "half_answer": Fault("half"),
    "malformed_json": Fault("malformed"),
    "container_error": Fault("fate", (CREATE,), fate="error"),
    "container_slow": Fault("fate", (CREATE,), fate="slow"),
    "container_lost": Fault("fate", (CREATE,), fate=FATE_LOST),
    "webhook_duplicate": Fault("fate", (WEBHOOK,), fate="duplicate"),
    "webhook_lost": Fault("fate", (WEBHOOK,), fate="lost"),
    "webhook_reorder": Fault("fate", (WEBHOOK,), fate="reorder"),
}
HARMLESS = Fault("fate")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A fault that waits for a call: of this route and this user, where they are named."""

    fault: str
    on: str | None = None
    user: str | None = None

    def befalls(self, route: str, names: Sequence[str]) -> bool:
        """Tell whether it befalls a call."""
        possible = FAULTS[self.fault].routes
        return (
            (route in possible if possible else route != WEBHOOK)
            and self.on in (None, route)
            and (self.user is None or self.user in names)
        )


class Faults:
    """Which fault befalls which call."""

    def __init__(self, world: World) -> None:
        self._truth: Truth = world.truth
        self._random = random.Random(world.settings.simulator_seed)  # noqa: S311 - no secret
        kept = self._truth.kept("faults", {"next": [], "rates": {}})
        self._next = [Wanted(**each) for each in kept["next"]]
        self._rates: dict[str, float] = kept["rates"]

    def ask(self, following: Sequence[Wanted], rates: Mapping[str, float] | None = None) -> None:
        """Add faults that wait for a call, and set the shares of calls by fault, where they are given."""
        self._next += following
        self._rates = self._rates if rates is None else dict(rates)
        self._keep()

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._next, self._rates = [], {}
        self._keep()

    def pending(self) -> dict[str, Any]:
        """Return what is asked for."""
        return {"next": [_told(each) for each in self._next], "rates": dict(self._rates)}

    def of_call(self, route: str, *names: str) -> Fault:
        """Return what befalls a call of a route by a user, whose id and name are given; it is counted."""
        name = self._take(route, names) or self._draw(route)
        if name is None:
            return HARMLESS
        self._truth.run("count_fault", name=name)
        return FAULTS[name]

    def _take(self, route: str, names: Sequence[str]) -> str | None:
        for place, each in enumerate(self._next):
            if each.befalls(route, names):
                del self._next[place]
                self._keep()
                return each.fault
        return None

    def _draw(self, route: str) -> str | None:
        if not self._rates:
            return None
        chance = self._random.random()
        for name, rate in self._rates.items():
            if Wanted(name).befalls(route, ()):
                chance -= rate
                if chance < 0:
                    return name
        return None

    def _keep(self) -> None:
        self._truth.keep("faults", self.pending())


def _told(wanted: Wanted) -> dict[str, str | None]:
    return {"fault": wanted.fault, "on": wanted.on, "user": wanted.user}
