"""The clients of all platforms that posts are published on."""

from __future__ import annotations

from agents.platforms.bluesky import BlueskyPlatform
from agents.platforms.contract import Platform
from agents.platforms.mastodon import MastodonPlatform
from agents.platforms.threads import ThreadsPlatform
from streams.settings import Settings

KINDS = (ThreadsPlatform, BlueskyPlatform, MastodonPlatform)


def clients(settings: Settings) -> dict[str, Platform]:
    """Return a client of each platform by its name; close each at the end."""
    return {kind.name: kind(settings) for kind in KINDS}
