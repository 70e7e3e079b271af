"""Untrusted texts, such as trends and replies: reduced to harmless data, and searched for instructions to a model."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

import yaml

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


PATTERN_FILE = Path(__file__).with_name("instruction_patterns.yaml")
MAX_SEARCHED = 20_000  # characters of a text that are searched; as_data leaves far fewer for a model to read
_SLACK = 8  # what is left out of a text's beginning may be this many times what stays
_MARK = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_PILED_MARKS = re.compile(f"({_MARK}{{2}}){_MARK}+")
_BLANKS, _BREAKS = re.compile(r"[^\S\n]+"), re.compile(r" ?(?:\n ?)+")
_CONTROL_TOKEN = re.compile(
    r"<\|[^<>|]{0,40}\|>|<[｜|][^<>]{0,40}[｜|]>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>", re.IGNORECASE
)
_SPELT = re.compile(r"(?<!\w)(?:\w[ .*_-]){4,40}\w(?!\w)")
_LOOK_ALIKE = str.maketrans("аеорсухівкмнтАЕОРСУХІВКМНТ", "aeopcyxibkmhtAEOPCYXIBKMHT")
_LATIN, _CYRILLIC = re.compile(r"[a-z]", re.IGNORECASE), re.compile(r"[а-яєіїґ]", re.IGNORECASE)


def as_data(text: str, limit: int) -> str:
    """Return an untrusted text as one line of at most `limit` characters, cut between words.

    Control, zero-width, bidirectional and private characters, piles of accents and the control tokens of chat templates
    are gone; the rest is in NFC. Takes time linear in the text, 1 MB in some milliseconds. A text without any blank is
    cut within its word.
    """
    if limit <= 0:
        return ""
    visible = without_hidden(text).lstrip()[: limit * _SLACK * _SLACK]
    start = " ".join(visible.split())[: limit * _SLACK]
    plain = _CONTROL_TOKEN.sub(" ", _PILED_MARKS.sub(r"\1", start))
    line = unicodedata.normalize("NFC", " ".join(plain.split()))
    if len(line) <= limit:
        return line
    whole, blank, _ = line[: limit + 1].rpartition(" ")
    return whole if blank else line[:limit]


def instructions_in(text: str) -> tuple[str, ...]:
    """Return the names of the patterns by which a text instructs a model instead of telling something; empty for none.

    Searched are the first 20,000 characters, whatever their case, width, hidden characters, spaced-out letters and
    look-alikes of another script. Of attacks in new words it finds about three in four (tests/unit,
    `held_out_attacks`): an empty result is no proof of innocence, and whatever a text says, it is given to a model as
    data only.
    """
    searched = _folded(text[:MAX_SEARCHED])
    return tuple(name for name, pattern in _patterns().items() if pattern.search(searched))


def _folded(text: str) -> str:
    """Return the text as a reader sees it: letters of one width, one script a word, none spaced out."""
    plain = unicodedata.normalize("NFKC", _PILED_MARKS.sub(r"\1", without_hidden(text)))
    lines = _BREAKS.sub("\n", _BLANKS.sub(" ", plain.replace("’", "'").replace("ʼ", "'")))
    one_script = re.sub(r"\w+", _of_one_script, lines)
    return _SPELT.sub(lambda found: re.sub(r"[ .*_-]", "", found.group(0)), one_script)


def _of_one_script(found: re.Match[str]) -> str:
    word = found.group(0)
    mixed = _LATIN.search(word) and _CYRILLIC.search(word)
    return word.translate(_LOOK_ALIKE) if mixed else word


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    content: dict[str, list[str]] = yaml.safe_load(PATTERN_FILE.read_text(encoding="utf-8"))
    return {name: re.compile("|".join(lines), re.IGNORECASE | re.MULTILINE) for name, lines in content.items()}
