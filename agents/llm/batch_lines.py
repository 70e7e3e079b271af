"""The lines of a batch: chat completions in, answers or faults out, each known by its custom id."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agents.llm.answers.answer import answer_in, reply_of
from agents.llm.answers.loose_answer import ErrorAnswered
from agents.llm.answers.reply import Reply
from agents.llm.answers.said_text import clean_name, json_body, mapping_in
from agents.llm.answers.token_counts import token_count
from agents.llm.client import JsonSchema, Sampling, chat_body
from agents.llm.faults.dialects import Dialects
from agents.llm.faults.error_body import error_body
from agents.llm.faults.faults import NoAnswer, answered_error, error_fault, unreadable
from streams.errors import ThreadsError, Unavailable

ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
MAX_LINES = 50_000  # of one batch, as the API has it
_OK, _UNTOLD = 200, 500
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


def input_file(lines: Sequence[BatchLine], dialects: Dialects | None = None) -> bytes:
    """Return the file of a batch, in JSON lines, each in the dialect of its model.

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
    return b"".join(_input_line(line, dialects or Dialects()) for line in lines)


def ids_of(file: bytes) -> Iterator[str]:
    """Yield the custom ids of a file of lines.

    Raises:
        ValueError, LookupError: a line is not of that form.
    """
    for line in file.splitlines():
        if line.strip():
            yield str(json.loads(line)["custom_id"])


def outcomes_of(file: bytes, server: str, model: str | None) -> dict[str, Reply | ThreadsError]:
    """Return the outcome of each line of a file of results or of errors by its custom id.

    A line that can't be read is passed over: the others are paid for.

    Raises:
        ValueError: no line of the file is of that form.
    """
    lines = [line for line in file.splitlines() if line.strip()]
    said = [each for each in map(_said, lines) if "custom_id" in each]
    if lines and not said:
        raise ValueError(f"expected {len(lines)} lines with custom ids, got none")
    return {str(each["custom_id"]): _outcome(each, server, model) for each in said}


def _said(line: bytes) -> Mapping[object, object]:
    try:
        return mapping_in(json_body(line))
    except ValueError:
        return {}


def _input_line(line: BatchLine, dialects: Dialects) -> bytes:
    asked = chat_body(model=line.model, system=line.system, user=line.user, answer=line.answer, sampling=line.sampling)
    said = {"custom_id": line.custom_id, "method": "POST", "url": ENDPOINT, "body": dialects.shaped(asked)}
    return json.dumps(said).encode() + b"\n"


def _outcome(said: Mapping[object, object], server: str, model: str | None) -> Reply | ThreadsError:
    error, response = said.get("error"), said.get("response")
    if isinstance(error, Mapping):
        code = clean_name(error.get("code")) or "no code"
        fate = "was not asked in time" if code in _NOT_ASKED else "failed"
        return Unavailable(f"{server}: a line of a batch {fate} ({code}); ask it again")
    if not isinstance(response, Mapping) or not isinstance(response.get("body"), Mapping):
        return Unavailable(f"{server}: a line of a batch came back without an answer; ask it again")
    status, body = token_count(response.get("status_code", _OK)) or _UNTOLD, response["body"]
    if status != _OK:
        return error_fault(status, error_body(body.get("error", body)), server, model)
    return _reply(body, server, model)


def _reply(body: object, server: str, model: str | None) -> Reply | ThreadsError:
    try:
        answer = answer_in(json.dumps(body).encode())
    except ErrorAnswered as error:
        return answered_error(error.error, server, model)
    except ValueError as error:
        return unreadable(server, type(error).__name__, model)
    reply = reply_of(answer, model or "", 0)
    return reply if answer.is_said else NoAnswer(f"{server} answered a line of a batch without a choice", model, reply)
