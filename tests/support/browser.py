"""Headless Chromium: the one that deploy/setup.sh fetched, the system's, or Playwright's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from streams.settings import Settings

FETCHED = Path("usr/lib/chromium/chromium-headless-shell")
HOW = "no Chromium: run ./run_tests.sh, which fetches it (Debian: apt install chromium-headless-shell)"
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, slots=True)
class Chromium:
    """A program and the environment that it needs."""

    program: str
    environment: Mapping[str, str]


def find_chromium() -> Chromium | None:
    """Return the first Chromium there is, None where there is none."""
    fetched = Settings().cache.expanduser() / "chromium"
    if (fetched / FETCHED).exists():
        return Chromium(str(fetched / FETCHED), _of_unpacked(fetched))
    installed = next(filter(None, map(shutil.which, NAMES)), None)
    if installed is not None:
        return Chromium(installed, os.environ)
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return Chromium(path, os.environ) if Path(path).exists() else None


def _of_unpacked(folder: Path) -> dict[str, str]:
    """Return the environment in which packages that were unpacked, not installed, find their libraries and fonts."""
    root = folder / "usr/lib"
    libraries = [root, *root.glob("*-linux-*"), *root.glob("*/pulseaudio")]
    return {
        **os.environ,
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "XDG_DATA_HOME": str(folder / "usr/share"),
    }


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Run a browser; skips the test where there is none, which is a failure where nothing may be skipped."""
    chromium = find_chromium()
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail(HOW)
        pytest.skip(HOW)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.program,
            env=dict(chromium.environment),
            args=["--no-sandbox"],  # containers have no namespaces for it, and it opens our own page only
        )
        try:
            yield browser
        finally:
            browser.close()
