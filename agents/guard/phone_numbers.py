"""Phone numbers, told from prices, years, dates, times and round quantities."""

from __future__ import annotations

import re

_DATE_OR_TIME = re.compile(
    r"(?<!\d)(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[ T]\d{1,2}:\d{2})?(?!\d)"
    r"|(?<!\d)\d{1,2}:\d{2}(?::\d{2})?(?!\d)"
)
_SIGNS = r"[ \u00a0().\-–/]"
_CANDIDATE = re.compile(rf"(?<![\w.,:+#/-])(?:\+|\(?\+?)\d(?:{_SIGNS}{{0,3}}\d){{5,16}}(?!\w|[.,:]\d)")
_LABELLED = re.compile(
    r"\b(?:call|text|phone|tel|telephone|mobile|whatsapp|signal|viber|ring me|dial|telefon|anrufen|ruf|handy|"
    r"llámame|llama|móvil|teléfono|тел|телефон|телефонуйте|дзвоніть|подзвони)\w{0,3}\W{1,3}"
    rf"(?:me |us |on |at |to |al |el |mi |an |unter |nummer |mich |auf |на |за |мені ){{0,3}}\W{{0,2}}"
    rf"(\+?\d(?:{_SIGNS}{{0,2}}\d){{5,14}})(?!\w)",
    re.IGNORECASE,
)
_MESSENGER = re.compile(r"\b(?:wa\.me/|tel:|sms:|viber://|whatsapp://)\+?\S{0,30}?\d{6,}", re.IGNORECASE)
_NORTH_AMERICAN = re.compile(r"(?:1[ .-])?\(?[2-9]\d{2}\)?[ .-]{1,2}[2-9]\d{2}[ .-]\d{4}")
_SPANISH = re.compile(r"[67]\d{8}|[6789]\d{2}[ .-]\d{2}[ .-]\d{2}[ .-]\d{2}|[6789]\d{2} \d{3} \d{3}")
_THREES = re.compile(r"\+?\d{1,3}(?:[ \u00a0.,]\d{3})+")
_FOLLOWED_BY_A_WORD = re.compile(r"\s?(?:[^\W\d_]|[€$%₴£])")
_INTERNATIONAL, _LOCAL = range(8, 16), range(9, 13)  # digits: ITU-T E.164, and national numbers with their leading 0

_LONGEST_GAIN = 9  # digits: +12 345 678 views is what was won, +49 170 123 456 a number


def phone_numbers_in(text: str) -> list[str]:
    """Return the phone numbers of a text: international, labelled as such, or in the forms of a country.

    A number without a label and a sign of its kind, such as 612 345 678 people, is taken for a quantity.
    """
    blanked = _DATE_OR_TIME.sub(lambda found: "#" * len(found.group(0)), text)
    found = [match.group(0) for match in _MESSENGER.finditer(blanked)]
    found += [match.group(1) for match in _LABELLED.finditer(blanked) if not _is_round(match.group(1))]
    for match in _CANDIDATE.finditer(blanked):
        number, rest = match.group(0), blanked[match.end() :]
        if _is_phone(number, followed_by_a_word=bool(_FOLLOWED_BY_A_WORD.match(rest))):
            found.append(number)
    return list(dict.fromkeys(found))


def _is_phone(number: str, *, followed_by_a_word: bool) -> bool:
    if _is_round(number):
        return False
    digits, bare = re.sub(r"\D", "", number), number.strip("() ")
    in_threes = bool(_THREES.fullmatch(bare)) and followed_by_a_word
    if "+" in number:
        return digits[0] != "0" and len(digits) in _INTERNATIONAL and not (in_threes and len(digits) <= _LONGEST_GAIN)
    if digits.startswith("00"):
        return digits[2] != "0" and len(digits) - 2 in _INTERNATIONAL
    if digits[0] == "0":
        return len(digits) in _LOCAL
    american = _NORTH_AMERICAN.fullmatch(number) or _NORTH_AMERICAN.fullmatch(bare)
    return bool(american) or (not in_threes and bool(_SPANISH.fullmatch(bare)))


def _is_round(number: str) -> bool:
    """Tell whether a number in groups of three ends in thousands, as quantities do: +10 000 000."""
    return bool(_THREES.fullmatch(number)) and number.endswith("000")
