"""Model calls of drafts under way: each is made once, remembered by its id, and booked as a cost event."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from agents.costs.cost import cost_micros
from agents.costs.prices import PriceList
from agents.generation.assignment import Assignment
from agents.llm.reply import Reply
from schemas.records import CostEvent
from streams.identity import derived_id

Step = Literal["hook", "body"]
_SEED_BITS = 31


@dataclass(frozen=True, slots=True)
class Call:
    """A finished call to a model."""

    step: Step
    attempt: int
    reply: Reply
    occurred_at: datetime


def call_id(assignment: Assignment, step: Step, attempt: int) -> str:
    """Return the id of a call: the same whenever the same step of the same draft is tried for the same time."""
    return derived_id(assignment.request_id, str(assignment.number), step, str(attempt))


def seed_of(call: str) -> int:
    """Return the seed of a call, 31 bits that follow from its id: another attempt gets another one."""
    return UUID(call).int & ((1 << _SEED_BITS) - 1)


class CallMemory:
    """Finished calls of unfinished requests, so that a batch that comes again repeats only what is unfinished."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._calls: dict[str, dict[str, Call]] = {}

    async def call(
        self, assignment: Assignment, step: Step, attempt: int, ask: Callable[[int], Awaitable[Reply]]
    ) -> Call:
        """Return the call of that id: from memory, else made with its seed. What `ask` raises passes through."""
        identity = call_id(assignment, step, attempt)
        known = self._calls.setdefault(assignment.request_id, {})
        if identity not in known:
            reply = await ask(seed_of(identity))
            known[identity] = Call(step, attempt, reply, self._clock())
        return known[identity]

    def forget(self, request_id: str) -> None:
        """Forget a request: it is finished, and remembered as a whole."""
        self._calls.pop(request_id, None)


def cost_event(call: Call, assignment: Assignment, prices: PriceList) -> CostEvent:
    """Return the booking of a call; its id is the call's, so that a repetition is booked once."""
    usage = call.reply.usage
    return CostEvent(
        event_id=call_id(assignment, call.step, call.attempt),
        occurred_at=call.occurred_at,
        persona_id=assignment.persona.persona_id,
        causation_id=assignment.request_id,
        request_id=assignment.request_id,
        step=call.step,
        model=call.reply.model,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost_micros=cost_micros(usage, call.reply.model, prices, on=call.occurred_at.date()),
        latency_ms=call.reply.latency_ms,
    )
