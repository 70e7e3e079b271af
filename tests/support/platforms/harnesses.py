"""The harness of each platform that there is a client for, by its name.

A server is started once a module, on its own thread, in a folder; each test opens a harness of it in its own loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path

from tests.support.platforms.harness import PlatformHarness
from tests.support.platforms.other_harnesses import bluesky, mastodon
from tests.support.platforms.threads_harness import threads_server

Harnesses = Callable[[], AbstractAsyncContextManager[PlatformHarness]]
SERVERS: Mapping[str, Callable[[Path], AbstractContextManager[Harnesses]]] = {
    "bluesky": bluesky,
    "mastodon": mastodon,
    "threads": threads_server,
}
