"""The graph of one draft: gather -> hook -> body -> assemble (LangGraph)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypedDict, cast

from langgraph.graph import END, START, StateGraph

from agents.costs.cost import sum_of_costs
from agents.costs.prices import PriceList
from agents.generation.assignment import Assignment
from agents.generation.attempts import Attempts, Candidate, attempt_part
from agents.generation.calls import Call, CallMemory, Step, cost_event
from agents.generation.cleaning import cleaned_body, cleaned_hook
from agents.generation.guard import body_problems, hook_problems, on_topic, text_doubts
from agents.generation.threads_length import MAX_LENGTH, threads_length
from agents.generation.writer import Writer
from schemas.records import CostEvent, DraftGenerated

SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class DraftOutcome:
    """What came of an assignment: the draft, or None with the fault; and the cost of every call made for it."""

    draft: DraftGenerated | None
    costs: tuple[CostEvent, ...]
    fault: str | None = None


class DraftState(TypedDict, total=False):
    """What the nodes hand on."""

    assignment: Assignment
    room: int
    hook: str
    body: str
    text: str
    calls: Annotated[list[Call], operator.add]
    fault: str


class DraftGraph:
    """Write drafts. The hook stands verbatim at the start of the text; every part is judged, with bounded attempts.

    `Unavailable` and `SettingsError` of the model pass through; calls that were finished by then are in the memory, and
    the next run goes on behind them.
    """

    def __init__(self, writer: Writer, memory: CallMemory, prices: PriceList) -> None:
        self._writer = writer
        self._memory = memory
        self._prices = prices
        graph = StateGraph(DraftState)
        graph.add_node("gather", self._gather)
        graph.add_node("hook", self._hook)
        graph.add_node("body", self._body)
        graph.add_node("assemble", self._assemble)
        graph.add_edge(START, "gather")
        graph.add_edge("gather", "hook")
        graph.add_conditional_edges("hook", _unless_faulty("body"), ["body", END])
        graph.add_conditional_edges("body", _unless_faulty("assemble"), ["assemble", END])
        graph.add_edge("assemble", END)
        self._graph = graph.compile()

    async def write(self, assignment: Assignment) -> DraftOutcome:
        """Write one draft."""
        state = cast("DraftState", await self._graph.ainvoke(DraftState(assignment=assignment, calls=[])))
        calls = state["calls"]
        costs = tuple(cost_event(call, assignment, self._prices) for call in calls)
        if "fault" in state:
            return DraftOutcome(None, costs, f"draft {assignment.number + 1}: {state['fault']}")
        return DraftOutcome(self._draft(assignment, state, calls, costs), costs)

    async def _gather(self, state: DraftState) -> DraftState:
        """Measure the room that the hook and the fixed parts leave; later work gathers trends and past posts here."""
        disclosure = state["assignment"].persona.disclosure
        fixed = threads_length(SEPARATOR + disclosure) if disclosure else 0
        return {"room": MAX_LENGTH - fixed}

    async def _hook(self, state: DraftState) -> DraftState:
        assignment = state["assignment"]

        def judge(call: Call) -> Candidate:
            policy = assignment.persona.emoji_policy
            hook = cleaned_hook(call.reply.text, cut_off=call.reply.cut_off, emoji=policy)
            doubts = [] if on_topic(hook, assignment.brief) else ["no word of the brief"]
            return Candidate(hook, _refused(call) + hook_problems(hook, assignment), doubts)

        async def ask(attempt: int) -> Call:
            return await self._memory.call(assignment, "hook", attempt, partial(self._writer.hook, assignment))

        return _outcome("hook", await attempt_part(ask, judge))

    async def _body(self, state: DraftState) -> DraftState:
        assignment, hook = state["assignment"], state["hook"]
        room = state["room"] - threads_length(hook + SEPARATOR)

        def judge(call: Call) -> Candidate:
            policy = assignment.persona.emoji_policy
            body = cleaned_body(call.reply.text, hook=hook, room=room, cut_off=call.reply.cut_off, emoji=policy)
            text = assembled(hook, body, assignment.persona.disclosure)
            problems = _refused(call) + body_problems(body, text, assignment)
            return Candidate(body, problems, text_doubts(text, assignment))

        async def ask(attempt: int) -> Call:
            return await self._memory.call(assignment, "body", attempt, partial(self._writer.body, assignment, hook))

        return _outcome("body", await attempt_part(ask, judge))

    async def _assemble(self, state: DraftState) -> DraftState:
        text = assembled(state["hook"], state["body"], state["assignment"].persona.disclosure)
        assert text.startswith(state["hook"]), "the hook must stand verbatim at the start of the text"
        return {"text": text}

    def _draft(
        self, assignment: Assignment, state: DraftState, calls: list[Call], costs: tuple[CostEvent, ...]
    ) -> DraftGenerated:
        return DraftGenerated(
            event_id=assignment.draft_id,
            occurred_at=max(call.occurred_at for call in calls),
            persona_id=assignment.persona.persona_id,
            causation_id=assignment.request_id,
            draft_id=assignment.draft_id,
            request_id=assignment.request_id,
            persona_version=assignment.persona_version,
            hook=state["hook"],
            body=state["body"],
            text=state["text"],
            language=assignment.language,
            model=calls[-1].reply.model,
            prompt_tokens=sum(call.reply.usage.prompt_tokens for call in calls),
            completion_tokens=sum(call.reply.usage.completion_tokens for call in calls),
            cost_micros=sum_of_costs([cost.cost_micros for cost in costs]),
            latency_ms=sum(call.reply.latency_ms for call in calls),
        )


def assembled(hook: str, body: str, disclosure: str | None) -> str:
    """Return the post: hook, body and, where the persona has one, its disclosure, with blank lines between."""
    return SEPARATOR.join(part for part in (hook, body, disclosure) if part)


def _outcome(part: Step, found: Attempts) -> DraftState:
    state: DraftState = {"calls": list(found.calls)}
    if found.part is None:
        state["fault"] = f"{part}: {found.fault}"
    elif part == "hook":
        state["hook"] = found.part
    else:
        state["body"] = found.part
    return state


def _refused(call: Call) -> list[str]:
    return [f"the model refused: {call.reply.refusal[:200]}"] if call.reply.refusal else []


def _unless_faulty(following: str) -> Callable[[DraftState], str]:
    def route(state: DraftState) -> str:
        return END if "fault" in state else following

    return route
