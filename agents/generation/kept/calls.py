"""Model calls of drafts under way: each is made once, remembered by its id, and booked as a cost event."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from agents.costs.cost import cost_micros
from agents.costs.prices import PriceList
from agents.generation.asking.answers import Answers
from agents.generation.asking.model_tiers import Step
from agents.generation.asking.shares import shares, usage_shares
from agents.generation.assignment import Assignment
from agents.generation.kept.savings import Saving, saving_of_cached, savings_of
from agents.llm.answers.reply import Reply, Usage
from schemas.records import CostEvent, CostSaving
from streams.identity import derived_id

MAX_REFUSAL = 1_000  # characters that are kept of what a model says instead of an answer
_SEED_BITS = 31


@dataclass(frozen=True, slots=True)
class Call:
    """One draft's share of a finished call to a model: the texts it got, and what it has to pay.

    A call that answered a whole burst is divided among its drafts, so that the shares add up to the call. A remembered
    answer (`from_cache`) used nothing and is not booked.
    """

    step: Step
    attempt: int
    texts: tuple[str, ...]
    model: str
    usage: Usage
    cost_micros: int | None
    latency_ms: int
    occurred_at: datetime
    cut_off: bool = False
    refusal: str | None = None
    from_cache: bool = False
    savings: tuple[Saving, ...] = ()


def call_id(assignment: Assignment, step: Step, attempt: int) -> str:
    """Return the id of a call: the same whenever the same step of the same draft is tried for the same time."""
    return derived_id(assignment.request_id, str(assignment.number), step, str(attempt))


def seed_of(call: str) -> int:
    """Return the seed of a call, 31 bits that follow from its id: another attempt gets another one."""
    return UUID(call).int & ((1 << _SEED_BITS) - 1)


def calls_of(answers: Answers, step: Step, attempt: int, occurred_at: datetime, prices: PriceList) -> list[Call]:
    """Return the calls of the drafts that the answers are for, in their order.

    What was really called is divided among those that it answered: usage and costs of their shares add up to its own.
    """
    fresh = iter(() if answers.reply is None else _shares(answers, answers.reply, occurred_at.date(), prices))
    calls = []
    for answer in answers.of:
        reply = answer.cached or answers.reply
        assert reply is not None, "an answer that was neither given nor remembered"
        if answer.cached is None:
            usage, cost, savings = next(fresh)
        else:
            usage, cost, savings = Usage(), 0, (saving_of_cached(reply, prices, occurred_at.date()),)
        call = Call(
            step=step,
            attempt=attempt,
            texts=answer.texts,
            model=reply.model,
            usage=usage,
            cost_micros=cost,
            latency_ms=0 if answer.cached else reply.latency_ms,
            occurred_at=occurred_at,
            cut_off=reply.cut_off,
            refusal=reply.refusal and reply.refusal[:MAX_REFUSAL],
            from_cache=answer.cached is not None,
            savings=savings,
        )
        calls.append(call)
    return calls


def _shares(
    answers: Answers, reply: Reply, on: date, prices: PriceList
) -> Iterator[tuple[Usage, int | None, tuple[Saving, ...]]]:
    """Yield usage, cost and savings of each draft that was asked for; the first has all that the call spared."""
    count = sum(answer.cached is None for answer in answers.of)
    cost = cost_micros(reply.usage, reply.model, prices, on=on, batch=answers.batch)
    costs: Sequence[int | None] = [None] * count if cost is None else shares(cost, count)
    savings = savings_of(answers, reply, prices, on)
    for usage, part in zip(usage_shares(reply.usage, count), costs, strict=True):
        yield usage, part, savings
        savings = ()


class CallMemory:
    """Finished calls of unfinished requests, so that what comes again repeats only what is unfinished.

    `news` are the requests with calls that were not told yet: they go into the state of the request's partition.
    """

    def __init__(self, clock: Callable[[], datetime], prices: PriceList) -> None:
        self._clock = clock
        self._prices = prices
        self._calls: dict[str, dict[str, Call]] = {}
        self._news: set[str] = set()

    async def calls(
        self,
        assignments: Sequence[Assignment],
        step: Step,
        attempt: int,
        ask: Callable[[Sequence[int], int], Awaitable[Answers]],
    ) -> list[Call]:
        """Return the call of each assignment: from memory, else all missing ones by one call of `ask`.

        `ask` gets the places of the missing assignments and the seed. What it raises passes through.
        """
        ids = [call_id(each, step, attempt) for each in assignments]
        known = [self._calls.get(each.request_id, {}).get(found) for each, found in zip(assignments, ids, strict=True)]
        missing = [place for place, call in enumerate(known) if call is None]
        if missing:
            answers = await ask(missing, seed_of(ids[missing[0]]))
            made = calls_of(answers, step, attempt, self._clock(), self._prices)
            for place, call in zip(missing, made, strict=True):
                self.remember(assignments[place], ids[place], call)
                known[place] = call
        return [call for call in known if call is not None]

    def remember(self, assignment: Assignment, identity: str, call: Call) -> None:
        """Remember a finished call."""
        self._calls.setdefault(assignment.request_id, {})[identity] = call
        self._news.add(assignment.request_id)

    def restore(self, request_id: str, calls: dict[str, Call]) -> None:
        """Take over what an earlier worker had finished."""
        self._calls[request_id] = dict(calls)

    def of(self, request_id: str) -> dict[str, Call]:
        """Return the finished calls of a request by id."""
        return self._calls.get(request_id, {})

    @property
    def has_news(self) -> bool:
        """Tell whether there are calls that were not told yet."""
        return bool(self._news)

    def take_news(self) -> set[str]:
        """Return the requests with calls that were not told yet, and take them as told."""
        news, self._news = self._news, set()
        return news

    def forget(self, request_id: str) -> None:
        """Forget a request: it is finished, and remembered as a whole."""
        self._calls.pop(request_id, None)
        self._news.discard(request_id)


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
