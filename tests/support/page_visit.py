"""A visit of the live page in a browser: signed in, and every error of the page is the test's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

DEADLINE_MS = 60_000
NETWORK = re.compile(r"Failed to load resource|ERR_|net::")
"""What a browser notes of answers that are no success: the page shows them, which tests look at."""

VIEWS = (
    "",
    "kpi/engagement_rate",
    "kpi/cost_per_follow?part=numerator",
    "requests?new=1",
    "drafts",
    "posts",
    "personas",
    "personas/new",
    "costs",
    "topics",
    "topics/personas",
    "topics/persona.requests?tail=1",
    "dead-letters",
    "lag",
    "nothing/here",
)
"""The address of every view."""


class Visit:
    """A page that is signed in; `errors` are what it said on its console and what it threw."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.errors: list[str] = []
        page.set_default_timeout(DEADLINE_MS)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not NETWORK.search(message.text):
            self.errors.append(message.text)

    def sign_in(self, token: str) -> None:
        """Open the page as `threads-agent open` does."""
        self.page.goto(f"{self.url}/#token={token}")
        expect(self.page.locator("h1")).to_have_text("Overview", timeout=DEADLINE_MS)

    def go(self, view: str) -> None:
        """Show a view by its address, and wait until it has loaded."""
        self.page.goto(f"{self.url}/#/{view}")
        expect(self.page.locator("main h1")).to_be_visible()
        expect(self.page.locator("main .loading")).to_have_count(0, timeout=DEADLINE_MS)

    def until_live(self) -> None:
        """Wait until records come live."""
        expect(self.page.locator("#live")).to_have_attribute("data-state", "live", timeout=DEADLINE_MS)

    def tile(self, metric: str) -> Locator:
        """Return the tile of a KPI."""
        return self.page.locator(f"[data-metric={metric}]")

    def shows(self, locator: str, text: str | re.Pattern[str]) -> None:
        """Wait until an element has a text."""
        expect(self.page.locator(locator).filter(has_text=text).first).to_be_visible(timeout=DEADLINE_MS)

    def barriers(self) -> list[tuple[str, str]]:
        """Return what axe finds serious or critical: the rule and the first element that breaks it."""
        found = Axe().run(self.page).response["violations"]
        grave = (each for each in found if each["impact"] in ("serious", "critical"))
        return [(each["id"], each["nodes"][0]["html"]) for each in grave]

    def overhang(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        width = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert isinstance(width, int)
        return width


@dataclass(frozen=True, slots=True)
class Window:
    """The window that looks at the page."""

    width: int = 1280
    height: int = 900
    scheme: Literal["light", "dark"] = "light"


@contextmanager
def visiting(browser: Browser, url: str, token: str, window: Window) -> Iterator[Visit]:
    """Visit the page, signed in; at the end it must have said and thrown nothing."""
    context = browser.new_context(
        viewport={"width": window.width, "height": window.height}, color_scheme=window.scheme, timezone_id="UTC"
    )
    try:
        visit = Visit(context.new_page(), url)
        visit.sign_in(token)
        yield visit
        assert visit.errors == []
    finally:
        context.close()
