"""Screenshots of the live page for the README: `just screenshots`, with a stack that runs (`threads-agent up`)."""

from __future__ import annotations

import sys
from pathlib import Path

from agents.gateway.auth.first_token import read_first_token
from streams.endpoints import read_endpoints
from streams.settings import current_settings
from tests.conftest import REPOSITORY
from tests.support.browser import running_chromium
from tests.support.page_visit import Visit, Window, visiting

FOLDER = REPOSITORY / "agents/gateway/screenshots"
MAX_BYTES = 150_000
SHOTS = {
    "overview": ("?persona=balcony-bea&window=1h", Window(1280, 880)),
    "drafts": ("drafts?status=rejected", Window(1100, 620, "dark")),
    "phone": ("kpi/engagement_rate?persona=balcony-bea&window=1h", Window(360, 780)),
}
"""File -> view, and the window that looks at it."""
SETTLED_MS = 3_000  # charts and cards are drawn, and records have come


def main() -> None:
    """Take all screenshots of the stack in THREADS_HOME."""
    home = current_settings().home
    url, token = read_endpoints(home).gateway, read_first_token(home)
    if url is None or token is None:
        sys.exit(f"no gateway runs in {home}: start the stack with `threads-agent up`, or set THREADS_HOME")
    FOLDER.mkdir(exist_ok=True)
    with running_chromium() as browser:
        for name, (view, window) in SHOTS.items():
            with visiting(browser, url, token, window) as visit:
                take(visit, view, FOLDER / f"{name}.png")


def take(visit: Visit, view: str, path: Path) -> None:
    """Take one, small enough for a README."""
    visit.until_live()
    visit.go(view)
    visit.page.wait_for_timeout(SETTLED_MS)
    size = len(visit.page.screenshot(path=path, animations="disabled"))
    print(f"{path.relative_to(REPOSITORY)}: {size:,} bytes")  # noqa: T201 - what the command says
    if size > MAX_BYTES:
        sys.exit(f"{path.name} has {size:,} bytes, more than the {MAX_BYTES:,} that a README should load")


if __name__ == "__main__":
    main()
