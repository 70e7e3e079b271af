"""Chat completions as the API sends them: whole or as a stream, with usage that knows the provider's prompt cache."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.openai.answers import answer_to, task_of
from tests.support.openai.faults import Fault

CACHE_FROM_TOKENS = 1024
CACHE_BLOCK_TOKENS = 128
CREATED = 1_790_000_000
_CHUNK_CHARS = 12


def tokens_of(text: str) -> int:
    """Return the tokens that the loopback counts: one for four characters begun."""
    return (len(text) + 3) // 4


def form_of(body: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return name and schema of the form that an answer must have: as a parameter, or told in the instructions."""
    wanted = body.get("response_format", {})
    if wanted.get("type") == "json_schema":
        return wanted["json_schema"]["name"], wanted["json_schema"]["schema"]
    _, told, schema = body["messages"][0]["content"].partition("of this JSON schema: ")
    if not told:
        return None
    found = json.loads(schema)
    return next(iter(found["properties"]["answers"]["items"]["properties"])), found


def content_of(body: dict[str, Any]) -> str:
    """Write an answer in the form that the request asks for."""
    form, task = form_of(body), task_of(body)
    if form is not None:
        return json.dumps(answer_to(form[1], task, form[0]))
    return str(answer_to({"type": "string"}, task, "text"))


@dataclass(frozen=True, slots=True, eq=False)
class Bill:
    """What the provider would bill for one completion, whether or not its answer was ever read."""

    body: dict[str, Any]
    fault: Fault | None
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


@dataclass(slots=True)
class Completions:
    """Makes completions; remembers system prompts, whose tokens are cached when they come again."""

    made: int = 0
    bills: list[Bill] = field(default_factory=list)
    _seen_prefixes: set[str] = field(default_factory=set)

    def completion(self, body: dict[str, Any], content: str, fault: Fault | None = None) -> dict[str, Any]:
        """Return the answer's body, with what a fault within an answer makes of it."""
        self.made += 1
        model = f"{body['model']}-2025-04-14"
        said: str | None = content
        if fault in {"empty", "garbage", "refusal"}:
            said = {"empty": "", "garbage": "}{ no json at all"}.get(str(fault))
        elif fault == "cut-off":
            said = content[: len(content) // 2]
        message = {
            "role": "assistant",
            "content": said,
            "refusal": "I can't help with that." if fault == "refusal" else None,
        }
        reason = "length" if fault == "cut-off" else "stop"
        choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
        bill = self._bill(body, fault, model, said or "")
        self.bills.append(bill)
        return {
            "id": f"chatcmpl-{self.made}",
            "object": "chat.completion",
            "created": CREATED,
            "model": model,
            "choices": [] if fault == "no-choices" else [choice],
            "usage": _usage(bill),
        }

    def _bill(self, body: dict[str, Any], fault: Fault | None, model: str, content: str) -> Bill:
        system = body["messages"][0]["content"]
        prompt = sum(tokens_of(each["content"]) for each in body["messages"])
        known = system in self._seen_prefixes
        self._seen_prefixes.add(system)
        blocks = tokens_of(system) // CACHE_BLOCK_TOKENS if known and prompt >= CACHE_FROM_TOKENS else 0
        return Bill(body, fault, model, prompt, blocks * CACHE_BLOCK_TOKENS, tokens_of(content))


def _usage(bill: Bill) -> dict[str, Any]:
    return {
        "prompt_tokens": bill.prompt_tokens,
        "completion_tokens": bill.completion_tokens,
        "total_tokens": bill.prompt_tokens + bill.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": bill.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def stream_events(completion: dict[str, Any], *, include_usage: bool) -> Iterator[bytes]:
    """Cut a completion into server-sent events: pieces of the text, how it ended, usage where wanted, [DONE]."""
    shared = {**completion, "object": "chat.completion.chunk"}
    usage = shared.pop("usage")
    extra = {"usage": None} if include_usage else {}
    for choice in shared.pop("choices"):
        message = choice["message"]
        content = message["content"] or ""
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "", "refusal": message["refusal"]}]
        deltas += [{"content": content[start : start + _CHUNK_CHARS]} for start in range(0, len(content), _CHUNK_CHARS)]
        for delta in deltas:
            yield _event({**shared, **extra, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        ended = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
        yield _event({**shared, **extra, "choices": [ended]})
    if include_usage:
        yield _event({**shared, "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


class InstantCompletions:
    """Answers from bytes made once for each form, number of briefs and counts asked for: a benchmark pays for little.

    The first request of a form is answered in full; those like it get the same bytes, whatever they are about.
    """

    _SHAPE = re.compile(rb'"json_schema":\s*\{\s*"name":\s*"(\w+)"|brief|(?:minItems|count)[\\"]*:\s*(\d+)')

    def __init__(self) -> None:
        self.answered = 0
        self._completions = Completions()
        self._bytes: dict[object, bytes] = {}

    def answer(self, raw: bytes) -> bytes:
        """Return the body of the answer to a request's body."""
        self.answered += 1
        shape = tuple(self._SHAPE.findall(raw))
        known = self._bytes.get(shape)
        if known is None:
            body = json.loads(raw)
            known = json.dumps(self._completions.completion(body, content_of(body))).encode()
            self._bytes[shape] = known
        return known
