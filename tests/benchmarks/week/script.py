"""The script of a week: personas with plans of their own, what is asked for and when, and what must come of it. Pure.

Everything follows from the seed. What is asked for is such that its outcome does not depend on who is quicker: a draft
that is rejected by hand, edited or cancelled is one that waits for its approval, or is reviewed before it is there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from agents.insights.links import tracked
from agents.personas.persona import Persona
from agents.personas.posting import PostingPlan
from agents.publishing.approval import content_digest
from agents.publishing.identity import publication_of_draft
from schemas.records import (
    Decision,
    DraftDecided,
    DraftGenerated,
    DraftReviewed,
    PostCommand,
    PostCommandKind,
    Quality,
)
from streams.engine.stage import Output
from streams.identity import derived_id

DAY_S, HOUR_S, MINUTE_S = 86_400.0, 3_600.0, 60.0
BY_HAND = "bench-operator"
LINK = "https://shop.example/{}"
THREAD_PARTS = 3
LINKED = 3  # of so many posts one has a link
REVIEWED_BEFORE_S = 6 * HOUR_S  # longer than a worker is away that was killed
QUIET_MIN = 5 * 60  # minutes of quiet hours, from 00:30 on

Make = Callable[[datetime], Output]


@dataclass(frozen=True, slots=True)
class Moment:
    """What is appended at a time of the week, in seconds from its beginning; once `of` is told of, where it is given.

    Nobody edits or cancels what there is nothing to be seen of.
    """

    at_s: float
    make: Make
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A publication and the texts that must become public, in this order; none where it must not be there.

    What `is_deleted` is deleted again in the end, by hand.
    """

    publication_id: str
    persona_id: str
    texts: tuple[str, ...]
    what: str
    is_deleted: bool = False

    @property
    def public_texts(self) -> tuple[str, ...]:
        """Return the texts as the platform has them: links bear the mark of the publication."""
        return tuple(_marked(text, self.publication_id) for text in self.texts)


@dataclass(frozen=True, slots=True)
class Script:
    """All of a week, moments in order; the token of `revoked` is revoked for a while."""

    personas: Sequence[Persona]
    moments: Sequence[Moment]
    wanted: Sequence[Wanted]

    @property
    def revoked(self) -> str:
        return self.personas[0].persona_id

    @property
    def accepted(self) -> int:
        """Return how many posts must become public; each part of a thread is one."""
        return sum(len(each.texts) for each in self.wanted)


def script_of(samples: Sequence[Persona], *, seed: int, days: int, personas: int, posts_per_day: int) -> Script:
    """Write the script of some days, with so many drafts of each persona a day."""
    chance = random.Random(seed)
    cast = [_cast(samples, number, posts_per_day) for number in range(personas)]
    writing = _Writing(chance, f"week-{seed}")
    for persona in cast:
        texts = _texts(persona)
        for number in range(days * posts_per_day):
            at_s = (number + chance.random()) / posts_per_day * DAY_S * (1 - 0.5 / days)
            draft = writing.draft(persona, texts[number % len(texts)], number)
            _ask(writing, draft, persona, at_s, number)
    return Script(cast, sorted(writing.moments, key=lambda each: each.at_s), writing.wanted)


def _cast(samples: Sequence[Persona], number: int, posts_per_day: int) -> Persona:
    """Return a persona of its own zone and plan: one more slot than drafts, so that what had to wait catches up."""
    sample, round_ = samples[number % len(samples)], number // len(samples)
    slots, offset = posts_per_day + 1, number * 7 % 60
    span = 24 * 60 - QUIET_MIN - 60
    minutes = [30 + QUIET_MIN + offset + span * slot // slots for slot in range(slots)]
    plan = PostingPlan(
        timezone=sample.posting.timezone,
        slots=tuple(f"{each // 60:02}:{each % 60:02}" for each in minutes),
        approval="approve" if number % 4 == 1 else "auto",
        spacing_min=30 if number % 2 else 0,
        quiet=("00:30-05:30",) if number % 3 else (),
        topic_tag="week" if number % 4 == 2 else None,
        reply_control="everyone" if number % 4 == 3 else None,
    )
    persona_id = sample.persona_id if not round_ else f"{sample.persona_id}-{round_ + 1}"
    return sample.model_copy(update={"persona_id": persona_id, "posting": plan})


def _texts(persona: Persona) -> list[str]:
    return [f"{each.hook}\n\n{each.body}" for each in persona.examples]


@dataclass(slots=True)
class _Writing:
    chance: random.Random
    name: str
    moments: list[Moment] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)

    def draft(self, persona: Persona, text: str, number: int) -> DraftGenerated:
        """Return a draft whose text no other has."""
        draft_id = derived_id(self.name, "draft", persona.persona_id, str(number))
        link = f" {LINK.format(persona.persona_id)}" if number % LINKED == 0 else ""
        whole = f"{text} ({number + 1}){link}"
        return DraftGenerated(
            event_id=derived_id(draft_id, "generated"),
            occurred_at=datetime.fromisoformat("2026-01-01T00:00:00+00:00"),
            persona_id=persona.persona_id,
            draft_id=draft_id,
            request_id=derived_id(draft_id, "request"),
            persona_version=persona.version(),
            hook=whole.partition("\n")[0],
            body=whole.partition("\n\n")[2],
            text=whole,
            language=persona.languages[0],
            model="bench",
            prompt_tokens=1,
            completion_tokens=1,
            latency_ms=1,
        )

    def at(self, at_s: float, make: Make, of: str | None = None) -> None:
        self.moments.append(Moment(at_s, make, of))

    def want(self, draft: DraftGenerated, texts: Sequence[str], what: str, *, is_deleted: bool = False) -> None:
        publication_id = publication_of_draft(draft.draft_id)
        self.wanted.append(Wanted(publication_id, draft.persona_id, tuple(texts), what, is_deleted))


def _ask(writing: _Writing, draft: DraftGenerated, persona: Persona, at_s: float, number: int) -> None:
    """Ask for a draft, by its number in one way or another."""
    text, publication_id = draft.text, publication_of_draft(draft.draft_id)
    if persona.posting.approval == "approve":
        after_s = at_s + writing.chance.uniform(5, 60) * MINUTE_S
        writing.at(at_s, lambda now: _decided(draft, "accepted", now))
        match number % 7:
            case 1:
                writing.at(after_s, lambda now: _reviewed(draft, "rejected", now))
                writing.want(draft, (), "rejected by hand")
            case 3:
                writing.at(
                    after_s, lambda now: _command("cancel", publication_id, draft.persona_id, now), publication_id
                )
                writing.want(draft, (), "cancelled")
            case 5:
                other = f"{text} Edited."
                edit = _Texts((other,))
                kinds: list[PostCommandKind] = ["edit", "review"]
                for kind in kinds:
                    make = partial(_command, kind, publication_id, draft.persona_id, asked=edit)
                    writing.at(after_s, make, publication_id)
                writing.want(draft, (other,), "edited")
            case _:
                writing.at(after_s, lambda now: _reviewed(draft, "accepted", now))
                writing.want(draft, (text,), "approved by hand")
        return
    if number % 9 == 2:
        decided_s = max(at_s, REVIEWED_BEFORE_S)
        writing.at(decided_s - REVIEWED_BEFORE_S, lambda now: _reviewed(draft, "rejected", now))
        writing.at(decided_s, lambda now: _decided(draft, "accepted", now))
        writing.want(draft, (), "rejected by hand before it was there")
    elif number % 9 == 5:
        writing.at(at_s, lambda now: _decided(draft, "rejected", now))
        if number % 2:
            writing.at(at_s + HOUR_S, lambda now: _reviewed(draft, "accepted", now))
        writing.want(draft, (text,) if number % 2 else (), "rejected by the pipeline")
    elif number % 9 == 1:
        parts = tuple(f"{text} [{part + 1}/{THREAD_PARTS}]" for part in range(THREAD_PARTS))
        thread_id, asked = derived_id(draft.draft_id, "thread"), _Texts(parts)
        writing.at(at_s, lambda now: _command("schedule", thread_id, draft.persona_id, now, asked=asked))
        writing.wanted.append(Wanted(thread_id, draft.persona_id, parts, "a thread"))
    else:
        is_deleted = number % 9 == 4
        writing.at(at_s, lambda now: _decided(draft, "accepted", now))
        writing.want(draft, (text,), "accepted, later deleted" if is_deleted else "accepted", is_deleted=is_deleted)


def _decided(draft: DraftGenerated, decision: Decision, now: datetime) -> Output:
    decided = DraftDecided(
        event_id=derived_id(draft.draft_id, "decided"),
        occurred_at=now,
        persona_id=draft.persona_id,
        draft=replace(draft, occurred_at=now),
        quality=Quality(score=0.9, threshold=0.72, passed=decision == "accepted", features=()),
        decision=decision,
        reasons=() if decision == "accepted" else ("of the script",),
        embedding_model="none",
    )
    return Output(f"drafts.{decision}", decided)


def _reviewed(draft: DraftGenerated, decision: Decision, now: datetime) -> Output:
    reviewed = DraftReviewed(
        event_id=derived_id(draft.draft_id, "reviewed", decision),
        occurred_at=now,
        persona_id=draft.persona_id,
        draft_id=draft.draft_id,
        content_digest=content_digest((draft.text,)),
        decision=decision,
        reason="of the script",
        reviewed_by=BY_HAND,
    )
    return Output("drafts.reviews", reviewed)


@dataclass(frozen=True, slots=True)
class _Texts:
    parts: tuple[str, ...] = ()


NO_TEXTS = _Texts()


def _command(
    kind: PostCommandKind, publication_id: str, persona_id: str, now: datetime, *, asked: _Texts = NO_TEXTS
) -> Output:
    is_review = kind == "review"
    command = PostCommand(
        event_id=derived_id(publication_id, kind, "of the script"),
        occurred_at=now,
        persona_id=persona_id,
        kind=kind,
        publication_id=publication_id,
        texts=() if is_review else asked.parts,
        decision="accepted" if is_review else None,
        content_digest=content_digest(asked.parts) if asked.parts else None,
        revision=1 if is_review else 0,
        requested_by=BY_HAND,
    )
    return Output("posts.commands", command)


def _marked(text: str, publication_id: str) -> str:
    words = (tracked(each, publication_id) if each.startswith("https://") else each for each in text.split(" "))
    return " ".join(words)
