"""The nodes hooks and choose: ask for candidates, and take the strongest that nothing forbids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.generation.asking.answers import Answers
from agents.generation.asking.calls import Call, CallMemory, calls_or_faults
from agents.generation.asking.writer import HookTask, Writer
from agents.generation.choices import HookJudge
from agents.generation.drafting.cleaning import cleaned_hook
from agents.generation.drafting.draft_work import DraftWork
from agents.generation.drafting.guard import hook_problems, on_topic
from agents.scoring.hook_strength import hook_strength
from streams.errors import RecordFault

MAX_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class _Candidate:
    hook: str
    problems: tuple[str, ...]
    is_doubtful: bool
    strength: float


def wants_hook(work: DraftWork) -> bool:
    """Tell whether the draft still waits for a hook."""
    return work.fault is None and work.hook is None


async def asked_for_hooks(
    works: Sequence[DraftWork], attempt: int, writer: Writer, memory: CallMemory
) -> list[DraftWork]:
    """Return the works with the candidates of another round, for those that wait for a hook."""
    waiting = [work for work in works if wants_hook(work)]

    async def ask(places: Sequence[int], seed: int) -> Answers:
        return await writer.hooks([HookTask(waiting[at].assignment, waiting[at].past) for at in places], attempt, seed)

    assignments = [work.assignment for work in waiting]
    found = iter(await calls_or_faults(memory, assignments, "hook", attempt, ask))
    return [_with_candidates(work, next(found)) if wants_hook(work) else work for work in works]


def _with_candidates(work: DraftWork, found: Call | RecordFault) -> DraftWork:
    if isinstance(found, RecordFault):
        return replace(work.stepped("hooks", str(found)), fault=f"hook: {found}")
    policy = work.assignment.persona.emoji_policy
    hooks = tuple(cleaned_hook(text, cut_off=found.cut_off, emoji=policy) for text in found.texts)
    refused = f"the model refused: {found.refusal[:200]}" if found.refusal else None
    outcome = refused or ("ok" if any(hooks) else "no usable answer")
    return replace(work.called("hooks", found, outcome), hooks=hooks)


def chosen(work: DraftWork, judge: HookJudge | None, *, is_last: bool) -> DraftWork:
    """Return the work with the strongest candidate as its hook, by the judge where it knows the language.

    A candidate without a word of the brief is kept, but another round may bring a better one; after the last round it
    is taken, and without any the draft comes to nothing.
    """
    if not wants_hook(work):
        return work
    usable = [each for each in _judged(work, judge) if not each.problems]
    best = max(usable, key=lambda each: (not each.is_doubtful, each.strength), default=None)
    if best is not None and not best.is_doubtful:
        return _with_hook(work.stepped("choose"), best.hook, judge)
    kept = work.doubtful_hook or (best.hook if best else None)
    if is_last and kept:
        return _with_hook(work.stepped("choose", "no word of the brief"), kept, judge)
    faults = (*work.hook_faults, "no word of the brief" if best else _why_none(work))
    if not is_last:
        return replace(work.stepped("choose", faults[-1]), doubtful_hook=kept, hook_faults=faults)
    fault = f"hook: no usable answer in {len(faults)} attempts ({' | '.join(faults)})"
    return replace(work.stepped("choose", faults[-1]), hook_faults=faults, fault=fault)


def _with_hook(work: DraftWork, hook: str, judge: HookJudge | None) -> DraftWork:
    others = [each for each in dict.fromkeys(work.hooks) if each and each != hook] if hook in work.hooks else []
    foretold = judge.foretold(hook, others) if judge and judge.knows(work.assignment.language) else None
    return replace(work, hook=hook, foretold=foretold)


def _judged(work: DraftWork, judge: HookJudge | None) -> list[_Candidate]:
    assignment = work.assignment
    said = {text.split("\n", 1)[0].casefold() for text in work.past.lately}
    knows = judge is not None and judge.knows(assignment.language)
    strengths = judge.strengths(work.hooks) if judge and knows else [_strength(each, work) for each in work.hooks]
    found = []
    for hook, strength in zip(work.hooks, strengths, strict=True):
        problems = hook_problems(hook, assignment)
        if hook.casefold() in said:
            problems.append("a hook that was posted lately")
        found.append(_Candidate(hook, tuple(problems), not on_topic(hook, assignment.brief), strength))
    return found


def _strength(hook: str, work: DraftWork) -> float:
    return hook_strength(hook, work.assignment.language)[0]


def _why_none(work: DraftWork) -> str:
    reasons = ["; ".join(each.problems) for each in _judged(work, None)]
    if reasons:
        return ", ".join(dict.fromkeys(reasons))
    return work.steps[-1].outcome
