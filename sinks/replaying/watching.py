"""How a replay is watched: a bar with rate and remaining time on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from schemas.records import OperationRun

LINE_EVERY_S = 10.0
SPEED_OF_S = 30.0


class _Rate(ProgressColumn):
    """Offsets a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


class Watch:
    """Is told of a run whenever it got on, and of what is to be known."""

    def __init__(self, on_progress: Callable[[OperationRun], None], remark: Callable[[str], None]) -> None:
        self.on_progress = on_progress
        self.remark = remark


def offsets_done(run: OperationRun) -> int:
    """Return how many offsets of its range a run has behind it."""
    return sum(each.next - each.start for each in run.positions)


@contextmanager
def watching(title: str, run: OperationRun) -> Iterator[Watch]:
    """Show how far a run is, on stderr."""
    total = sum(each.end - each.start for each in run.positions)
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            _Rate(),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        with Progress(*columns, console=Console(stderr=True), speed_estimate_period=SPEED_OF_S) as progress:
            task = progress.add_task(title, total=total, completed=offsets_done(run))
            yield Watch(
                lambda now: progress.update(task, completed=offsets_done(now)),
                lambda text: progress.console.print(text, markup=False, highlight=False),
            )
        return
    yield Watch(_Lines(title, total, offsets_done(run)), lambda text: click.echo(text, err=True))


class _Lines:
    """A line every `LINE_EVERY_S`, with the rate since the beginning."""

    def __init__(self, title: str, total: int, done: int) -> None:
        self._title = title
        self._total = total
        self._first = done
        self._began = self._said = time.monotonic()

    def __call__(self, run: OperationRun) -> None:
        now, done = time.monotonic(), offsets_done(run)
        if now - self._said < LINE_EVERY_S:
            return
        self._said = now
        rate = (done - self._first) / (now - self._began)
        left_s = (self._total - done) / rate if rate else float("inf")
        share = done / self._total if self._total else 1.0
        click.echo(f"{self._title}: {share:.0%} of {self._total:,}, {rate:,.0f}/s, {left_s:,.0f} s left", err=True)
