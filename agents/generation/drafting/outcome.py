"""What comes of an assignment: the draft and its bookings, as records."""

from __future__ import annotations

from dataclasses import dataclass

from agents.generation.asking.calls import Call, call_id
from agents.generation.assignment import Assignment
from agents.generation.drafting.draft_work import DraftWork, Version
from schemas.records import CostEvent, CostSaving, DraftGenerated
from streams.identity import derived_id


@dataclass(frozen=True, slots=True)
class DraftOutcome:
    """What came of an assignment: the draft, or None with the fault; what was paid for it, and what was spared."""

    draft: DraftGenerated | None
    costs: tuple[CostEvent, ...]
    savings: tuple[CostSaving, ...] = ()
    fault: str | None = None


def outcome_of(work: DraftWork) -> DraftOutcome:
    """Return what came of a draft whose graph has ended."""
    assignment = work.assignment
    costs = tuple(cost_event(call, assignment) for call in work.calls if not call.from_cache)
    savings = tuple(saving for call in work.calls for saving in cost_savings(call, assignment))
    best = None if work.fault else work.best_version
    if best is None:
        fault = f"draft {assignment.number + 1}: {work.why_none}"
        return DraftOutcome(None, costs, savings, fault)
    return DraftOutcome(_draft(work, best), costs, savings)


def _draft(work: DraftWork, best: Version) -> DraftGenerated:
    assignment, calls = work.assignment, work.calls
    assert work.hook is not None
    return DraftGenerated(
        event_id=assignment.draft_id,
        occurred_at=max(call.occurred_at for call in calls),
        persona_id=assignment.persona.persona_id,
        causation_id=assignment.request_id,
        draft_id=assignment.draft_id,
        request_id=assignment.request_id,
        persona_version=assignment.persona_version,
        hook=work.hook,
        body=best.body,
        text=best.text,
        language=assignment.language,
        model=calls[-1].model,
        prompt_tokens=sum(call.usage.prompt_tokens for call in calls),
        completion_tokens=sum(call.usage.completion_tokens for call in calls),
        cost_micros=work.cost_micros,
        latency_ms=sum(call.latency_ms for call in calls),
        call_to_action=assignment.call_to_action,
        revisions=len(work.versions) - 1,
        guard_reasons=assignment.left_out
        + tuple(
            reason for version in work.versions if version is not best for reason in version.problems or version.doubts
        ),
        steps=work.steps,
    )


def cost_event(call: Call, assignment: Assignment) -> CostEvent:
    """Return the booking of a draft's share of a call; its id is the call's, so that a repetition is booked once."""
    return CostEvent(
        event_id=call_id(assignment, call.step, call.attempt),
        occurred_at=call.occurred_at,
        persona_id=assignment.persona.persona_id,
        causation_id=assignment.request_id,
        request_id=assignment.request_id,
        step=call.step,
        model=call.model,
        prompt_tokens=call.usage.prompt_tokens,
        cached_tokens=call.usage.cached_tokens,
        completion_tokens=call.usage.completion_tokens,
        reasoning_tokens=call.usage.reasoning_tokens,
        cost_micros=call.cost_micros,
        latency_ms=call.latency_ms,
    )


def cost_savings(call: Call, assignment: Assignment) -> list[CostSaving]:
    """Return what the call spared, one record a measure; ids follow from the call's."""
    identity = call_id(assignment, call.step, call.attempt)
    return [
        CostSaving(
            event_id=derived_id(identity, saving.measure),
            occurred_at=call.occurred_at,
            persona_id=assignment.persona.persona_id,
            causation_id=assignment.request_id,
            request_id=assignment.request_id,
            step=call.step,
            measure=saving.measure,
            model=call.model,
            prompt_tokens=saving.prompt_tokens,
            completion_tokens=saving.completion_tokens,
            saved_micros=saving.micros,
        )
        for saving in call.savings
    ]
