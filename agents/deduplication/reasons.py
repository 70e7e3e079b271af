"""The reason of a duplicate, which names the draft that was first and whose it is, as far as its reader may know."""

from __future__ import annotations

import re
from collections.abc import Callable

PREFIX = "duplicate: "
_NAMED = re.compile(PREFIX + r'([^\n"]{1,1000}? of )persona ([^\s"\\]+)')


def duplicate_reason(how: str, draft_id: str, persona_id: str) -> str:
    """Return why a draft is a duplicate of another."""
    return f"{PREFIX}{how} draft {draft_id} of persona {persona_id}"


def without_strangers(text: str, knows: Callable[[str], bool]) -> str:
    """Return reasons, or JSON with reasons in it, that name no persona which their reader does not know.

    Drafts are compared across all tenants, and personas of one are invisible to another.
    """
    if PREFIX not in text:
        return text
    return _NAMED.sub(lambda found: found[0] if knows(found[2]) else f"{PREFIX}{found[1]}another tenant", text)
