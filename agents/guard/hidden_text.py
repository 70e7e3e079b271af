"""Hidden text: characters that a reader does not see, but that change what a program or a model reads."""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_CONTROL = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
_UNPAIRED = "\ud800-\udfff"  # halves of UTF-16 pairs, which no encoder takes
_PRIVATE = "\ue000-\uf8ff\U000f0000-\U0010ffff"
_HIDDEN = re.compile(f"[{_INVISIBLE}{_CONTROL}{_UNPAIRED}{_PRIVATE}]")
# A reader sees nothing of these, and no emoji, hyphenation or line of Arabic or Hebrew needs them.
_SUSPICIOUS = re.compile(f"[{_CONTROL}{_UNPAIRED}\u200b\u202a-\u202e\u2060-\u206f\u3164\U000e0100-\U000e0fff]")


def without_hidden(text: str) -> str:
    """Return the text without control, zero-width, bidirectional, tag and private characters; blanks stay."""
    return _HIDDEN.sub("", text)


def hidden_in(text: str) -> list[str]:
    """Return the names of characters that only serve to hide something, each once; those of emoji are none."""
    return [_named(character) for character in dict.fromkeys(_SUSPICIOUS.findall(text))]


def _named(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'control character').lower()}"
