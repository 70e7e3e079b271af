"""What a process has taken: CPU seconds and peak memory."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import psutil

KIB_PER_MB = 1024.0
BYTES_PER_MB = 1024.0 * 1024.0


def own_cpu_seconds() -> float:
    """Return user and system time of this process, all its threads and the children it has waited for."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)  # finer than the clock ticks of os.times


def cpu_seconds(pid: int) -> float:
    """Return user and system time of another process, all its threads and the children it has waited for."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def own_peak_rss_mb() -> float:
    """Return the peak resident memory of this process in MB.

    From /proc where there is one: ru_maxrss also holds what the parent had when it started this process.
    """
    found = _high_water_mb(os.getpid())
    if found is not None:
        return found
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (BYTES_PER_MB if sys.platform == "darwin" else KIB_PER_MB)


def peak_rss_mb(pid: int) -> float:
    """Return the peak resident memory of another process in MB; where there is no /proc, what it holds now."""
    found = _high_water_mb(pid)
    return psutil.Process(pid).memory_info().rss / BYTES_PER_MB if found is None else found


def _high_water_mb(pid: int) -> float | None:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    lines = (line.split() for line in status.read_text(encoding="ascii", errors="replace").splitlines())
    return next(int(words[1]) for words in lines if words[0] == "VmHWM:") / KIB_PER_MB
