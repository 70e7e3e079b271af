"""Dialects: which parameters of a call a model does not take, by the settings or as its provider said."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from agents.llm.answers.loose_answer import clean_name
from agents.llm.settings import Omitted

logger = logging.getLogger(__name__)

FORM = "Answer with one JSON object and nothing else, of this JSON schema: "

_FORMATS = ("json_schema", "json_object", "none")  # from the strictest to what every model takes
_MOST = ("max_completion_tokens", "max_tokens")  # the name of today, and the older one that many servers know alone


class Dialects:
    """The ways in which models are asked. One for all calls to a provider, which learns from its refusals.

    A parameter that a model refuses is left out, or said in the next simpler way, for as long as the process lives:
    a refused call costs nothing. `omitted` are left out for all models.
    """

    def __init__(self, omitted: Iterable[Omitted] = ()) -> None:
        self._omitted = frozenset(omitted)
        self._refused: dict[str, frozenset[str]] = {}

    def shaped(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of a call as its model takes it."""
        left_out = self._omitted | self._refused.get(str(body.get("model")), frozenset())
        shaped = {name: value for name, value in body.items() if name not in left_out}
        if _MOST[0] in body:
            shaped.pop(_MOST[0], None)
            shaped |= _most_tokens(body, left_out)
        return _formed(shaped, body, left_out) if "response_format" in body else shaped

    def learn(self, sent: Mapping[str, Any], asked: Mapping[str, Any], parameter: str) -> bool:
        """Take a parameter of a body that was sent as refused by its model; tell whether it can be asked otherwise."""
        model, name = str(asked.get("model")), self._step(sent, parameter)
        known = self._refused.get(model, frozenset())
        if name is not None and name not in known:
            self._refused[model] = known | {name}
            logger.warning("Model %s does not take %s: calls go without from now on", clean_name(model), name)
        return self.shaped(asked) != sent

    @staticmethod
    def _step(sent: Mapping[str, Any], parameter: str) -> str | None:
        """Return what is to be refused next; None for what was not sent, or can't be left out unasked."""
        if parameter in _MOST:
            return _MOST[0] if _MOST[0] in sent else None
        if parameter == "response_format":
            form = sent.get(parameter)
            return str(form["type"]) if isinstance(form, Mapping) else None
        return parameter if parameter in sent and parameter in ("temperature", "seed", "frequency_penalty") else None


def _most_tokens(body: Mapping[str, Any], left_out: frozenset[str]) -> dict[str, Any]:
    """Return the bound of the answer under the name that the model knows; none where the settings say so."""
    if _MOST[1] in left_out:
        return {}
    return {_MOST[_MOST[0] in left_out]: body[_MOST[0]]}


def _formed(shaped: dict[str, Any], body: Mapping[str, Any], left_out: frozenset[str]) -> dict[str, Any]:
    """Return the body with the strictest form that the model takes; a weaker one is told in the instructions too."""
    form = _FORMATS[-1] if "response_format" in left_out else next(each for each in _FORMATS if each not in left_out)
    if form == _FORMATS[0]:
        return shaped
    wanted = body["response_format"]["json_schema"]["schema"]
    system, *rest = body["messages"]
    told = {**system, "content": f"{system['content']}\n{FORM}{json.dumps(wanted, separators=(',', ':'))}"}
    shaped["messages"] = [told, *rest]
    shaped.pop("response_format", None)
    return shaped if form == _FORMATS[-1] else {**shaped, "response_format": {"type": form}}
