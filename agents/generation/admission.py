"""Admission: whether a request is written now and by whom, waits for a batch or its budget, or can't be written."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agents.generation.assignment import Assignment
from agents.generation.choices import StyleChoices
from agents.guard.untrusted import as_data, instructions_in
from agents.personas.directory import AppliedPersona, PersonaDirectory
from agents.personas.persona import Persona
from agents.spend.budgets import Budgets
from schemas.records import HookChoice, PersonaRequest
from streams.errors import RecordFault

MAX_DRAFTS = 20
MAX_BRIEF_CHARS = 600
SPEND_MAX_AGE_S = 1.0  # what is in flight is not in the spend either: see Budgets

logger = logging.getLogger(__name__)
Choices = tuple[HookChoice | None, ...]
"""What the drafts of a request are asked in, by their numbers; empty where nothing was chosen yet."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that is written now: as whom, and its drafts."""

    applied: AppliedPersona
    assignments: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class Postponed:
    """A request that has to wait: until when, and for what; `for_batch` says that a batch is to take it along.

    `choices` are the hook styles that its drafts will be asked in, once for all.
    """

    until: datetime
    reason: str
    for_batch: bool = False
    choices: Choices = ()


class Admission:
    """Decide on requests by the persona in force, its budget, the language and the deadline.

    `languages` are those that the model writes, None any. `batch_wait_s` is how long a request may wait for others to
    make a batch; None where the provider has no batches. `styles` chooses hook styles; None leaves them to the model.
    """

    def __init__(
        self,
        directory: PersonaDirectory,
        budgets: Budgets,
        languages: tuple[str, ...] | None,
        batch_wait_s: float | None,
        styles: StyleChoices | None = None,
    ) -> None:
        self._styles = styles
        self._directory = directory
        self._budgets = budgets
        self._languages = languages
        self._batch_wait_s = batch_wait_s

    async def catch_up(self) -> None:
        """Learn which personas are in force, what was spent and what styles are worth.

        Raises:
            Unavailable: that can't be done.
        """
        tables = [self._directory.refresh(), self._budgets.refresh(max_age_s=SPEND_MAX_AGE_S)]
        await asyncio.gather(*tables, *([self._styles.refresh()] if self._styles else []))

    def decide(
        self,
        request: PersonaRequest,
        now: datetime,
        *,
        begun_with: AppliedPersona | None = None,
        chosen: Choices = (),
        is_paid: bool = False,
        is_new: bool = True,
    ) -> Admitted | Postponed:
        """Decide on a request at a moment in UTC.

        One that an earlier worker began goes on as the persona that it was `begun_with`, in the styles that were
        `chosen`. One that `is_paid`, by a batch or before a crash, waits for nothing: the rest of it is little. Only
        one that `is_new` waits for a batch.

        Raises:
            RecordFault: it can't be written, whatever it waits for.
        """
        applied = begun_with or self._directory.require(request.persona_id)
        level = self._budgets.level(applied.persona, now)
        asked = assignments_of(request, applied, self._languages, downgraded=level.kind == "downgrade")
        assignments = self._with_styles(asked, chosen, was_asked=is_paid)
        choices = tuple(each.choice for each in assignments)
        if is_paid:
            return Admitted(applied, assignments)
        if is_new and request.deadline == "tomorrow" and self._batch_wait_s is not None:
            return Postponed(
                now + timedelta(seconds=self._batch_wait_s), "waits for a batch", for_batch=True, choices=choices
            )
        if level.kind == "pause" and level.until is not None:
            return Postponed(level.until, level.reason, choices=choices)
        return Admitted(applied, assignments)

    def assignments(self, request: PersonaRequest, chosen: Choices = ()) -> tuple[Assignment, ...]:
        """Return the drafts of a request as a batch asks for them: by the persona in force, whatever its budget.

        They are asked in the styles that were chosen when the request began to wait, whatever the persona has by now:
        the batch may be at the provider already.

        Raises:
            RecordFault: it can't be written.
        """
        applied = self._directory.require(request.persona_id)
        return self._with_styles(assignments_of(request, applied, self._languages), chosen, was_asked=True)

    def _with_styles(
        self, assignments: tuple[Assignment, ...], chosen: Choices, *, was_asked: bool
    ) -> tuple[Assignment, ...]:
        """Return the assignments, each with the style chosen before, or chosen now where the persona has it no more.

        What the model `was_asked` already stays what it was, also nothing: who began it may have known of no styles.
        """
        if self._styles is None:
            return assignments
        found = []
        for each in assignments:
            before = chosen[each.number] if each.number < len(chosen) else None
            stands = was_asked or (before is not None and before.style in each.persona.hook_styles)
            found.append(replace(each, choice=before if stands else self._styles.of(each.persona, each.draft_id)))
        return tuple(found)


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
    logger.warning("request %s: %s", request.event_id, reason)
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
