"""Links as Threads makes them of a text: addresses with a scheme, with www, and bare names of well-known domains."""

from __future__ import annotations

import re

MAX_LINKS = 5
"""Greatest number of links of a post (Threads API); some clients report refusals from 4."""

_DOMAINS = (
    "com|org|net|edu|gov|io|co|ai|app|dev|me|info|biz|shop|store|blog|link|ly|gg|tv|fm|so|to|news|xyz|site|online|"
    "page|eu|uk|us|ca|de|at|ch|es|mx|ar|ua|pl|fr|it|nl|pt|br|in|jp"
)
_LINK = re.compile(
    r"\b(?:https?|ftp)://[^\s<>\"')\]]+"
    r"|\bwww\.[^\s<>\"')\]]+"
    rf"|(?<![\w@.-])(?:[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?\.){{1,4}}(?:{_DOMAINS})(?![\w@-])(?:/[^\s<>\"')\]]*)?"
    r"|\]\((?!https?://|www\.)[^\s()]{1,500}\)",  # the address of a Markdown link that none of the above would find
    re.IGNORECASE,
)
_SIGN_OF_A_LINK = re.compile(r"\.\S|://|\]\(")  # no link is without one, and most texts are


def links_in(text: str) -> list[str]:
    """Return the links of a text in order, those of Markdown by their address."""
    if not _SIGN_OF_A_LINK.search(text):
        return []
    found = [match.group(0) for match in _LINK.finditer(text)]
    return [each[2:-1] if each.startswith("](") else each.rstrip(".,;:!?") for each in found]
