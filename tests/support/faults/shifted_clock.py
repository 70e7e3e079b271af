"""A process whose wall clock jumps: the command line, with a clock that is off by what a file says.

    python -m tests.support.faults.shifted_clock FILE worker kpis

Everything that asks `time.time` or `time.time_ns` is off: windows and panes, and the timestamps of records that the
worker appends. As with a real clock that is set, monotonic clocks run on.
"""

from __future__ import annotations

import mmap
import struct
import sys
import time
from pathlib import Path

OFFSET = struct.Struct("<q")  # milliseconds


class ShiftedClock:
    """The setting side: a file that the process looks at whenever it asks for the time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.set(0)

    def set(self, offset_ms: int) -> None:
        """Set the clock to be off by some milliseconds, from now on."""
        if not self.path.exists():
            self.path.write_bytes(OFFSET.pack(offset_ms))
            return
        with self.path.open("r+b") as file:  # the same file: the process has it mapped
            file.write(OFFSET.pack(offset_ms))


def shift(path: Path) -> None:
    """Make the wall clock of this process follow a file."""
    with path.open("rb") as file:
        shared = mmap.mmap(file.fileno(), OFFSET.size, access=mmap.ACCESS_READ)
    true_ns = time.time_ns

    def time_ns() -> int:
        return true_ns() + int(OFFSET.unpack(shared)[0]) * 1_000_000

    vars(time).update(time_ns=time_ns, time=lambda: time_ns() / 1e9)


if __name__ == "__main__":
    shift(Path(sys.argv.pop(1)))
    from streams.cli.main import main  # not before: some modules keep the functions they find

    main()
