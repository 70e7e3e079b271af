"""Programs of Debian are unpacked in the cache, or one line says why they can't be."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from streams.embedded.debian_packages import cached_program, fetch_program, find_program

DPKG = shutil.which("dpkg")
needs_dpkg = pytest.mark.skipif(DPKG is None, reason="no dpkg on PATH: only Debian and its like have packages")

APT = """#!/bin/sh
echo "$*" >>{folder}/calls
case "$*" in
    *update) exit {update} ;;
    *Dir::State*download*) cp {folder}/prometheus.deb ./prometheus_1_all.deb ;;
    *) echo "Reading lists" >&2; echo "E: Unable to locate package prometheus" >&2; exit 100 ;;
esac
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH besides the system's tools."""
    path = tmp_path / "bin"
    path.mkdir()
    for tool in ("sh", "cp", "dpkg", "dpkg-deb", "tar", "rm"):
        found = shutil.which(tool)
        if found:
            (path / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(path))
    return path


def put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def apt_get(places: Path, *, update: int = 0) -> Path:
    """Put an apt-get there whose lists lack the package until it has fetched lists of its own; return its calls."""
    put(places / "apt-get", APT.format(folder=places.parent, update=update))
    return places.parent / "calls"


def package(folder: Path) -> None:
    """Make a package with a program that says hello."""
    (folder / "content" / "DEBIAN").mkdir(parents=True)
    (folder / "content" / "usr" / "bin").mkdir(parents=True)
    control = "Package: prometheus\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: x\n"
    (folder / "content" / "DEBIAN" / "control").write_text(control, encoding="utf-8")
    put(folder / "content" / "usr" / "bin" / "prometheus", "#!/bin/sh\necho hello\n")
    build = ["dpkg-deb", "--root-owner-group", "--build", "content", "prometheus.deb"]
    subprocess.run(build, cwd=folder, check=True, capture_output=True, timeout=30)


@needs_dpkg
def test_a_package_that_the_lists_lack_is_fetched_with_lists_of_its_own(places: Path, tmp_path: Path) -> None:
    calls, cache = apt_get(places), tmp_path / "cache"
    package(tmp_path)
    assert fetch_program(cache, "prometheus") is None
    found = find_program(cache, "prometheus")
    assert found == cached_program(cache, "prometheus")
    assert subprocess.run([found], capture_output=True, check=True, timeout=5).stdout == b"hello\n"
    assert [line.split()[-1] for line in calls.read_text().splitlines()] == ["prometheus", "update", "prometheus"]
    assert [each.name for each in cache.iterdir()] == ["prometheus"], "what was fetched on the way is gone"
    calls.unlink()
    assert fetch_program(cache, "prometheus") is None
    assert not calls.exists(), "what is there is not fetched again"


@needs_dpkg
def test_without_a_network_the_reason_is_one_line(places: Path, tmp_path: Path) -> None:
    apt_get(places, update=100)
    reason = fetch_program(tmp_path / "cache", "prometheus")
    assert reason == "apt-get could not fetch it (exit status 100)"
    assert list((tmp_path / "cache").iterdir()) == []


@needs_dpkg
def test_what_apt_get_said_last_is_the_reason(places: Path, tmp_path: Path) -> None:
    put(places / "apt-get", "#!/bin/sh\necho 'Reading' >&2\necho 'E: no route to host' >&2\nexit 100\n")
    assert fetch_program(tmp_path, "prometheus") == "apt-get could not fetch it (E: no route to host)"


@needs_dpkg
def test_a_cache_that_can_not_be_written_is_a_reason(places: Path, tmp_path: Path) -> None:
    apt_get(places)
    (tmp_path / "cache").write_text("a file")
    reason = fetch_program(tmp_path / "cache", "prometheus")
    assert reason is not None
    assert reason.startswith("it could not be fetched")
    assert "\n" not in reason


def test_a_system_without_packages_of_debian_says_so(places: Path, tmp_path: Path) -> None:
    (places / "dpkg").unlink(missing_ok=True)
    assert fetch_program(tmp_path, "prometheus") == "this system has neither apt-get nor dpkg"


@pytest.mark.parametrize("name", ["alertmanager", "prometheus-alertmanager"])
def test_a_program_on_path_is_taken_by_either_name(name: str, places: Path, tmp_path: Path) -> None:
    put(places / name, "#!/bin/sh\n")
    assert find_program(tmp_path, "alertmanager") == places / name
    assert fetch_program(tmp_path, "alertmanager") is None
