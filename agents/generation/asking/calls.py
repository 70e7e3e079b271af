"""Calls as the drafts of a burst share them: what each pays, what was spared, and the memory that asks each once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from agents.costs.prices import PriceList, cost_micros
from agents.generation.asking.answers import Answers
from agents.generation.asking.writer import Step
from agents.generation.assignment import Assignment
from agents.llm.answers.reply import Reply, Usage, shares, usage_shares
from schemas.records import SavingMeasure
from streams.errors import RecordFault
from streams.identity import derived_id

MAX_REFUSAL = 1_000  # characters that are kept of what a model says instead of an answer
_SEED_BITS = 31


@dataclass(frozen=True, slots=True)
class Saving:
    """Tokens that were not sent or received, and money not spent in micro-dollars; None where a price is unknown."""

    measure: SavingMeasure
    prompt_tokens: int
    completion_tokens: int
    micros: int | None


def saving_of_cached(reply: Reply, prices: PriceList, on: date) -> Saving:
    """Return what a remembered reply spared: all that it used when it was made, at the prices of the day."""
    usage = reply.usage
    micros = cost_micros(usage, reply.model, prices, on=on)
    return Saving("cache", usage.prompt_tokens, usage.completion_tokens, micros)


def savings_of(answers: Answers, reply: Reply, prices: PriceList, on: date) -> tuple[Saving, ...]:
    """Return what was spared in a call, measure by measure, each against the call as it was made.

    tier: the same tokens at the price of the dearer model. template and burst: prompt tokens left out (estimated).
    batch: the difference to the ordinary price. provider_cache: that of cached prompt tokens to their ordinary price.
    """
    thrift, usage, model = answers.thrift, reply.usage, reply.model

    def price(used: Usage, of: str, *, batch: bool = False) -> int | None:
        return cost_micros(used, of, prices, on=on, batch=batch)

    found = []
    if thrift.instead_of_model is not None:
        found.append(Saving("tier", 0, 0, _less(price(usage, thrift.instead_of_model), price(usage, model))))
    for measure, tokens in _left_out(answers):
        found.append(Saving(measure, tokens, 0, price(Usage(prompt_tokens=tokens), model)))
    if answers.batch:
        found.append(Saving("batch", 0, 0, _less(price(usage, model), price(usage, model, batch=True))))
    if usage.cached_tokens:
        uncached = price(replace(usage, cached_tokens=0), model)
        found.append(Saving("provider_cache", 0, 0, _less(uncached, price(usage, model))))
    return tuple(found)


def _left_out(answers: Answers) -> list[tuple[SavingMeasure, int]]:
    thrift = answers.thrift
    measures: list[tuple[SavingMeasure, int]] = [("template", thrift.template_tokens), ("burst", thrift.burst_tokens)]
    return [(measure, tokens) for measure, tokens in measures if tokens > 0]


def _less(without: int | None, with_it: int | None) -> int | None:
    return None if without is None or with_it is None else without - with_it


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

    Those of requests that are `unkept` have still to go into the state of the request's partition.
    """

    def __init__(self, clock: Callable[[], datetime], prices: PriceList) -> None:
        self._clock = clock
        self._prices = prices
        self._calls: dict[str, dict[str, Call]] = {}
        self._unkept: set[str] = set()

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
        self._unkept.add(assignment.request_id)

    def restore(self, request_id: str, calls: dict[str, Call]) -> None:
        """Take over what an earlier worker had finished."""
        self._calls[request_id] = dict(calls)

    def of(self, request_id: str) -> dict[str, Call]:
        """Return the finished calls of a request by id."""
        return self._calls.get(request_id, {})

    @property
    def has_unkept(self) -> bool:
        """Tell whether there are calls that are not in the state yet."""
        return bool(self._unkept)

    def take_unkept(self) -> set[str]:
        """Return the requests with calls that are not in the state yet, and take them as kept."""
        unkept, self._unkept = self._unkept, set()
        return unkept

    def forget(self, request_id: str) -> None:
        """Forget a request: it is finished, and remembered as a whole."""
        self._calls.pop(request_id, None)
        self._unkept.discard(request_id)


Ask = Callable[[Sequence[int], int], Awaitable[Answers]]
"""Ask for the drafts at some places of the burst, with a seed."""


async def calls_or_faults(
    memory: CallMemory, assignments: Sequence[Assignment], step: Step, attempt: int, ask: Ask
) -> list[Call | RecordFault]:
    """Return for each assignment its call, or why the provider refuses its prompt.

    `Unavailable` and `SettingsError` pass through; what was finished by then is in the memory.
    """
    try:
        return list(await memory.calls(assignments, step, attempt, ask))
    except RecordFault as fault:
        if len(assignments) == 1:
            return [fault]

    async def alone(place: int) -> Call | RecordFault:
        async def ask_alone(_: Sequence[int], seed: int) -> Answers:
            return await ask([place], seed)

        (found,) = await calls_or_faults(memory, [assignments[place]], step, attempt, ask_alone)
        return found

    return [await alone(place) for place in range(len(assignments))]
