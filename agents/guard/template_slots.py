"""Template slots: places in a text that were meant to be filled."""

from __future__ import annotations

import re

_SLOT = re.compile(
    r"\$\{[^{}\n]{0,60}\}"  # ${name}
    r"|\{\{?[^{}\n]{0,60}\}\}?"  # {name}, {{name}}
    r"|\[(?!\d|sic\]|\.{3}\]|…\])[^\[\]\n]{1,60}\](?!\()"  # [topic], but [2], [sic] and [link](address)
    r"|<(?!/?\d)[^\W\d_][\w /'’-]{0,40}>"  # <product>, but <3
    r"|(?<![\w%])%(?:\(\w+\))?[sdf](?!\w)"  # %s, %(name)s
    r"|\bINSERT [A-Z]+"
    r"|@(?:your_?name|user_?name|handle)\b"
    r"|\bX{3,}\b|_{3,}"
    r"|\b(?i:lorem ipsum)\b",
)
_SIGNS = ("{", "[", "<", "%", "@", "___", "XXX", "INSERT ")  # no slot is without one, and most texts are


def open_slots(text: str) -> list[str]:
    """Return template slots that nobody filled, such as `{name}`, `[topic]`, `<product>` or `%s`."""
    if not any(sign in text for sign in _SIGNS) and "lorem" not in text.casefold():
        return []
    return [found.group(0) for found in _SLOT.finditer(text)]
