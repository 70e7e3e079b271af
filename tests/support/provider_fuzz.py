"""What a provider may answer: good completions, each changed in one way, as Hypothesis draws them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.conftest import REPOSITORY
from tests.support.json_values import TEXTS, json_values

Response = tuple[int, dict[str, str], bytes]
Change = Callable[[dict[str, Any]], Response]
"""Makes a response of a good completion."""

RECORDED: list[dict[str, Any]] = yaml.safe_load(
    (REPOSITORY / "tests" / "unit" / "agents" / "llm" / "provider_errors.yaml").read_text(encoding="utf-8")
)
SET_UP = ("key", "model", "address", "parameter")
PATHS: tuple[tuple[str | int, ...], ...] = (
    *(("choices",), ("choices", 0), ("choices", 0, "message"), ("choices", 0, "message", "content")),
    *(("choices", 0, "message", "refusal"), ("choices", 0, "finish_reason"), ("model",), ("id",), ("usage",)),
    *(("usage", "prompt_tokens"), ("usage", "completion_tokens"), ("usage", "total_tokens"), ("error",)),
    *(("usage", "prompt_tokens_details"), ("usage", "prompt_tokens_details", "cached_tokens")),
    *(("usage", "completion_tokens_details"), ("usage", "completion_tokens_details", "reasoning_tokens")),
)


class Named:
    """A change with a name that a falsifying example shows; `keeps_usage` says that its bill can be read."""

    def __init__(self, name: str, change: Change, *, keeps_usage: bool = False) -> None:
        self.name = name
        self.keeps_usage = keeps_usage
        self._change = change

    def __call__(self, completion: dict[str, Any]) -> Response:
        return self._change(deepcopy(completion))

    def __repr__(self) -> str:
        return self.name[:300]


def ok(body: object, headers: dict[str, str] | None = None) -> Response:
    return 200, headers or {}, body if isinstance(body, bytes) else json.dumps(body).encode()


def patched(path: tuple[str | int, ...], value: object) -> Named:
    def change(completion: dict[str, Any]) -> Response:
        at: Any = completion
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
        return ok(completion)

    keeps = path[:2] == ("choices", 0) or path in (("model",), ("id",), ("choices",))
    return Named(f"{path} = {value!r}", change, keeps_usage=keeps)


def dropped(path: tuple[str | int, ...]) -> Named:
    def change(completion: dict[str, Any]) -> Response:
        at: Any = completion
        for step in path[:-1]:
            at = at[step]
        at.pop(path[-1], None) if isinstance(at, dict) else at.clear()
        return ok(completion)

    return Named(f"without {path}", change)


def text_around(before: str, after: str) -> Named:
    def change(completion: dict[str, Any]) -> Response:
        message = completion["choices"][0]["message"]
        message["content"] = f"{before}{message['content']}{after}"
        return ok(completion)

    return Named(f"{before!r} … {after!r}", change, keeps_usage=True)


def in_text(piece: str) -> Named:
    """Put a piece of JSON string into the first text of the inner JSON, as it stands."""

    def change(completion: dict[str, Any]) -> Response:
        message = completion["choices"][0]["message"]
        message["content"] = message["content"].replace('": ["', f'": ["{piece}', 1).replace(". ", f". {piece}", 1)
        return ok(completion)

    return Named(f"{piece!r} within the text", change, keeps_usage=True)


def as_parts(kinds: list[str]) -> Named:
    def change(completion: dict[str, Any]) -> Response:
        message = completion["choices"][0]["message"]
        thoughts = [{"type": kind, kind: [{"type": "text", "text": "Hm {"}]} for kind in kinds]
        message["content"] = [*thoughts, {"type": "text", "text": message["content"]}]
        return ok(completion)

    return Named(f"parts after {kinds}", change, keeps_usage=True)


def cut(share: float) -> Named:
    def change(completion: dict[str, Any]) -> Response:
        body = json.dumps(completion).encode()
        return ok(body[: int(len(body) * share)])

    return Named(f"cut at {share:.2f}", change)


def zipped(*, broken: bool) -> Named:
    def change(completion: dict[str, Any]) -> Response:
        body = gzip.compress(json.dumps(completion).encode())
        return ok(body[: len(body) // 2] if broken else body, {"Content-Encoding": "gzip"})

    return Named(f"gzip, broken: {broken}", change)


def streamed() -> Named:
    def change(completion: dict[str, Any]) -> Response:
        choice = completion["choices"][0]
        delta = {"index": 0, "delta": {"content": choice["message"]["content"]}, "finish_reason": "stop"}
        events = [{**completion, "choices": [delta], "usage": None}, {**completion, "choices": []}]
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        return ok(body.encode(), {"Content-Type": "text/event-stream"})

    return Named("a stream nobody asked for", change, keeps_usage=True)


def raw(status: int, headers: dict[str, str], body: bytes) -> Named:
    return Named(f"{status} {headers} {body!r}", lambda _: (status, headers, body))


def error_of(case: dict[str, Any], status: int | None = None) -> Named:
    body = json.dumps(case["body"]).encode()
    shown = f"{case['vendor']} {case['means']} as {status or case['status']}"
    return Named(shown, lambda _: (status or case["status"], {}, body))


ODD_BODIES = st.sampled_from((b"", b"<html>busy</html>", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 20_000, b"data: "))
ODD_HEADERS = st.sampled_from(
    (
        *({}, {"Content-Type": "text/html"}, {"Content-Type": "application/json; charset=klingon"}),
        *({"Content-Encoding": "gzip"}, {"Retry-After": "soon"}, {"Retry-After": "-1"}, {"Retry-After": "1e9"}),
        {"retry-after-ms": "nan"},
    )
)
STATUSES = st.sampled_from((200, 201, 204, 206, 300, 304, 400, 402, 404, 408, 409, 413, 422, 429, 499, 500, 503, 529))
PIECES = st.sampled_from(
    ("\\ud83d", "\\u0000", "\\udc00", "\\ud83d\\ude00", "\\u202e", "x" * 9_000, "</think>", "\\n\\n")
)
JSON_BODIES = json_values().map(lambda value: json.dumps(value).encode())

ANSWERS: st.SearchStrategy[Named] = st.one_of(
    st.builds(patched, st.sampled_from(PATHS), json_values()),
    st.builds(patched, st.sampled_from(PATHS), TEXTS),
    st.builds(dropped, st.sampled_from(PATHS)),
    st.builds(text_around, st.sampled_from(("", '<think>{"x": 1}</think>', "Sure: {", "```json\n", "{" * 999)), TEXTS),
    st.builds(in_text, PIECES),
    st.builds(as_parts, st.lists(st.sampled_from(("thinking", "reasoning", "tool_use", "refusal")), max_size=3)),
    st.builds(cut, st.floats(0, 1)),
    st.builds(zipped, broken=st.booleans()),
    st.builds(streamed),
    st.builds(raw, STATUSES, ODD_HEADERS, st.one_of(ODD_BODIES, JSON_BODIES)),
    st.builds(error_of, st.sampled_from(RECORDED), st.one_of(st.none(), st.just(200))),
)
