"""Batch jobs: requests that go through the provider's batch API together, as they are kept in the state."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter

from streams.identity import derived_id


@dataclass(frozen=True, slots=True)
class BatchJob:
    """Requests of one batch, all for one model.

    `batch_id` is the provider's; None until it is known that the batch was submitted.
    The job is kept before it is submitted, under a key that is part of the batch's metadata: after a crash in between
    the batch is found again instead of being submitted, and paid, twice.
    """

    key: str
    model: str
    request_ids: tuple[str, ...]
    batch_id: str | None = None

    def encode(self) -> bytes:
        """Return it as bytes of the state's changelog."""
        return _ADAPTER.dump_json(self)


_ADAPTER = TypeAdapter(BatchJob)


def decoded(value: bytes) -> BatchJob:
    """Return what `encode` wrote."""
    return _ADAPTER.validate_json(value)


def job_of(model: str, request_ids: tuple[str, ...]) -> BatchJob:
    """Return the job of some requests; its key follows from them."""
    return BatchJob(derived_id("batch", model, *sorted(request_ids)), model, request_ids)
