"""Left-overs: processes of a supervisor that was killed, ended only when they surely are the ones it started."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import psutil

from streams.process_mark import ProcessMark

GRACE_S = 10.0


def end_leftovers(marks: Iterable[ProcessMark]) -> list[int]:
    """End those of the marked processes that still run, gracefully first; return their pids.

    Start time and command line are compared: a pid that another program has by now is left alone.
    """
    left = [process for each in marks if (process := each.find()) is not None]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(left, timeout=GRACE_S)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=GRACE_S)
    return [process.pid for process in left]
