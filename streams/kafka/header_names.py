r"""Names of headers as text that gives their bytes back: what is no UTF-8 stands as `\xNN`, a backslash as two."""

from __future__ import annotations

import re

HeaderName = str | bytes
"""As records come: text where the bytes are UTF-8, else the bytes."""

_ESCAPED = re.compile(rb"\\(?:x([0-9a-f]{2})|\\)")


def name_text(name: HeaderName) -> str:
    r"""Return a header's name as text that any string field holds: `b"n\xe4me"` becomes `n\xe4me`, `a\b` `a\\b`."""
    as_bytes = name if isinstance(name, bytes) else name.encode(errors="surrogatepass")
    return as_bytes.replace(b"\\", b"\\\\").decode(errors="backslashreplace")


def name_bytes(text: str) -> bytes:
    """Return the bytes that `name_text` wrote as text."""
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else b"\\", text.encode())
