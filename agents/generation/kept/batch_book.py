"""The batch book: the batch jobs of one partition, and which of its parked requests each takes along."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agents.generation.kept.entries import BATCHES, BatchJob, ParkedRequest
from agents.generation.kept.request_book import RequestBook
from streams.engine.stage import Change


class BatchBook:
    """The jobs that have not ended; `keep` is handed every change of state."""

    def __init__(
        self,
        state: Iterable[tuple[bytes, bytes]],
        requests: RequestBook,
        keep: Callable[[Iterable[Change]], None],
    ) -> None:
        self._requests = requests
        self._keep = keep
        self._jobs = {job.key: job for job in BATCHES.restored(state).values()}

    @property
    def has_any(self) -> bool:
        """Tell whether a request waits for a batch, or a batch has not ended."""
        return bool(self._jobs) or any(each.for_batch for each in self._requests.waiting())

    def jobs(self) -> list[BatchJob]:
        """Return the jobs that have not ended."""
        return list(self._jobs.values())

    def without_job(self) -> list[ParkedRequest]:
        """Return the requests that wait for a batch and are in none yet, in the order in which they came."""
        in_jobs = {request_id for job in self._jobs.values() for request_id in job.request_ids}
        requests = self._requests
        return [
            each
            for each in requests.waiting()
            if each.for_batch and each.request.event_id not in in_jobs and not requests.is_answered(each)
        ]

    def requests_of(self, job: BatchJob) -> list[ParkedRequest]:
        """Return the requests of a job that still wait for it."""
        waiting = {each.request.event_id: each for each in self._requests.waiting()}
        return [waiting[request_id] for request_id in job.request_ids if request_id in waiting]

    def keep(self, job: BatchJob) -> None:
        """Keep a job, or what became known of it."""
        self._jobs[job.key] = job
        self._keep([BATCHES.kept(job.key, job)])

    def end(self, job: BatchJob) -> None:
        """Forget a job: its requests are under way, or wait for another."""
        del self._jobs[job.key]
        self._keep([BATCHES.dropped(job.key)])
