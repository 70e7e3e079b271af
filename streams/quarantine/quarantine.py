"""The quarantine of a stage: which records ended the worker, and when there is no use in going on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TypeGuard

from pydantic import TypeAdapter, ValidationError

from streams.engine.batch import Slice, TopicPartition
from streams.errors import RecordFault, ThreadsError, Unavailable
from streams.quarantine.suspects import Span, Step, Suspect, steps_of

logger = logging.getLogger(__name__)

MOST_STARTS = 6  # in a row that got nowhere: neither was the cause narrowed down nor anything made durable
MOST_CAUSES = 10  # in a row: that nothing else went through speaks against the surroundings, not against the records
SILENT_DEATHS = 3  # in a row, at work on the same records, before these are suspects: a kill -9 is not their doing
PROOF_WAIT_S = 20.0  # what ended the worker waits so long for another record to show that the worker runs without it
STABLE_S = 60.0  # a life that lasted so long was a good one
SILENT = "the process died at its work (native code that crashed, or no memory left); see the end of the worker's log"


@dataclass(frozen=True, slots=True)
class Findings:
    """What outlives a worker's life. `at_work` names the records of the call under way, empty between calls.

    `width` is how many offsets were under suspicion last, None where nothing was since the last checkpoint.
    """

    suspects: tuple[Suspect, ...] = ()
    width: int | None = None
    fruitless_starts: int = 0
    silent_deaths: int = 0
    at_work: tuple[Span, ...] = ()
    reason: str = ""

    @property
    def causes(self) -> tuple[Suspect, ...]:
        """Return the records that are taken for causes, but not yet durable as dead letters."""
        return tuple(each for each in self.suspects if each.is_cause)

    @property
    def is_hopeless(self) -> bool:
        return self.fruitless_starts >= MOST_STARTS or len(self.causes) > MOST_CAUSES


_ADAPTER = TypeAdapter(Findings)


class FindingsFile:
    """Findings in a file, so that a process that dies leaves them to the next; it survives the process, not the disk.

    One that can't be read counts as none: it was cut off by a power failure, or is another version's.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)

    def read(self) -> Findings:
        self._file.seek(0)
        content = self._file.read()
        if not content:
            return Findings()
        try:
            return _ADAPTER.validate_json(content)
        except ValidationError:
            logger.warning("%s can't be read: what it told of records that ended the worker is forgotten", self._path)
            return Findings()

    def write(self, findings: Findings) -> None:
        content = _ADAPTER.dump_json(findings)
        self._file.seek(0)
        self._file.write(content)
        self._file.truncate()

    def close(self) -> None:
        self._file.close()


class Quarantine:
    """Watch a stage at its work, and find the records that end the worker.

    Records that the worker was at work on when it ended, `at_work`, are suspects. In its next life they are taken in
    steps with a checkpoint after each, so that the next end leaves fewer, down to one. A record that ended the worker
    on its own is set aside as the cause; its dead letter is written with the first checkpoint that holds other records
    too, or after `PROOF_WAIT_S` without any: the worker runs without it. Where ends come without records, or one
    record after the other is a cause and none gets through, the fault is not theirs: the stage is hopeless, and nothing
    is set aside for good. One object serves all lives of a stage in a process.
    """

    def __init__(self, file: FindingsFile | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._monotonic = monotonic
        self._findings = file.read() if file else Findings()
        self._open: dict[TopicPartition, Span] = {}
        self._aside_since: float | None = None
        self._began_at = monotonic()
        self._has_ended = False
        if self._findings.at_work:
            self._died_silently("ProcessDied", SILENT)

    @property
    def findings(self) -> Findings:
        """Return what is known by now."""
        return self._findings

    @property
    def has_ended(self) -> bool:
        """Tell whether an error ended this life."""
        return self._has_ended

    def why_hopeless(self) -> str:
        """Say for whoever has to mend it what ended the worker, and what became of the records."""
        found = self._findings
        if found.fruitless_starts < MOST_STARTS:
            first = found.causes[0].span
            return (
                f"{len(found.causes)} records in a row ended it ({first.source.topic}/{first.source.partition} from "
                f"offset {first.first}), and no other went through, so the fault may not be theirs; none of them was "
                f"skipped; the last error: {found.reason}"
            )
        return (
            f"it ended {found.fruitless_starts} times in a row, and no record is the cause; none was skipped; "
            f"the last error: {found.reason}"
        )

    def begin(self) -> None:
        """Begin a life: nothing is folded yet."""
        self._open.clear()
        self._aside_since = None
        self._began_at = self._monotonic()
        self._has_ended = False

    # at work

    def steps(self, part: Slice) -> Iterable[Step]:
        """Return a slice in steps, all of it in order; one usual step where nothing of it is under suspicion."""
        return steps_of(part, self._findings.suspects) if self._findings.suspects else [Step(part)]

    def at_work(self, part: Slice | None = None) -> AtWork:
        """Work on a slice, or on all that is folded and not yet durable: if the worker ends, these are suspects."""
        return AtWork(self, tuple(self._open.values()) if part is None else (Span.of(part),))

    def begins_work(self, spans: tuple[Span, ...]) -> None:
        """Note what a call is at work on: a process that dies in it tells no more."""
        self._keep_all(replace(self._findings, at_work=spans))

    def ends_work(self, spans: tuple[Span, ...], error: BaseException | None) -> None:
        """Note how a call ended: well, cut off, or with an error."""
        if isinstance(error, Unavailable):
            self._keep_all(replace(self._findings, at_work=(), silent_deaths=0))
        elif isinstance(error, Exception) or _is_panic(error):
            self.ended(error, spans)
        else:
            self._keep_all(replace(self._findings, at_work=()))

    def folded(self, part: Slice) -> None:
        """Note that a slice is folded: from now on a checkpoint is at work on it, too."""
        span = Span.of(part)
        self._open[part.source] = span.joined(self._open.get(part.source))

    def set_aside(self) -> None:
        """Note that a cause is passed over: its letter waits until something else went through."""
        if self._aside_since is None:
            self._aside_since = self._monotonic()

    @property
    def lets_through(self) -> bool:
        """Tell whether a checkpoint may be taken: not where it would hold nothing but causes, unless after a wait."""
        if self._aside_since is None or self._open:
            return True
        return self._monotonic() - self._aside_since >= PROOF_WAIT_S

    def durable(self, done: Sequence[Slice], rest: Sequence[Slice]) -> None:
        """Note a checkpoint: `done` is durable, `rest` is folded and still worked on."""
        ends = {part.source: part.last_offset for part in done}
        self._open = {}
        for part in rest:
            self.folded(part)
        self._aside_since = None
        if not done:
            return
        left = [each for each in self._findings.suspects if each.span.last > ends.get(each.span.source, -1)]
        clean = Findings(suspects=tuple(left))
        if clean != self._findings:
            self._keep_all(clean)

    def forget(self, source: TopicPartition) -> None:
        """Forget what is folded of a partition: it goes, or is read again."""
        self._open.pop(source, None)

    # ends

    def ended(self, error: BaseException, spans: Sequence[Span] = ()) -> None:
        """Note the error that ends this life; only the first one counts."""
        if self._has_ended:
            return
        self._has_ended = True
        blamed = spans if _may_be_of_records(error) else ()
        self._judge(blamed, type(error).__name__, str(error) or "(no message)", is_silent=False)

    def hung(self, message: str) -> None:
        """Note that the work under way came to no end: it is held against the records as a silent death is."""
        if self._findings.at_work and not self._has_ended:
            self._has_ended = True
            self._died_silently("Hung", message)

    def forgive(self) -> None:
        """Begin anew, because somebody who is there to see what happens starts the worker again."""
        self._keep_all(Findings())

    def close(self) -> None:
        """Let go of the file; called when nothing runs any more."""
        if self._file is not None:
            self._keep_all(replace(self._findings, at_work=()))
            self._file.close()
            self._file = None

    def _died_silently(self, error_class: str, message: str) -> None:
        deaths, spans = self._findings.silent_deaths + 1, self._findings.at_work
        self._keep_all(replace(self._findings, at_work=(), silent_deaths=deaths))
        if deaths >= SILENT_DEATHS:
            self._judge(spans, error_class, message, is_silent=True)

    def _judge(self, spans: Sequence[Span], error_class: str, message: str, *, is_silent: bool) -> None:
        known = {each.span: each for each in self._findings.suspects}
        width = sum(span.width for span in spans)
        others = [rest for each in self._findings.suspects for rest in each.without(spans)]
        found = [
            Suspect(span, (known[span].ends if span in known else 0) + 1, error_class, message[:2_000], is_silent)
            for span in spans
        ]
        before = self._findings.width
        is_narrower = bool(spans) and (before is None or width < before or width == 1)
        was_stable = self._monotonic() - self._began_at > STABLE_S
        fruitless = 0 if is_narrower else (0 if was_stable else self._findings.fruitless_starts) + 1
        self._keep_all(
            replace(
                self._findings,
                suspects=(*others, *found),
                width=width if spans else before,
                fruitless_starts=fruitless,
                at_work=(),
                reason=f"{error_class}: {message}"[:2_000],
            )
        )

    def _keep_all(self, findings: Findings) -> None:
        self._findings = findings
        if self._file is not None:
            self._file.write(findings)


class AtWork:
    """A call that may end the worker, from its beginning to its end."""

    __slots__ = ("_quarantine", "_spans")

    def __init__(self, quarantine: Quarantine, spans: tuple[Span, ...]) -> None:
        self._quarantine = quarantine
        self._spans = spans

    def __enter__(self) -> None:
        self._quarantine.begins_work(self._spans)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._quarantine.ends_work(self._spans, error)


def _may_be_of_records(error: BaseException) -> bool:
    """Tell whether records can have caused an error: what we raise on purpose is about the surroundings."""
    return isinstance(error, RecordFault) or not isinstance(error, ThreadsError)


def _is_panic(error: BaseException | None) -> TypeGuard[BaseException]:
    """Tell a panic of Rust code, which is no `Exception`, from a cancellation or an interrupt."""
    return type(error).__name__ == "PanicException"
