"""The Batch API: many calls at half the price, as lines that are known by their ids, answered within a day."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self, TypeVar, get_args

from openai.types import Batch

from agents.llm.answers.answer import answer_in, reply_of
from agents.llm.answers.loose_answer import ErrorAnswered, clean_name, json_body, mapping_in
from agents.llm.answers.reply import Reply, token_count
from agents.llm.client import JsonSchema, Sampling, chat_body
from agents.llm.faults.dialects import Dialects
from agents.llm.faults.error_body import error_body
from agents.llm.faults.faults import NoAnswer, answered_error, error_fault, is_not_there, unreadable
from agents.llm.provider import Provider, awaited, connection_to
from streams.errors import RecordFault, SettingsError, ThreadsError, Unavailable

ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
MAX_LINES = 50_000  # of one batch, as the API has it
_OK, _UNTOLD = 200, 500
_NOT_ASKED = ("batch_expired", "batch_cancelled")
T = TypeVar("T")
BatchStatus = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]
ENDED: frozenset[BatchStatus] = frozenset(("failed", "completed", "expired", "cancelled"))
_WITHOUT_RESULTS: frozenset[str] = frozenset(("failed", "cancelling", "cancelled"))
MAX_LISTED = 2_000  # newest batches that are looked through for one that was lost sight of
PAGE = 100
LOOK_AGAIN_S = 60.0


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


class BatchMissing(SettingsError):
    """The provider has no such batch, or no batches at all."""


@dataclass(frozen=True, slots=True)
class BatchState:
    """How far a batch is: its lines by outcome, and why it failed, if the provider refused it as a whole."""

    batch_id: str
    status: BatchStatus
    total: int
    completed: int
    failed: int
    reason: str | None = None

    @property
    def ended(self) -> bool:
        """Tell whether nothing more will come."""
        return self.status in ENDED


class BatchClient:
    """Batches of chat completions at one provider.

    Every method raises what `fault_of` says, and `BatchMissing` where there is no such thing. When `submit` fails with
    `Unavailable` the batch may have been made all the same: `find` it by its metadata before it is submitted again.
    """

    def __init__(self, provider: Provider, *, timeout_s: float, dialects: Dialects | None = None) -> None:
        self.provider = provider
        self._dialects = dialects or Dialects()
        self._timeout_s = timeout_s
        self._client = connection_to(provider, timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def submit(self, lines: Sequence[BatchLine], metadata: Mapping[str, str]) -> str:
        """Make a batch of lines of one model; return its id.

        `metadata` (at most 16 names of 64 characters, values of 512) should name nothing but this batch.

        Raises:
            ValueError: the lines can't be one batch.
        """
        content = ("batch.jsonl", input_file(lines, self._dialects), "application/jsonl")
        file = await self._guarded(self._client.files.create(file=content, purpose="batch"))
        batch = await self._guarded(
            self._client.batches.create(
                input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", metadata=dict(metadata)
            )
        )
        return batch.id

    async def find(self, metadata: Mapping[str, str]) -> str | None:
        """Return the newest batch with all of the metadata that was not cancelled or refused; None for none."""
        return await self._guarded(self._found(metadata))

    async def state(self, batch_id: str) -> BatchState:
        """Return how far a batch is."""
        return await self._guarded(self._state(batch_id))

    async def results(self, batch_id: str) -> dict[str, Reply | ThreadsError]:
        """Return the outcome of every line of a batch that has ended, by custom id.

        A line is a reply, or the fault that its call would have raised: `Unavailable` where it may be asked again (it
        expired, was cancelled, or is missing), else `RecordFault` or `SettingsError`. `latency_ms` is 0: not known.

        Raises:
            Unavailable: the batch has not ended; look again after `retry_after_s`.
        """
        batch = await self._guarded(self._client.batches.retrieve(batch_id))
        state = state_of(batch)
        if not state.ended:
            raise Unavailable(f"batch {batch_id} is {state.status}: it has no results yet", retry_after_s=LOOK_AGAIN_S)
        outcomes = {name: self._missing(state) for name in await self._guarded(self._ids(batch))}
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                outcomes.update(await self._guarded(self._outcomes(file_id, batch.model)))
        return outcomes

    async def cancel(self, batch_id: str) -> None:
        """Ask for an end: lines that were answered by then are paid for, and are among the results."""
        await self._guarded(self._client.batches.cancel(batch_id))

    async def _found(self, metadata: Mapping[str, str]) -> str | None:
        seen = 0
        async for batch in self._client.batches.list(limit=PAGE):
            if batch.status not in _WITHOUT_RESULTS and metadata.items() <= (batch.metadata or {}).items():
                return batch.id
            seen += 1
            if seen >= MAX_LISTED:
                break
        return None

    async def _state(self, batch_id: str) -> BatchState:
        return state_of(await self._client.batches.retrieve(batch_id))

    async def _ids(self, batch: Batch) -> list[str]:
        return list(ids_of((await self._client.files.content(batch.input_file_id)).content))

    async def _outcomes(self, file_id: str, model: str | None) -> dict[str, Reply | ThreadsError]:
        content = (await self._client.files.content(file_id)).content
        return outcomes_of(content, str(self.provider), model)

    def _missing(self, state: BatchState) -> Reply | ThreadsError:
        if state.status == "failed":
            why = state.reason or "no reason given"
            return RecordFault(f"{self.provider} refused the batch of this line ({why}); shorten or change the brief")
        return Unavailable(f"{self.provider}: a line of a batch that is {state.status} has no answer; ask it again")

    async def _guarded(self, call: Awaitable[T]) -> T:
        try:
            return await awaited(call, self.provider, self._timeout_s)
        except SettingsError as fault:
            if is_not_there(fault):
                raise BatchMissing(str(fault)) from fault
            raise


def state_of(batch: Batch) -> BatchState:
    """Return the state of a batch as the API told it.

    Raises:
        ValueError: a status that the API does not have.
    """
    if batch.status not in get_args(BatchStatus):
        raise ValueError(f"expected a status of a batch, got {batch.status!r}")
    counts = batch.request_counts
    errors = (batch.errors.data or []) if batch.errors else []
    return BatchState(
        batch.id,
        batch.status,
        total=counts.total if counts else 0,
        completed=counts.completed if counts else 0,
        failed=counts.failed if counts else 0,
        reason="; ".join(str(each.code or "no code") for each in errors) or None,
    )
