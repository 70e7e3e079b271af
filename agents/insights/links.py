"""One tracked address a post: the publisher marks its link, and clicks on it are the post's. Pure."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

PARAMETER = "utm_content"
MARK_CHARS = 12  # 48 bits: among a million publications two share a mark with a chance of 0.2 %


def mark_of(publication_id: str) -> str:
    """Return the short id of a publication, which its links bear."""
    return hashlib.sha256(publication_id.encode()).hexdigest()[:MARK_CHARS]


def tracked(url: str, publication_id: str) -> str:
    """Return a link with the publication's mark as utm_content, instead of any that it had; the rest stays as it is.

    What is no http(s) address comes back as it is.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc:
        return url
    others = [each for each in parts.query.split("&") if each and each.partition("=")[0] != PARAMETER]
    query = "&".join([*others, f"{PARAMETER}={quote(mark_of(publication_id))}"])
    return urlunsplit(parts._replace(query=query))


def mark_in(url: str) -> str | None:
    """Return the mark that a clicked address bears; None where it bears none."""
    try:
        pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:
        return None
    return next((value for name, value in reversed(pairs) if name == PARAMETER and value), None)
