"""Restarts of a supervised child, on an injected clock."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from streams.embedded.child import FAILING_AFTER, RESTART_BACKOFF, STABLE_S, Child
from streams.embedded.process import Launch


def child(folder: Path, script: str, ready: Callable[[], bool] = lambda: True) -> Child:
    launch = Launch((sys.executable, "-c", script), folder)
    return Child("worker", "test", address="", launch=lambda: launch, is_ready=ready, log=folder / "test.log")


def tick_until(child: Child, now: float, state: str) -> None:
    deadline = time.monotonic() + 10
    while child.state != state:
        assert time.monotonic() < deadline, f"still {child.state}, expected {state}"
        child.tick(now)


def test_a_child_that_dies_is_restarted_after_ever_longer_waits(tmp_path: Path) -> None:
    dying, now = child(tmp_path, "raise SystemExit(3)"), 0.0
    dying.start(now)
    for failures in range(1, 5):
        tick_until(dying, now, "restarting")
        least = RESTART_BACKOFF.delay_s(failures, None, 0.0)
        dying.tick(now + least * 0.99)
        assert dying.state == "restarting"
        now += RESTART_BACKOFF.delay_s(failures, None, 1.0)
        dying.tick(now)
        assert (dying.state, dying.restarts) == ("starting", failures)
    assert dying.exit_status == 3
    dying.ask_to_stop()
    dying.finish(10)


def test_after_a_stable_run_the_shortest_wait_counts_again(tmp_path: Path) -> None:
    steady = child(tmp_path, "import signal; signal.pause()")
    steady.start(0.0)
    for _ in range(3):
        tick_until(steady, 0.0, "running")
        kill(steady)
        tick_until(steady, 0.0, "restarting")
        steady.tick(1_000.0)
    tick_until(steady, 1_000.0, "running")
    steady.tick(1_000.0 + STABLE_S + 1)
    kill(steady)
    tick_until(steady, 2_000.0, "restarting")
    steady.tick(2_000.0 + RESTART_BACKOFF.first_s)
    assert steady.state == "starting"
    steady.ask_to_stop()
    steady.finish(10)


def kill(child: Child) -> None:
    assert child._process is not None
    child._process.send_signal(signal.SIGKILL)
    child._process.wait(10)


def test_a_program_that_is_missing_is_tried_again_later(tmp_path: Path) -> None:
    launch = Launch((str(tmp_path / "absent"),), tmp_path)
    absent = Child("server", "x", address="", launch=lambda: launch, is_ready=lambda: True, log=tmp_path / "log")
    absent.start(0.0)
    assert absent.state == "restarting"
    absent.tick(1.0)
    assert absent.restarts == 1


def test_a_child_that_ignores_the_graceful_signal_is_forced(tmp_path: Path) -> None:
    deaf = child(
        tmp_path,
        "import signal, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "pathlib.Path('deaf').touch(); signal.pause()",
        ready=(tmp_path / "deaf").exists,
    )
    deaf.start(0.0)
    tick_until(deaf, 0.0, "running")
    deaf.ask_to_stop()
    deaf.finish(0.2)
    assert deaf.status().process is None
    assert deaf.state == "stopped"


def test_a_child_that_ends_again_and_again_is_said_to_be_failing_and_still_started_again(tmp_path: Path) -> None:
    dying, now = child(tmp_path, "raise SystemExit(3)"), 0.0
    dying.start(now)
    said = []
    for _ in range(FAILING_AFTER + 1):
        tick_until(dying, now, "restarting")
        said.append(dying.status().state)
        now += RESTART_BACKOFF.max_s
        dying.tick(now)
    assert said == ["restarting"] * (FAILING_AFTER - 1) + ["failing"] * 2
    assert dying.restarts == FAILING_AFTER + 1
    dying.ask_to_stop()
    dying.finish(10)
