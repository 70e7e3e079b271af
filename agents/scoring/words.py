"""Words and sentences of a post."""

from __future__ import annotations

import re
from functools import lru_cache

_KEPT_TEXTS = 256  # every feature of a draft asks for the words of the same few texts
_WORD = re.compile(r"[^\W_]+(?:['’\-.,:][^\W_]+)*")
_SENTENCE_END = re.compile(r"""[.!?…]+["'”’»)]*(?=\s|$)""")
_ABBREVIATION = re.compile(r"(?:\b[a-zA-Z](?:\.[a-zA-Z])*|\b(?:Dr|Mr|Mrs|Ms|St|vs|etc|ca|bzw|Sr|Sra|No))\.$")


@lru_cache(_KEPT_TEXTS)
def words_of(text: str) -> tuple[str, ...]:
    """Return the words in lower case; an apostrophe, hyphen or decimal sign inside a word belongs to it."""
    plain = text.casefold().replace("’", "'").replace("ʼ", "'")
    return tuple(_WORD.findall(plain))


def sentences_of(text: str) -> list[str]:
    """Return the whole sentences of each line; a rest without an end is left out, an abbreviation is no end."""
    found = []
    for line in text.splitlines():
        start = 0
        for end in _SENTENCE_END.finditer(line):
            if _is_abbreviation(line, end):
                continue
            found.append(line[start : end.end()].strip())
            start = end.end()
    return [sentence for sentence in found if sentence]


def _is_abbreviation(line: str, end: re.Match[str]) -> bool:
    following = line[end.end() :].lstrip()
    return bool(following) and not following[0].isupper() and bool(_ABBREVIATION.search(line[: end.start() + 1]))
