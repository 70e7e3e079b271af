"""Calls reconciled: every booked call is one that the provider billed, and what it billed besides is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from agents.generation.asking.calls import seed_of
from schemas.records import CostEvent
from tests.support.openai.completions import Bill


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`unbilled` are bookings that no completion stands behind, `unbooked` completions whose answers nobody booked."""

    unbilled: tuple[CostEvent, ...]
    unbooked: tuple[Bill, ...]


def reconciled(events: Iterable[CostEvent], bills: Iterable[Bill]) -> Reconciliation:
    """Match bookings of calls for one draft each with completions, by the seed of the call and all of its usage.

    Of several completions of one call the latest in time is taken, a slow one last: its answer came too late.
    """
    of_seed: defaultdict[int, list[Bill]] = defaultdict(list)
    for bill in sorted(bills, key=lambda each: each.fault != "slow"):
        of_seed[bill.body["seed"]].append(bill)
    unbilled = []
    for event in events:
        billed = of_seed[seed_of(event.event_id)]
        found = next((bill for bill in reversed(billed) if _is_for(bill, event)), None)
        if found is None:
            unbilled.append(event)
        else:
            billed.remove(found)
    return Reconciliation(tuple(unbilled), tuple(bill for rest in of_seed.values() for bill in rest))


def _is_for(bill: Bill, event: CostEvent) -> bool:
    return (bill.model, bill.prompt_tokens, bill.cached_tokens, bill.completion_tokens) == (
        event.model,
        event.prompt_tokens,
        event.cached_tokens,
        event.completion_tokens,
    )
