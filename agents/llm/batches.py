"""The Batch API: many calls at half the price, answered within a day."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self, TypeVar, get_args

from openai.types import Batch

from agents.llm.answers.reply import Reply
from agents.llm.batch_lines import ENDPOINT, BatchLine, ids_of, input_file, outcomes_of
from agents.llm.connection import awaited, connection_to
from agents.llm.faults.dialects import Dialects
from agents.llm.faults.faults import is_not_there
from agents.llm.provider import Provider
from streams.errors import RecordFault, SettingsError, ThreadsError, Unavailable

T = TypeVar("T")

BatchStatus = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]
ENDED: frozenset[BatchStatus] = frozenset(("failed", "completed", "expired", "cancelled"))
_WITHOUT_RESULTS: frozenset[str] = frozenset(("failed", "cancelling", "cancelled"))
MAX_LISTED = 2_000  # newest batches that are looked through for one that was lost sight of
PAGE = 100
LOOK_AGAIN_S = 60.0


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
