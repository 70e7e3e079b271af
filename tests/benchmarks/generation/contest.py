"""The contest: everyone runs on the same model server in turns, so that what else the machine does falls on all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from streams.embedded.ports import free_port
from streams.embedded.process import stop
from streams.embedded.server import run_server
from streams.errors import ThreadsError
from tests.benchmarks.generation.instant_model import InstantModel
from tests.benchmarks.generation.posts import sample_posts
from tests.benchmarks.generation.roster import Contestant, Surroundings
from tests.benchmarks.generation.stack_run import Load
from tests.benchmarks.generation.standing import Standing


@contextmanager
def surroundings(python: Path, latency_s: float) -> Iterator[Surroundings]:
    """Run the model server in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="threads-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        model = InstantModel(free_port(), latency_s)
        process = run_server(model, folder / "logs")
        try:
            yield Surroundings(python, sample_posts(), model.address, folder)
        finally:
            stop(process, model.launch().stop_signal)


def standings(
    around: Surroundings,
    contestants: Sequence[Contestant],
    load: Load,
    repeats: int,
    on_run: Callable[[Contestant], None],
) -> list[Standing]:
    """Run everyone `repeats` times."""
    found = {one.name: Standing(one.name, one.what) for one in contestants}
    for _ in range(repeats):
        for one in contestants:
            on_run(one)
            standing = found[one.name]
            if standing.failure is None:
                found[one.name] = _one_more(standing, one, around, load)
    return list(found.values())


def _one_more(standing: Standing, contestant: Contestant, around: Surroundings, load: Load) -> Standing:
    try:
        run = contestant.run(around, load)
    except ThreadsError as error:
        return replace(standing, failure=str(error))
    return replace(standing, runs=(*standing.runs, run))
