"""Personal data that must not stand in a post: ways to reach a person, and numbers that name one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stdnum import iban, luhn
from stdnum.es import dni, nie

_DATE_OR_TIME = re.compile(
    r"(?<!\d)(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[ T]\d{1,2}:\d{2})?(?!\d)"
    r"|(?<!\d)\d{1,2}:\d{2}(?::\d{2})?(?!\d)"
)
_SIGNS_BETWEEN = r"[ \u00a0().\-–/]"
_CANDIDATE = re.compile(rf"(?<![\w.,:+#/-])(?:\+|\(?\+?)\d(?:{_SIGNS_BETWEEN}{{0,3}}\d){{5,16}}(?!\w|[.,:]\d)")
_LABELLED = re.compile(
    r"\b(?:call|text|phone|tel|telephone|mobile|whatsapp|signal|viber|ring me|dial|telefon|anrufen|ruf|handy|"
    r"llámame|llama|móvil|teléfono|тел|телефон|телефонуйте|дзвоніть|подзвони)\w{0,3}\W{1,3}"
    rf"(?:me |us |on |at |to |al |el |mi |an |unter |nummer |mich |auf |на |за |мені ){{0,3}}\W{{0,2}}"
    rf"(\+?\d(?:{_SIGNS_BETWEEN}{{0,2}}\d){{5,14}})(?!\w)",
    re.IGNORECASE,
)
_MESSENGER = re.compile(r"\b(?:wa\.me/|tel:|sms:|viber://|whatsapp://)\+?\S{0,30}?\d{6,}", re.IGNORECASE)
_NORTH_AMERICAN = re.compile(r"(?:1[ .-])?\(?[2-9]\d{2}\)?[ .-]{1,2}[2-9]\d{2}[ .-]\d{4}")
_SPANISH_PHONE = re.compile(r"[67]\d{8}|[6789]\d{2}[ .-]\d{2}[ .-]\d{2}[ .-]\d{2}|[6789]\d{2} \d{3} \d{3}")
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
    return bool(american) or (not in_threes and bool(_SPANISH_PHONE.fullmatch(bare)))


def _is_round(number: str) -> bool:
    """Tell whether a number in groups of three ends in thousands, as quantities do: +10 000 000."""
    return bool(_THREES.fullmatch(number)) and number.endswith("000")


SHORTEST_IBAN, LONGEST_IBAN = 15, 34  # characters

_IBAN_START = re.compile(r"(?<![^\W_])[A-Z]{2}\d{2}(?=[ -]?[A-Z\d]{4})", re.IGNORECASE)
_CARD = re.compile(r"(?<![\w.,/-])\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)")
_CARD_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[068]\d{12}|6(?:011|5\d\d)\d{12}"
)
_US_SOCIAL_SECURITY = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_SPANISH_ID = re.compile(r"(?<!\w)([XYZ]?)(\d{7,8})[ -]?([A-HJ-NP-TV-Z])(?!\w)", re.IGNORECASE)
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
    """Tell whether an IBAN begins here: some length is that of its country, and its checksum holds (ISO 13616)."""
    compact = re.sub(r"[ -]", "", text[start : start + 2 * LONGEST_IBAN])
    return any(iban.is_valid(compact[:length]) for length in range(SHORTEST_IBAN, LONGEST_IBAN + 1))


def _is_card(digits: str) -> bool:
    """Check a card number by its issuer's form and its check digit (Luhn, ISO/IEC 7812)."""
    compact = re.sub(r"\D", "", digits)
    return bool(_CARD_ISSUERS.fullmatch(compact)) and luhn.is_valid(compact)


def _has_spanish_id(text: str) -> bool:
    """Check Spanish DNI and NIE by their control letter."""
    found = ("".join(each.groups()) for each in _SPANISH_ID.finditer(text))
    return any(dni.is_valid(number) or nie.is_valid(number) for number in found)


_DOT = r"(?:\.|[(\[{] ?(?:dot|punkt|punto) ?[)\]}])"
_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,4}[^\W\d_]{2,24}(?!\w)"
    rf"|(?<![\w.+-])[\w.+-]{{1,64}} ?[(\[{{] ?(?:at|@|ät) ?[)\]}}] ?(?:[\w-]{{1,63}} ?{_DOT} ?){{1,4}}"
    r"[^\W\d_]{2,24}(?!\w)",
    re.IGNORECASE,
)
_NAME = r"[A-ZÀ-ÞА-ЯЄІЇҐ][\w'’ʼ-]*"
_NAMES = rf"{_NAME}(?: {_NAME}){{0,3}}"
_END_OF_ADDRESS = r"(?=\s*(?:[,.;!?)\n]|$|in\b|(?:apt|apartment|suite|flat|floor)\b|\d{5}))"
_ENGLISH = "Street|St\\.?|Avenue|Ave\\.?|Road|Rd\\.?|Lane|Boulevard|Blvd\\.?|Drive|Court"
_SPANISH = "[Cc]alle|[Aa]venida|Avda?\\.|[Pp]laza|[Pp]aseo|C/"
_UKRAINIAN = "[Вв]ул\\.|[Вв]улиц[яіюеї]{1,2}|[Пп]росп\\.|[Пп]роспект[іу]?|[Бб]ульвар[іу]?|[Пп]ров\\."
_STREETS = (
    rf"\b\d{{1,5}}[a-zA-Z]? (?:{_NAME} ){{1,3}}(?:{_ENGLISH}){_END_OF_ADDRESS}",
    r"\b[A-ZÄÖÜ][\wäöüß-]{2,}(?:straße|strasse|str\.|gasse|allee)\s\d{1,4}\s?[a-z]?\b",
    r"\b(?:[A-ZÄÖÜ][\wäöüß-]+(?:er|e|n) )(?:Straße|Strasse|Str\.|Allee|Weg|Platz)\s\d{1,4}\s?[a-z]?\b",
    rf"\b[A-ZÄÖÜ][\wäöüß-]{{2,}}(?:weg|platz|ring|damm|ufer)\s\d{{1,4}}\s?[a-z]?, ?\d{{5}} {_NAME}",
    rf"\b(?:{_SPANISH}) ?(?:de |del |las? |los |el ){{0,3}}{_NAMES}(?:,| n\.?º| número)? ?\d{{1,4}}{_END_OF_ADDRESS}",
    rf"\b(?:{_UKRAINIAN}) ?{_NAMES}(?:, ?| )(?:буд\. ?|будинок )?\d{{1,4}}\b",
)
_STREET = re.compile("|".join(_STREETS))
# Signs without which a text holds none of these: most texts hold none, and a look for signs is quick.
_SIGNS_OF_AN_ADDRESS = ("@", "(", "[", "{")
_SIGNS_OF_A_STREET = (
    *(" Street", " St", " Av", " R", " L", " B", " D", " Court"),
    *("stra", "Stra", "str.", "Str.", "gasse", "llee", "Weg", "weg", "latz", "ring", "amm", "ufer"),
    *("alle", "venida", "Avd", "laza", "aseo", "C/"),
    *("ул", "росп", "ульвар", "ров."),
)
_DIGIT = re.compile(r"\d")
_ENOUGH_DIGITS = re.compile(r"\d(?:\D{0,8}\d){5}")  # no number that names or reaches a person has fewer


def personal_data(text: str) -> list[str]:
    """Return the kinds of personal data in the text, each once; what was found stays out of reasons and logs."""
    return list(_kinds(text))


def _kinds(text: str) -> Iterator[str]:
    without_addresses = _EMAIL.sub(" ", text) if _has_one(_SIGNS_OF_AN_ADDRESS, text) else text
    if without_addresses != text:
        yield "e-mail address"
    if _ENOUGH_DIGITS.search(without_addresses):
        named = list(numbers_of_identity(without_addresses))
        yield from named
        if not named and phone_numbers_in(without_addresses):
            yield "phone number"
    if _DIGIT.search(text) and _has_one(_SIGNS_OF_A_STREET, text) and _STREET.search(text):
        yield "street address"


def _has_one(signs: Sequence[str], text: str) -> bool:
    return any(sign in text for sign in signs)
