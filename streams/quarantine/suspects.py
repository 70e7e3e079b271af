"""Suspects: records with which a worker ended, narrowed down to the one that is the cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from streams.engine.batch import Slice, TopicPartition
from streams.errors import RecordFault

STEPS = 100  # a range on trial is taken in so many steps: one that ends the worker again leaves a hundredth of it
ENDS_ALONE = 2  # a record on its own may end the worker so often before it is taken for the cause
SILENT_ENDS_ALONE = 3  # where the process died without an error: somebody may have killed it


@dataclass(frozen=True, slots=True)
class Span:
    """The offsets from `first` to `last`, both included, of one partition."""

    source: TopicPartition
    first: int
    last: int

    @classmethod
    def of(cls, part: Slice) -> Span:
        return cls(part.source, part.first_offset, part.last_offset)

    @property
    def width(self) -> int:
        return self.last - self.first + 1

    def without(self, other: Span) -> tuple[Span, ...]:
        """Return what of it lies before and behind another span."""
        if other.source != self.source:
            return (self,)
        before = Span(self.source, self.first, min(self.last, other.first - 1))
        behind = Span(self.source, max(self.first, other.last + 1), self.last)
        return tuple(each for each in (before, behind) if each.width > 0)

    def joined(self, other: Span | None) -> Span:
        """Return the span from the first of both to the last of both."""
        if other is None:
            return self
        return Span(self.source, min(self.first, other.first), max(self.last, other.last))


@dataclass(frozen=True, slots=True)
class Suspect:
    """Records that a worker was at work on when it ended, and the error it ended with.

    `ends` counts how often; `is_silent` says that the process died and no error was seen.
    """

    span: Span
    ends: int
    error_class: str
    message: str
    is_silent: bool = False

    @property
    def is_cause(self) -> bool:
        """Tell whether one record alone ended the worker often enough to be taken for the cause."""
        return self.span.width == 1 and self.ends >= (SILENT_ENDS_ALONE if self.is_silent else ENDS_ALONE)

    def without(self, spans: Sequence[Span]) -> list[Suspect]:
        """Return what of it is left when these are looked at more closely."""
        left = [self.span]
        for span in spans:
            left = [rest for each in left for rest in each.without(span)]
        return [replace(self, span=span, ends=self.ends if span == self.span else 1) for span in left]

    @property
    def fault(self) -> RecordFault:
        """Return the fault that its dead letter tells."""
        return RecordFault(
            f"ended the worker {self.ends} times, on its own too, while the worker ran without it; "
            f"it ended with {self.error_class}: {self.message}",
            error_class=self.error_class,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """Consecutive records that are taken at once: as usual, or with a checkpoint of their own because of a suspect."""

    part: Slice
    suspect: Suspect | None = None

    @property
    def is_usual(self) -> bool:
        return self.suspect is None

    @property
    def is_cause(self) -> bool:
        return self.suspect is not None and self.suspect.is_cause


def steps_of(part: Slice, suspects: Sequence[Suspect]) -> Iterator[Step]:
    """Cut a slice where suspects begin and end, and what is under suspicion into steps; all records, in order."""
    rest: Slice | None = part
    for suspect in sorted(suspects, key=lambda each: each.span.first):
        if rest is None or suspect.span.source != part.source:
            continue
        before, rest = rest.split(suspect.span.first)
        if before is not None:
            yield Step(before)
        if rest is not None:
            under_suspicion, rest = rest.split(suspect.span.last + 1)
            yield from _narrowed(under_suspicion, suspect)
    if rest is not None:
        yield Step(rest)


def _narrowed(part: Slice | None, suspect: Suspect) -> Iterator[Step]:
    size = -(-suspect.span.width // STEPS)
    while part is not None:
        number = (part.first_offset - suspect.span.first) // size
        step, part = part.split(suspect.span.first + (number + 1) * size)
        assert step is not None
        yield Step(step, suspect)
