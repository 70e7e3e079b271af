"""The lines of a batch: chat completions in, answers or faults out, each known by its custom id."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agents.llm.answer import ChatBody
from agents.llm.client import JsonSchema, Sampling, chat_body
from agents.llm.faults import status_fault
from agents.llm.reply import Reply, usage_of
from streams.errors import ThreadsError, Unavailable

ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
MAX_LINES = 50_000  # of one batch, as the API has it
_OK = 200
_NOT_ASKED = ("batch_expired", "batch_cancelled")


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One chat completion of a batch."""

    custom_id: str
    model: str
    system: str
    user: str
    answer: JsonSchema
    sampling: Sampling


def input_file(lines: Sequence[BatchLine]) -> bytes:
    """Return the file of a batch, in JSON lines.

    Raises:
        ValueError: no lines, too many, of several models, or two of one id: the API would refuse the whole batch.
    """
    if not 0 < len(lines) <= MAX_LINES:
        raise ValueError(f"expected 1 to {MAX_LINES:,} lines in a batch, got {len(lines):,}")
    models = {line.model for line in lines}
    if len(models) > 1:
        raise ValueError(f"expected one model in a batch, got {', '.join(sorted(models))}: make a batch for each")
    if len({line.custom_id for line in lines}) < len(lines):
        raise ValueError("expected a custom id of its own for each line, got one twice")
    return b"".join(_input_line(line) for line in lines)


def ids_of(file: bytes) -> Iterator[str]:
    """Yield the custom ids of a file of lines.

    Raises:
        ValueError, LookupError: a line is not of that form.
    """
    for line in file.splitlines():
        if line.strip():
            yield str(json.loads(line)["custom_id"])


def outcomes_of(file: bytes, server: str, model: str | None) -> Iterator[tuple[str, Reply | ThreadsError]]:
    """Yield custom id and outcome of each line of a file of results or of errors.

    Raises:
        ValueError, LookupError, TypeError: the file is not of that form.
    """
    for line in file.splitlines():
        if line.strip():
            said = json.loads(line)
            yield str(said["custom_id"]), _outcome(said, server, model)


def _input_line(line: BatchLine) -> bytes:
    body = chat_body(model=line.model, system=line.system, user=line.user, answer=line.answer, sampling=line.sampling)
    said = {"custom_id": line.custom_id, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(said).encode() + b"\n"


def _outcome(said: Mapping[str, object], server: str, model: str | None) -> Reply | ThreadsError:
    error, response = said.get("error"), said.get("response")
    if isinstance(error, Mapping):
        code = str(error.get("code"))
        fate = "was not asked in time" if code in _NOT_ASKED else "failed"
        return Unavailable(f"{server}: a line of a batch {fate} ({code}); ask it again")
    if not isinstance(response, Mapping) or not isinstance(response.get("body"), Mapping):
        return Unavailable(f"{server}: a line of a batch came back without an answer; ask it again")
    status, body = response["status_code"], response["body"]
    if status != _OK:
        told = body.get("error")
        reason = told.get("code") if isinstance(told, Mapping) else None
        return status_fault(int(status), reason if isinstance(reason, str) else None, server, model)
    return _reply(body, server)


def _reply(body: Mapping[str, object], server: str) -> Reply | ThreadsError:
    try:
        answer = ChatBody.model_validate(body).answer()
    except ValueError as error:
        kind = type(error).__name__
        return Unavailable(f"{server}: a line of a batch is no answer of its API ({kind}); ask it again")
    return Reply(
        text=answer.text or "",
        model=answer.model,
        usage=usage_of(answer.usage),
        latency_ms=0,
        cut_off=answer.finish_reason == "length",
        refusal=answer.refusal,
    )
