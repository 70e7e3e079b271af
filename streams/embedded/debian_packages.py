"""Fetch programs of Debian into the cache without root: python -m streams.embedded.debian_packages prometheus."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from streams.errors import SettingsError
from streams.settings import current_settings

PACKAGES = {"prometheus": "prometheus", "alertmanager": "prometheus-alertmanager"}  # by the name of the program
COMMAND_TIMEOUT_S = 120.0
NETWORK = ("-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10", "-o", "Acquire::Retries=1")


def cached_program(cache: Path, program: str) -> Path:
    """Return where a fetched program lies: its package is unpacked in a folder of its own under the cache."""
    return cache / program / "usr" / "bin" / PACKAGES[program]


def find_program(cache: Path, program: str) -> Path | None:
    """Return the program on PATH, by its own name or by Debian's, else the one in the cache, else None."""
    for name in (program, PACKAGES[program]):
        on_path = shutil.which(name)
        if on_path:
            return Path(on_path)
    cached = cached_program(cache, program)
    return cached if os.access(cached, os.X_OK) else None


def fetch_program(cache: Path, program: str) -> str | None:
    """Unpack the program's package of this Debian or Ubuntu under the cache, unless the program is there.

    Returns None when it is there, else the reason why it can't be, in one line.
    """
    if find_program(cache, program):
        return None
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return "this system has neither apt-get nor dpkg"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as temporary:
            unpacked = _unpacked(Path(temporary), PACKAGES[program])
            target = cache / program
            shutil.rmtree(target, ignore_errors=True)
            unpacked.rename(target)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        why = said[-1] if said else f"exit status {error.returncode}"
        return f"{error.cmd[0]} could not fetch it ({why})"
    except (subprocess.TimeoutExpired, OSError) as error:
        return f"it could not be fetched ({error})"
    return None


def _unpacked(folder: Path, package: str) -> Path:
    """Download and unpack a package; package lists that lack it are fetched into the folder, which needs no rights."""
    download = ("apt-get", *NETWORK, "download", package)
    try:
        _run(folder, *download)
    except subprocess.CalledProcessError:
        own = _own_lists(folder)
        _run(folder, "apt-get", *NETWORK, *own, "--error-on=any", "update")
        _run(folder, *download[:1], *own, *download[1:])
    found = sorted(folder.glob(f"{package}_*.deb"))
    if not found:
        raise FileNotFoundError(f"apt-get download left no file {package}_*.deb")
    _run(folder, "dpkg", "-x", str(found[0]), "unpacked")
    return folder / "unpacked"


def _own_lists(folder: Path) -> tuple[str, ...]:
    state, cache = folder / "state", folder / "cache"
    for partial in (state / "lists" / "partial", cache / "archives" / "partial"):
        partial.mkdir(parents=True)
    status = "Dir::State::status=/var/lib/dpkg/status"
    return ("-o", f"Dir::State={state}", "-o", status, "-o", f"Dir::Cache={cache}", "-o", "APT::Sandbox::User=root")


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=COMMAND_TIMEOUT_S)  # noqa: S603


@click.command(epilog="Example: python -m streams.embedded.debian_packages prometheus alertmanager")
@click.argument("programs", nargs=-1, required=True, type=click.Choice(sorted(PACKAGES)))
def main(programs: tuple[str, ...]) -> None:
    """Make programs available, or say in one line each why they can't be; exit status 1 when one is not."""
    try:
        cache = current_settings().cache.expanduser()
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    problems = {program: problem for program in programs if (problem := fetch_program(cache, program))}
    for program, problem in problems.items():
        click.echo(f"{program} is not available: {problem}; put `{program}` on PATH to have it", err=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
