"""Samples in a file as `promtool tsdb create-blocks-from openmetrics FILE DIR` reads them.

https://github.com/prometheus/OpenMetrics has the format: a line a sample, its time in seconds, `# EOF` at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sinks.prometheus_history.remote_write import Series

END = b"# EOF\n"


class OpenMetricsFile:
    """A file that samples are appended to: always whole, so that it can be read whenever a replay was broken off."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, series: Series) -> None:
        """Append samples before the end; raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        with self.path.open("r+b") as file:
            size = file.seek(0, 2)
            if size >= len(END):
                file.seek(size - len(END))
                file.seek(size - len(END) if file.read() == END else size)
            file.write("".join(_lines(series)).encode() + END)
            file.truncate()


def _lines(series: Series) -> Iterator[str]:
    for labels, values in series.items():
        name = dict(labels)["__name__"]
        said = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels if label != "__name__")
        for time_ms, value in values:
            yield f"{name}{{{said}}} {value!r} {time_ms / 1000:.3f}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
