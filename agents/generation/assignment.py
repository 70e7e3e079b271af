"""The assignment: one draft to write, with all that the writer has to know."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from agents.guard.untrusted import as_data, instructions_in
from agents.personas.directory import AppliedPersona
from agents.personas.persona import Persona
from schemas.records import PersonaRequest
from streams.errors import RecordFault
from streams.identity import derived_id

MAX_DRAFTS = 20
MAX_BRIEF_CHARS = 600

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One draft of a request: `number` counts from 0, `brief` and `trend` are one line of data each.

    `downgraded` asks for the cheap models alone, because a budget is nearly used up. `left_out` tells what of the
    request the writer is not shown, and why.
    """

    request_id: str
    number: int
    persona: Persona
    persona_version: str
    brief: str
    language: str
    trend: str | None = None
    downgraded: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def draft_id(self) -> str:
        """Return the id of the draft: the same for the same request and number, whenever it is written."""
        return derived_id(self.request_id, "draft", str(self.number))

    @property
    def call_to_action(self) -> str | None:
        """Return the call to action: one of the persona's in turn, by the draft's id; None where it has none."""
        offers = self.persona.calls_to_action_in(self.language)
        return offers[UUID(self.draft_id).int % len(offers)] if offers else None


def assignments_of(
    request: PersonaRequest, applied: AppliedPersona, writable: Sequence[str] | None, *, downgraded: bool = False
) -> tuple[Assignment, ...]:
    """Return one assignment a draft that the request asks for; `writable` are the languages of the model, None any.

    Raises:
        RecordFault: the brief is blank, the number of drafts is out of range, or the model can't write the language.
    """
    brief = as_data(request.brief, MAX_BRIEF_CHARS)
    if not brief:
        raise RecordFault('brief is blank: say what the post is about, e.g. "napping before a night shift"')
    if not 1 <= request.draft_count <= MAX_DRAFTS:
        raise RecordFault(f"draft_count must be 1 to {MAX_DRAFTS}, got {request.draft_count}; send several requests")
    language = _language(request.language, applied.persona, writable)
    trend, left_out = _trend(request)
    return tuple(
        Assignment(
            request.event_id,
            number,
            applied.persona,
            applied.version,
            brief,
            language,
            trend,
            downgraded=downgraded,
            left_out=left_out,
        )
        for number in range(request.draft_count)
    )


def _trend(request: PersonaRequest) -> tuple[str | None, tuple[str, ...]]:
    """Return the trend as data, or None and why it is left out: strangers wrote it, and it instructs the model.

    It is searched as it came, where line breaks tell, and as the model would read it, where padding is gone.
    """
    raw = request.trend or ""
    trend = as_data(raw, MAX_BRIEF_CHARS)
    found = tuple(dict.fromkeys(instructions_in(raw) + instructions_in(trend)))
    if not found:
        return trend or None, ()
    reason = f"trend left out: it reads as instructions to the model ({', '.join(found)})"
    _log.warning("request %s: %s", request.event_id, reason)
    return None, (reason,)


def _language(wanted: str | None, persona: Persona, writable: Sequence[str] | None) -> str:
    """Choose the language: the wanted one, even if the persona does not name it; else the persona's first writable."""
    if wanted is None:
        possible = (each for each in persona.languages if not _why_unwritable(each, persona, writable))
        wanted = next(possible, persona.languages[0])
    code = wanted.strip().lower()
    if not (len(code) == 2 and code.isascii() and code.isalpha()):  # noqa: PLR2004 - ISO 639-1 has two letters
        raise RecordFault(f"language must be an ISO 639-1 code such as en, got {wanted[:20]!r}")
    if why := _why_unwritable(code, persona, writable):
        raise RecordFault(why)
    return code


def _why_unwritable(code: str, persona: Persona, writable: Sequence[str] | None) -> str | None:
    """Return why the model can't write the language; None where it can. The embedded model continues examples."""
    if writable is None:
        return None
    if code not in writable:
        return (
            f"the embedded model writes {', '.join(writable)} only, the request asks for {code}: "
            "set OPENAI_API_KEY or OPENAI_BASE_URL, or ask for one of these"
        )
    if not persona.has_examples_in(code):
        return (
            f"the embedded model continues examples, and persona {persona.persona_id} has none in {code}: "
            f"give it some with `language: {code}`, or set OPENAI_API_KEY or OPENAI_BASE_URL"
        )
    return None


Burst = tuple[Assignment, ...]
"""One or more assignments of one persona, version, language and tier."""


def bursts_of(assignments: Iterable[Assignment], most: int) -> list[Burst]:
    """Return the assignments as bursts of at most `most`, each in the order in which they came."""
    alike: dict[tuple[str, str, str, bool], list[Assignment]] = {}
    for each in assignments:
        key = (each.persona.persona_id, each.persona_version, each.language, each.downgraded)
        alike.setdefault(key, []).append(each)
    return [tuple(group[start : start + most]) for group in alike.values() for start in range(0, len(group), most)]
