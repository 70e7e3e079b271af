"""Kafka's jars: fetched by Maven coordinate, verified against the committed list, shared by all homes of a user."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path

from filelock import FileLock, Timeout
from jgo.maven import MavenContext, PythonResolver
from jgo.parse import Coordinate

from streams.errors import ThreadsError

# The "!" makes jgo take the POM itself: without it the root is imported as a BOM and other versions may be picked.
COORDINATES = ("org.apache.kafka:kafka_2.13:4.4.0!", "org.slf4j:slf4j-simple:1.7.36!")
DOWNLOAD_TIMEOUT_S = 60
LOCK_TIMEOUT_S = 300.0
SCOPES = ("compile", "runtime")


class JarsUnusable(ThreadsError):
    """The jars can't be fetched or are not those of the committed list."""


@cache
def expected_digests() -> dict[str, str]:
    """Return the sha256 of every jar by file name, as committed in kafka_jars.sha256."""
    lines = files("streams.embedded").joinpath("kafka_jars.sha256").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def verify(folder: Path, expected: dict[str, str]) -> None:
    """Check that a folder holds exactly the expected jars.

    Raises:
        JarsUnusable: a jar is missing, unexpected or changed; the message names it.
    """
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in folder.glob("*.jar")}
    wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    if wrong:
        raise JarsUnusable(
            f"Kafka's jars in {folder} are not those of the committed list (missing, unexpected or changed: "
            f"{', '.join(wrong)}); delete the folder and start again"
        )


def _download(folder: Path, repository: Path) -> None:
    context = MavenContext(repo_cache=repository, resolver=PythonResolver(), timeout=DOWNLOAD_TIMEOUT_S)
    dependencies = [context.create_dependency(Coordinate.parse(text)) for text in COORDINATES]
    roots, transitive = context.resolver.resolve(dependencies)
    for dependency in [*roots, *(each for each in transitive if each.scope in SCOPES)]:
        jar = dependency.artifact.resolve()
        shutil.copy2(jar, folder / jar.name)


def jar_folder(cache_folder: Path) -> Path:
    """Return the folder of the verified jars, fetching them (43 MB) where they are missing.

    Raises:
        JarsUnusable: the download failed, or a jar differs from the committed list.
    """
    expected = expected_digests()
    version = hashlib.sha256(repr(sorted(expected.items())).encode()).hexdigest()[:12]
    folder = cache_folder / f"kafka-{version}"
    if folder.is_dir():
        return folder
    cache_folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(cache_folder / "jars.lock", timeout=LOCK_TIMEOUT_S):
            if not folder.is_dir():
                _fetch(folder, expected)
    except Timeout as error:
        raise JarsUnusable(
            f"Another process has been fetching Kafka into {cache_folder} for {LOCK_TIMEOUT_S:.0f} s"
        ) from error
    return folder


def _fetch(folder: Path, expected: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as temporary:
        fresh = Path(temporary) / "jars"
        fresh.mkdir()
        try:
            _download(fresh, Path(temporary) / "repository")
        except Exception as error:
            raise JarsUnusable(
                f"Kafka could not be downloaded from Maven Central ({type(error).__name__}: {error}); check the "
                "network and start again, or set THREADS_KAFKA to a broker of yours"
            ) from error
        verify(fresh, expected)
        fresh.rename(folder)
