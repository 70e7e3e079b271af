"""The nodes body, assemble, guard and revise: write what follows the hook until nothing is left to object to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from agents.generation.asking.answers import Answers
from agents.generation.asking.calls import Call, CallMemory, calls_or_faults
from agents.generation.asking.writer import BodyTask, Writer
from agents.generation.drafting.cleaning import cleaned_body
from agents.generation.drafting.draft_work import DraftWork, Node, Version
from agents.generation.drafting.guard import DraftGuard, Judgement, Written
from agents.guard.threads_counts import threads_length
from streams.errors import RecordFault

MAX_REVISIONS = 2
SEPARATOR = "\n\n"


def wants_body(work: DraftWork) -> bool:
    """Tell whether the draft has a hook, and no text that the guard lets pass without doubts."""
    if work.fault is not None or work.hook is None:
        return False
    return not work.versions or bool(work.versions[-1].problems or work.versions[-1].doubts)


async def asked_for_bodies(
    works: Sequence[DraftWork], attempt: int, writer: Writer, memory: CallMemory
) -> list[DraftWork]:
    """Return the works with a body for those that wait for one; at an attempt over 0 it is a revision."""
    waiting = [work for work in works if wants_body(work)]
    step: Literal["body", "revise"] = "revise" if attempt else "body"

    async def ask(places: Sequence[int], seed: int) -> Answers:
        return await writer.bodies([_task(waiting[at]) for at in places], attempt, seed)

    found = iter(await calls_or_faults(memory, [work.assignment for work in waiting], step, attempt, ask))
    return [_with_body(work, next(found), step) if wants_body(work) else work for work in works]


def _task(work: DraftWork) -> BodyTask:
    assert work.hook is not None
    if not work.versions:
        return BodyTask(work.assignment, work.hook)
    last = work.versions[-1]
    return BodyTask(work.assignment, work.hook, last.body, last.problems or last.doubts)


def _with_body(work: DraftWork, found: Call | RecordFault, node: Node) -> DraftWork:
    if isinstance(found, RecordFault):
        return replace(work.stepped(node, str(found)), fault=f"body: {found}")
    assert work.hook is not None
    if found.refusal:
        return replace(work.called(node, found, f"the model refused: {found.refusal[:200]}"), body="")
    body = cleaned_body(
        found.texts[0] if found.texts else "",
        hook=work.hook,
        room=work.room - threads_length(work.hook + SEPARATOR),
        cut_off=found.cut_off,
        emoji=work.assignment.persona.emoji_policy,
    )
    return replace(work.called(node, found, "ok" if body else "no usable answer"), body=body)


def with_text(work: DraftWork) -> DraftWork:
    """Return the work with its text: hook, body, call to action and disclosure, with blank lines between."""
    if not wants_body(work):
        return work
    text = _written(work).parts.text
    assert work.hook is not None
    assert text.startswith(work.hook), "the hook must stand verbatim at the start of the text"
    return replace(work.stepped("assemble"), text=text)


def _written(work: DraftWork) -> Written:
    assert work.hook is not None
    return Written(work.assignment, work.hook, work.body)


async def guarded(works: Sequence[DraftWork], guard: DraftGuard) -> list[DraftWork]:
    """Return the works with their texts judged as another version, all texts together."""
    started = time.monotonic()
    judgements = iter(await guard.judge([_written(work) for work in works if wants_body(work)]))
    latency_ms = round((time.monotonic() - started) * 1000)
    return [_with_version(work, next(judgements), latency_ms) if wants_body(work) else work for work in works]


def _with_version(work: DraftWork, judgement: Judgement, latency_ms: int) -> DraftWork:
    assert work.text is not None
    problems, doubts = judgement.problems, judgement.doubts
    if not work.body and work.steps[-2].outcome not in ("ok", "no usable answer"):
        problems = (work.steps[-2].outcome,)  # what the model said instead of a body says more than its absence
    outcome = "; ".join(problems or doubts) or "ok"
    judged = Version(work.body, work.text, problems, doubts)
    return replace(work.stepped("guard", outcome, latency_ms), versions=(*work.versions, judged))


def fixed_length(work_parts: Sequence[str | None]) -> int:
    """Return what the fixed parts after the body take of a post, blank lines included, as Threads counts."""
    return sum(threads_length(SEPARATOR + part) for part in work_parts if part)
