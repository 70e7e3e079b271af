"""Batch lines: the drafts of a request as one question for the batch API, and its answer as finished calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from agents.costs.cost import cost_micros
from agents.costs.prices import PriceList
from agents.generation.asking.answers import answered, answers_in, schema_of_answers
from agents.generation.asking.calls import Call, call_id, calls_of, seed_of
from agents.generation.asking.prompts import draft_prompt, instructions
from agents.generation.asking.writer import Step
from agents.generation.assignment import Assignment
from agents.llm.answers.reply import Reply, usage_shares
from agents.llm.batch_lines import BatchLine
from agents.llm.client import JsonSchema, Sampling
from schemas.records import CostEvent, PersonaRequest
from streams.identity import derived_id

DRAFT_TOKENS = 340  # of one draft: hook and body
_FIELDS: tuple[tuple[Step, str], ...] = (("hook", "hook"), ("body", "body"))
_TEXTS = {field: {"type": "string"} for _, field in _FIELDS}


def line_of(assignments: Sequence[Assignment], model: str, instruction_tokens: int) -> BatchLine:
    """Return the question for all drafts of a request, hook and body of each; the request's id names it."""
    first = assignments[0]
    system = instructions(first.persona, first.language, instruction_tokens)
    return BatchLine(
        custom_id=first.request_id,
        model=model,
        system=system.text,
        user=draft_prompt(assignments),
        answer=JsonSchema("drafts", schema_of_answers(_TEXTS, len(assignments))),
        sampling=Sampling(
            DRAFT_TOKENS * len(assignments), first.persona.temperature, seed_of(call_id(first, "hook", 0))
        ),
    )


def calls_in(
    reply: Reply, assignments: Sequence[Assignment], occurred_at: datetime, prices: PriceList
) -> list[tuple[Assignment, Call]]:
    """Return the calls that the answer stands for: the first hook and the first body of each draft, half of it each."""
    found = []
    for (step, field), usage in zip(_FIELDS, usage_shares(reply.usage, len(_FIELDS)), strict=True):
        texts = answers_in(reply.text, field, len(assignments))
        answers = answered(replace(reply, usage=usage), texts, batch=True)
        calls = calls_of(answers, step, 0, occurred_at, prices)
        found += list(zip(assignments, calls, strict=True))
    return found


def unused_cost(reply: Reply, request: PersonaRequest, occurred_at: datetime, prices: PriceList) -> CostEvent:
    """Return the booking of an answer that came for a request which can't be written any more: it is paid for."""
    usage = reply.usage
    return CostEvent(
        event_id=derived_id(request.event_id, "unused batch line"),
        occurred_at=occurred_at,
        persona_id=request.persona_id,
        causation_id=request.event_id,
        request_id=request.event_id,
        step="hook",
        model=reply.model,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost_micros=cost_micros(usage, reply.model, prices, on=occurred_at.date(), batch=True),
    )
