"""A process whose wall clock is another: the command line, with a clock that jumps or runs fast, as a file says.

    python -m tests.support.faults.shifted_clock FILE worker kpis

Everything that asks `time.time` or `time.time_ns` is told so: windows and panes, and the timestamps of records that the
worker appends. As with a real clock that is set, monotonic clocks run on. All processes of one file have one clock.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path

CLOCK = struct.Struct("<qqd")  # a true time, what the clock shows then, both in nanoseconds, and how fast it runs


class ShiftedClock:
    """The setting side: a file that the process looks at whenever it asks for the time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._set = (0, 0, 1.0)
        self.set(0)

    def set(self, offset_ms: int) -> None:
        """Set the clock to be off by some milliseconds, and to run as fast as time does, from now on."""
        now_ns = time.time_ns()
        self._write(now_ns, now_ns + offset_ms * 1_000_000, 1.0)

    def run(self, shown_ms: int, speed: float) -> None:
        """Let the clock show a time now, in milliseconds since the epoch, and run so many times faster than time."""
        self._write(time.time_ns(), shown_ms * 1_000_000, speed)

    def now_ms(self) -> int:
        """Return what the clock shows."""
        return _shown_ns(time.time_ns(), *self._set) // 1_000_000

    def _write(self, true_ns: int, shown_ns: int, speed: float) -> None:
        self._set = (true_ns, shown_ns, speed)
        if not self.path.exists():
            self.path.write_bytes(CLOCK.pack(*self._set))
            return
        with self.path.open("r+b", buffering=0) as file:  # the same file: the process has it mapped
            file.write(CLOCK.pack(*self._set))


def _shown_ns(now_ns: int, true_ns: int, shown_ns: int, speed: float) -> int:
    since_ns = now_ns - true_ns
    return shown_ns + (since_ns if speed == 1.0 else int(since_ns * speed))


def shift(path: Path) -> None:
    """Make the wall clock of this process follow a file."""
    with path.open("rb") as file:
        shared = mmap.mmap(file.fileno(), CLOCK.size, access=mmap.ACCESS_READ)
    true_ns = time.time_ns

    def time_ns() -> int:
        known = shared[:]
        while known != (again := shared[:]):  # it was being written
            known = again
        return _shown_ns(true_ns(), *CLOCK.unpack(known))

    vars(time).update(time_ns=time_ns, time=lambda: time_ns() / 1e9)


if __name__ == "__main__":
    shift(Path(sys.argv.pop(1)))
    from streams.cli.main import main  # not before: some modules keep the functions they find

    main()
