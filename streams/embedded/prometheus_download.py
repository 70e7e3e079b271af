"""Fetch Debian's Prometheus into the cache without root: python -m streams.embedded.prometheus_download."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import click

from streams.embedded.prometheus import CACHED, find_prometheus
from streams.settings import current_settings

COMMAND_TIMEOUT_S = 120.0


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=COMMAND_TIMEOUT_S)  # noqa: S603


def download_prometheus(cache: Path) -> str | None:
    """Unpack the package `prometheus` of this Debian or Ubuntu under the cache.

    Returns None when it is there, else the reason why it can't be, in one line.
    """
    if find_prometheus(cache):
        return None
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return "this system has neither apt-get nor dpkg"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as temporary:
        folder = Path(temporary)
        try:
            _run(folder, "apt-get", "download", "prometheus")
            package = next(folder.glob("prometheus_*.deb"))
            _run(folder, "dpkg", "-x", str(package), "unpacked")
        except (subprocess.SubprocessError, OSError, StopIteration) as error:
            return f"apt-get could not fetch it ({error})"
        target = cache / CACHED.parts[0]
        shutil.rmtree(target, ignore_errors=True)
        (folder / "unpacked").rename(target)
    return None


@click.command(epilog="Example: python -m streams.embedded.prometheus_download")
def main() -> None:
    """Make Prometheus available to the embedded stack, or say in one line why it can't be."""
    problem = download_prometheus(current_settings().cache.expanduser())
    if problem:
        click.echo(f"Prometheus is not available: {problem}; put `prometheus` on PATH to have it", err=True)


if __name__ == "__main__":
    main()
