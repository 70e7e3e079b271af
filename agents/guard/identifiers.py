"""Numbers with a check of their own: bank accounts, payment cards and national identity numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

IBAN_LENGTHS = {
    "AT": 20,
    "BE": 16,
    "BG": 22,
    "CH": 21,
    "CY": 28,
    "CZ": 24,
    "DE": 22,
    "DK": 18,
    "EE": 20,
    "ES": 24,
    "FI": 18,
    "FR": 27,
    "GB": 22,
    "GR": 27,
    "HR": 21,
    "HU": 28,
    "IE": 22,
    "IT": 27,
    "LI": 21,
    "LT": 20,
    "LU": 20,
    "LV": 21,
    "MT": 31,
    "NL": 18,
    "NO": 15,
    "PL": 28,
    "PT": 25,
    "RO": 24,
    "SE": 24,
    "SI": 19,
    "SK": 24,
    "TR": 26,
    "UA": 29,
}
"""Length of an IBAN by country, in characters (SWIFT, IBAN Registry)."""

_IBAN_START = re.compile(r"(?<![^\W_])[A-Z]{2}\d{2}(?=[ -]?[A-Z\d]{4})", re.IGNORECASE)
_CARD = re.compile(r"(?<![\w.,/-])\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)")
_CARD_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[068]\d{12}|6(?:011|5\d\d)\d{12}"
)
_US_SOCIAL_SECURITY = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_SPANISH_ID = re.compile(r"(?<!\w)([XYZ]?)(\d{7,8})[ -]?([A-HJ-NP-TV-Z])(?!\w)", re.IGNORECASE)
_SPANISH_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_LABELLED_ID = re.compile(
    r"\b(?:ssn|social security (?:number|no\.?)|passport (?:number|no\.?)|steuer-?id(?:entifikationsnummer)?|"
    r"personalausweis(?:nummer)?|pasaporte|reisepass(?:nummer)?|рнокпп|іпн|паспорт)\W{0,3}(?:is |ist |es |nr\.? |№ ?)?"
    r"[A-ZА-ЯІЇЄ]{0,2} ?\d(?:[ -]?\d){5,11}(?!\d)",
    re.IGNORECASE,
)


def numbers_of_identity(text: str) -> Iterator[str]:
    """Yield the kinds of identifiers in the text: IBAN, payment card, identity number."""
    if any(_is_iban(text, found.start()) for found in _IBAN_START.finditer(text)):
        yield "IBAN"
    if any(_is_card(found.group(0)) for found in _CARD.finditer(text)):
        yield "payment card"
    if _US_SOCIAL_SECURITY.search(text) or _LABELLED_ID.search(text) or _has_spanish_id(text):
        yield "identity number"


def _is_iban(text: str, start: int) -> bool:
    """Check an IBAN by the length of its country and its checksum, 1 modulo 97 (ISO 13616)."""
    length = IBAN_LENGTHS.get(text[start : start + 2].upper())
    if length is None:
        return False
    compact = re.sub(r"[ -]", "", text[start : start + 2 * length])[:length].upper()
    if len(compact) < length or not (compact.isascii() and compact.isalnum()):
        return False
    return int("".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])) % 97 == 1


def _is_card(digits: str) -> bool:
    """Check a card number by its issuer's form and its check digit (Luhn, ISO/IEC 7812)."""
    compact = re.sub(r"\D", "", digits)
    if not _CARD_ISSUERS.fullmatch(compact):
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(compact))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0  # noqa: PLR2004 - digit sum of two digits


def _has_spanish_id(text: str) -> bool:
    """Check Spanish DNI and NIE by their control letter."""
    for found in _SPANISH_ID.finditer(text):
        prefix, digits, letter = found.groups()
        number = int(f"{'XYZ'.index(prefix.upper())}{digits}" if prefix else digits)
        whole = len(digits) == (7 if prefix else 8)
        if whole and _SPANISH_LETTERS[number % 23] == letter.upper():
            return True
    return False
