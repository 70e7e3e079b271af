"""Where to begin reading a partition: at its commit, if that is of the log there is now and the log still has it."""

from __future__ import annotations

from dataclasses import dataclass

_PREFIX = "log="
_CUT = "+"


@dataclass(frozen=True, slots=True)
class Commit:
    """A committed offset and the log that it counts in; None where an earlier version committed."""

    offset: int
    log_id: str | None


@dataclass(frozen=True, slots=True)
class LogNow:
    """A partition's log at the moment: its topic's id (None: the broker does not tell), first offset and end."""

    topic_id: str | None
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Start:
    """The offset to begin at, the log that offsets count in from there on, and what an operator has to know."""

    offset: int
    log_id: str | None
    told: str | None = None


def as_metadata(log_id: str | None) -> str:
    """Return the text that stands beside a committed offset; Kafka keeps it and gives it back."""
    return "" if log_id is None else _PREFIX + log_id


def commit_of(offset: int, metadata: str | None) -> Commit:
    """Read a commit with the text beside it."""
    text = metadata or ""
    return Commit(offset, text.removeprefix(_PREFIX) if text.startswith(_PREFIX) else None)


def topic_id_of(log_id: str) -> str:
    """Return the id of the topic that a log is of; a log that lost its end counts as another one from there on."""
    return log_id.partition(_CUT)[0]


def start_of(commit: Commit | None, log: LogNow) -> Start:
    """Return where to begin.

    A topic that was made again is read from its beginning, and a log that lost its end (an unclean election, a restored
    disk) from the end that it has now: what follows stands at offsets that were read once before, so it is another log.
    """
    if commit is None:
        return Start(log.first, log.topic_id)
    if log.topic_id and commit.log_id and topic_id_of(commit.log_id) != log.topic_id:
        return Start(log.first, log.topic_id, _made_again(commit))
    if commit.offset > log.end:
        return _beyond_end(commit, log)
    log_id = commit.log_id or log.topic_id
    if commit.offset < log.first:
        gone = log.first - commit.offset
        reason = f"{gone:,} records ({commit.offset} to {log.first - 1}) were deleted before they were read"
        return Start(log.first, log_id, f"{reason}; it is read on from {log.first}")
    return Start(commit.offset, log_id)


def _made_again(commit: Commit) -> str:
    return f"the topic was made again, so the commit at {commit.offset} says nothing; it is read from its beginning"


def _beyond_end(commit: Commit, log: LogNow) -> Start:
    if log.topic_id is None or commit.log_id is None:  # more likely made again than cut off
        return Start(log.first, log.topic_id, _made_again(commit))
    lost = f"the log ends at {log.end} and lost what was read up to {commit.offset}"
    told = f"{lost}; it is read on from {log.end}; what was written anew before that is not: see `threads-agent replay`"
    return Start(log.end, f"{log.topic_id}{_CUT}{log.end}.{commit.offset}", told)
